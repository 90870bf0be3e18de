// PNG [W3C PNG, third edition], with animation: the chunks and their order, and the checksums of those that end an
// <img> when they are wrong. Compressed data is stepped over. Runs in browsers.

import { MAX_ANIMATION_PIXELS, fourCharacters, isSane, uint32 } from './reading.ts'

/** What the first bytes of every such file say. */
export const PNG_START = 0x89504e47
const PNG_START_REST = 0x0d0a1a0a
const IHDR = fourCharacters('IHDR')
const PLTE = fourCharacters('PLTE')
const TRNS = fourCharacters('tRNS')
const ACTL = fourCharacters('acTL')
const FCTL = fourCharacters('fcTL')
const BKGD = fourCharacters('bKGD')
const CICP = fourCharacters('cICP')
const FDAT = fourCharacters('fdAT')
const IDAT = fourCharacters('IDAT')
const IEND = fourCharacters('IEND')

// Bit n is set when n bits per sample are allowed; the index is the color type.
const PNG_DEPTHS: readonly (number | undefined)[] = [
  0x10116,
  undefined,
  0x10100,
  0x116,
  0x10100,
  undefined,
  0x10100,
]

interface PngHeader {
  readonly width: number
  readonly height: number
  readonly depth: number
  readonly colorType: number
}

/** Whether the whole picture is there and leaves an `<img>` alive. */
export function isPng(bytes: Uint8Array): boolean {
  if (uint32(bytes, 4) !== PNG_START_REST) return false
  const header = readPngHeader(bytes)
  if (header === null) return false
  let paletteCount = 0
  let hasTransparency = false
  let hasData = false
  let declaredFrames = 0 // 0: a still picture
  let frameCount = 0
  let sequence = 0
  let lastType = IHDR
  for (let at = 33; ;) {
    const length = uint32(bytes, at)
    const type = uint32(bytes, at + 4)
    const from = at + 8
    const end = from + length
    if (end + 4 > bytes.length) return false
    at = end + 4
    if (type === IDAT) {
      if (hasData && lastType !== IDAT) return false
      if (header.colorType === 3 && paletteCount === 0) return false
      hasData = true
    } else if (type === IEND) {
      return hasData && frameCount === declaredFrames
    } else if (type === PLTE) {
      const count = length / 3
      if (hasData || hasTransparency || paletteCount > 0 || !isPalette(header, count)) return false
      if (!isIntact(bytes, from, end)) return false
      paletteCount = count
    } else if (type === TRNS) {
      if (hasData || hasTransparency || !isTransparency(header, paletteCount, length)) return false
      if (!isIntact(bytes, from, end)) return false
      hasTransparency = true
    } else if (type === ACTL) {
      declaredFrames = declaredFrames === 0 && !hasData && length === 8 ? uint32(bytes, from) : 0
      if (declaredFrames === 0 || !isIntact(bytes, from, end)) return false
      if (declaredFrames * header.width * header.height > MAX_ANIMATION_PIXELS) return false
    } else if (type === FCTL) {
      if (++frameCount > declaredFrames || (frameCount > 1 && !hasData)) return false
      if (length !== 26 || uint32(bytes, from) !== sequence++) return false
      if (!isPngFrame(header, hasData, bytes, from) || !isIntact(bytes, from, end)) return false
    } else if (type === FDAT) {
      if (!hasData || frameCount === 0 || length <= 4 || uint32(bytes, from) !== sequence++) return false
    } else if (type === CICP) {
      // Skia refuses the picture for the two of its values that RGB leaves no choice.
      if (length !== 4 || bytes[from + 2] !== 0 || (bytes[from + 3] as number) > 1) return false
    } else if (type === BKGD) {
      if (header.colorType === 3 && paletteCount === 0) return false
    } else if (!isAncillary(bytes, from - 4)) {
      return false
    }
    lastType = type
  }
}

function readPngHeader(bytes: Uint8Array): PngHeader | null {
  if (uint32(bytes, 8) !== 13 || uint32(bytes, 12) !== IHDR || !isIntact(bytes, 16, 29)) return null
  const width = uint32(bytes, 16)
  const height = uint32(bytes, 20)
  const depth = bytes[24] as number
  const colorType = bytes[25] as number
  const depths = PNG_DEPTHS[colorType]
  if (!isSane(width, height) || depth > 16 || depths === undefined || ((depths >> depth) & 1) === 0)
    return null
  if (bytes[26] !== 0 || bytes[27] !== 0 || (bytes[28] as number) > 1) return null
  return { width, height, depth, colorType }
}

function isPalette(header: PngHeader, count: number): boolean {
  if (!Number.isInteger(count) || count === 0 || (header.colorType & 2) === 0) return false
  return count <= (header.colorType === 3 ? 1 << header.depth : 256)
}

function isTransparency(header: PngHeader, paletteCount: number, length: number): boolean {
  if (header.colorType === 3) return length > 0 && length <= paletteCount
  return (header.colorType === 0 && length === 2) || (header.colorType === 2 && length === 6)
}

/** Whether a frame lies on the canvas; the one that is also the still picture has to cover it. */
function isPngFrame(header: PngHeader, hasData: boolean, bytes: Uint8Array, from: number): boolean {
  const width = uint32(bytes, from + 4)
  const height = uint32(bytes, from + 8)
  const left = uint32(bytes, from + 12)
  const top = uint32(bytes, from + 16)
  if (width === 0 || height === 0 || left + width > header.width || top + height > header.height) return false
  if ((bytes[from + 24] as number) > 2 || (bytes[from + 25] as number) > 1) return false
  return hasData || (width === header.width && height === header.height)
}

/** Whether the four bytes name a chunk that a decoder may skip: letters, the first a small one. */
function isAncillary(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 4; i++) {
    const letter = (bytes[at + i] as number) | 0x20
    if (letter < 0x61 || letter > 0x7a) return false
  }
  return ((bytes[at] as number) & 0x20) !== 0
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let code = index
  for (let bit = 0; bit < 8; bit++) code = (code & 1) === 1 ? 0xedb88320 ^ (code >>> 1) : code >>> 1
  return code
})

/**
 * Whether the checksum behind a chunk's data is right. A wrong one ends the `<img>` only for chunks that a decoder
 * needs before the pixels; those are small.
 */
function isIntact(bytes: Uint8Array, from: number, end: number): boolean {
  let crc = 0xffffffff
  for (let at = from - 4; at < end; at++) {
    crc = (CRC_TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
  }
  return (crc ^ 0xffffffff) >>> 0 === uint32(bytes, end)
}
