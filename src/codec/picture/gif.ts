// GIF [GIF89a]: the blocks up to the trailer, with at least one frame. Compressed data is stepped over. Runs in browsers.

import { latin1Text } from '../bytes.ts'
import { MAX_ANIMATION_PIXELS, fourCharacters, isSane, littleUint16 } from './reading.ts'

/** What the first bytes of every such file say. */
export const GIF_START = fourCharacters('GIF8')

/** Whether the whole picture is there and leaves an `<img>` alive. */
export function isGif(bytes: Uint8Array): boolean {
  if ((bytes[4] !== 0x37 && bytes[4] !== 0x39) || bytes[5] !== 0x61) return false
  const width = littleUint16(bytes, 6)
  const height = littleUint16(bytes, 8)
  if (!isSane(width, height)) return false
  let at = 13 + colorTableBytes(bytes[10] as number)
  let pixelCount = 0
  for (;;) {
    const kind = bytes[at]
    if (kind === 0x3b) return pixelCount > 0
    if (kind === 0x2c) {
      const right = littleUint16(bytes, at + 1) + littleUint16(bytes, at + 5)
      const bottom = littleUint16(bytes, at + 3) + littleUint16(bytes, at + 7)
      if (!isSane(littleUint16(bytes, at + 5), littleUint16(bytes, at + 7))) return false
      if (right > width || bottom > height) return false
      pixelCount += width * height
      if (pixelCount > MAX_ANIMATION_PIXELS) return false
      at += 10 + colorTableBytes(bytes[at + 9] as number)
      const codeBits = bytes[at] as number
      if (codeBits < 2 || codeBits > 8) return false
      at = endOfGifBlocks(bytes, at + 1)
    } else if (kind === 0x21) {
      const label = bytes[at + 1]
      const end = endOfGifBlocks(bytes, at + 2)
      // Two extensions are read, not skipped, and only in the one shape they have.
      if (label === 0xf9 && (bytes[at + 2] !== 4 || end !== at + 8)) return false
      if (label === 0xff && !isGifApplication(bytes, at + 2, end)) return false
      at = end
    } else {
      return false
    }
  }
}

function colorTableBytes(flags: number): number {
  return (flags & 0x80) === 0 ? 0 : 3 << ((flags & 7) + 1)
}

/** Position behind a chain of data blocks, beyond the end of the bytes if it does not end in them. */
function endOfGifBlocks(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== 0) at += 1 + (bytes[at] as number)
  return at + 1
}

function isGifApplication(bytes: Uint8Array, from: number, end: number): boolean {
  if (bytes[from] !== 11) return false
  const name = latin1Text(bytes, from + 1, from + 12)
  if (name !== 'NETSCAPE2.0' && name !== 'ANIMEXTS1.0') return true
  return bytes[from + 12] === 3 && bytes[from + 13] === 1 && end === from + 17
}
