// Pictures of one color in each format, made here and at most some hundred bytes long, so that a test can tell by one
// pixel which of them a browser shows. Not a test.

import { crc32, deflateSync } from 'node:zlib'

/** Red, green and blue, 0 to 255 each. */
export type Color = readonly [red: number, green: number, blue: number]

export const RED: Color = [255, 0, 0]
export const GREEN: Color = [0, 255, 0]
export const BLUE: Color = [0, 0, 255]
export const YELLOW: Color = [255, 255, 0]
export const WHITE: Color = [255, 255, 255]

/** [ITU-T T.81] One block of 8 by 8 pixels, of which nothing is told but its mean. */
export function jpeg([red, green, blue]: Color): Buffer {
  const means = [
    0.299 * red + 0.587 * green + 0.114 * blue - 128,
    -0.168736 * red - 0.331264 * green + 0.5 * blue,
    0.5 * red - 0.418688 * green - 0.081312 * blue,
  ]
  const scan = means.map(mean => `${jpegBits(Math.round(8 * mean))}0`).join('')
  const bytes = scan.match(/.{1,8}/g)?.map(bits => Number.parseInt(bits.padEnd(8, '1'), 2)) ?? []
  const segments = [
    `ffd8ffdb004300${'01'.repeat(64)}`,
    'ffc00011080008000803011100021100031100',
    // Twelve codes of four bits for the size of a mean, and one of a single bit that ends the block.
    `ffc4001f000000000c${'00'.repeat(12)}000102030405060708090a0b`,
    `ffc400141001${'00'.repeat(16)}`,
    'ffda000c03010002000300003f00',
  ]
  return Buffer.concat([
    Buffer.from(segments.join(''), 'hex'),
    Buffer.from(bytes.flatMap(byte => (byte === 0xff ? [0xff, 0] : [byte]))),
    Buffer.from('ffd9', 'hex'),
  ])
}

function jpegBits(value: number): string {
  const size = value === 0 ? 0 : Math.abs(value).toString(2).length
  const amount = value < 0 ? value + 2 ** size - 1 : value
  return `${binary(size, 4)}${size === 0 ? '' : binary(amount, size)}`
}

/** [W3C PNG] Eight by eight pixels. */
export function png(color: Color): Buffer {
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    pngChunk('IHDR', Buffer.from('00000008000000080802000000', 'hex')),
    pngChunk(
      'IDAT',
      deflateSync(
        Buffer.concat(Array<Buffer>(8).fill(Buffer.from([0, ...Array<Color>(8).fill(color).flat()]))),
      ),
    ),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function pngChunk(name: string, data: Buffer): Buffer {
  const chunk = Buffer.concat([Buffer.alloc(4), Buffer.from(name), data, Buffer.alloc(4)])
  chunk.writeUInt32BE(data.length)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4)
  return chunk
}

/** [GIF89a] One pixel, the first of two colors. */
export function gif(color: Color): Buffer {
  const table = `${Buffer.from(color).toString('hex')}000000`
  return Buffer.from(`47494638396101000100800000${table}2c00000000010001000002024401003b`, 'hex')
}

/** [RFC 9649 §3] One pixel. Each of the five codes has one symbol, so that the pixel itself takes no bit. */
export function webp([red, green, blue]: Color): Buffer {
  const codes = [green, red, blue, 255, 0].map(symbol => `101${reversed(binary(symbol, 8))}`)
  const bits = `${'0'.repeat(32)}000${codes.join('')}`
  const bytes = bits.match(/.{1,8}/g)?.map(byte => Number.parseInt(reversed(byte.padEnd(8, '0')), 2)) ?? []
  const data = Buffer.from([0x2f, ...bytes])
  const chunk = Buffer.concat([Buffer.from('WEBPVP8L    '), data, Buffer.alloc(data.length % 2)])
  chunk.writeUInt32LE(data.length, 8)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(chunk.length)
  return Buffer.concat([Buffer.from('RIFF'), length, chunk])
}

function binary(value: number, digitCount: number): string {
  return value.toString(2).padStart(digitCount, '0')
}

function reversed(digits: string): string {
  return Array.from(digits).reverse().join('')
}
