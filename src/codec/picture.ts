// Tells whether bytes are a picture that an <img> on a multipart/x-mixed-replace stream survives: JPEG, PNG, GIF or
// WebP, whole and of bounded size. In Chromium one part that is none ends the <img> for good, and the tab with the
// stream. Reads structure only: compressed data is not inflated, damage in it shows in that one picture and not after.
// One pass, no copy. SVG, BMP, ICO, AVIF and JXL are refused. Runs in browsers.

import { indexOfByte, latin1Bytes, latin1Text } from './bytes.ts'

/** Longest side of a picture in pixels. */
export const MAX_PICTURE_SIDE = 16_384
/** Most pixels of a picture, so of one decoded frame: 128 MiB as RGBA. An 8K video frame has 33,177,600. */
export const MAX_PICTURE_PIXELS = 2 ** 25
/** Most pixels of all frames of an animation, each counted as the whole canvas that a browser composes for it. */
export const MAX_ANIMATION_PIXELS = 2 ** 28

// A few hundred bytes make a scan that costs a decoder a walk over the whole picture. Real encoders write about 10.
const MAX_JPEG_SCANS = 64

/**
 * Whether a part with these bytes leaves an `<img>` alive in Chromium and Firefox: the picture is one of the four
 * formats, complete, at most 16,384 pixels wide and high and 2^25 pixels in area. What follows its end is not looked
 * at. Takes time in proportion to the length, and never throws.
 */
export function isPicture(bytes: Uint8Array): boolean {
  switch (uint32(bytes, 0)) {
    case PNG_START:
      return isPng(bytes)
    case GIF_START:
      return isGif(bytes)
    case RIFF:
      return isWebp(bytes)
    default:
      return uint16(bytes, 0) === JPEG_START && isJpeg(bytes)
  }
}

function isSane(width: number, height: number): boolean {
  return (
    width > 0 &&
    height > 0 &&
    width <= MAX_PICTURE_SIDE &&
    height <= MAX_PICTURE_SIDE &&
    width * height <= MAX_PICTURE_PIXELS
  )
}

// The readers below take what lies past the end as zeros; whoever steps over something checks that it is there.

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((uint16(bytes, at) << 16) | uint16(bytes, at + 2)) >>> 0
}

function littleUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

function littleUint24(bytes: Uint8Array, at: number): number {
  return littleUint16(bytes, at) | ((bytes[at + 2] as number) << 16)
}

function littleUint32(bytes: Uint8Array, at: number): number {
  return (littleUint24(bytes, at) | ((bytes[at + 3] as number) << 24)) >>> 0
}

function fourCharacters(text: string): number {
  return uint32(latin1Bytes(text), 0)
}

// JPEG [ITU-T T.81 annex B]

const JPEG_START = 0xffd8

interface JpegFrame {
  readonly ids: readonly number[]
  readonly quantizers: readonly number[]
}

function isJpeg(bytes: Uint8Array): boolean {
  let frame: JpegFrame | null = null
  let quantizerBits = 0
  let scanCount = 0
  for (let at = 2; ;) {
    if (bytes[at] !== 0xff) return false
    while (bytes[at] === 0xff) at++ // [§B.1.1.2] any number of fill bytes before a marker
    const marker = bytes[at] as number
    if (marker === 0xd9) return scanCount > 0
    const from = at + 3
    const end = at + 1 + uint16(bytes, at + 1)
    if (end < from || end > bytes.length) return false
    at = end
    if (marker >= 0xc0 && marker <= 0xc2) {
      // Baseline, extended, progressive: the ones every browser knows. A second one is an error to a decoder.
      if (frame !== null) return false
      frame = readJpegFrame(bytes, from, end)
      if (frame === null) return false
    } else if (marker === 0xc4) {
      if (!areHuffmanTables(bytes, from, end)) return false
    } else if (marker === 0xdb) {
      const bits = readQuantizers(bytes, from, end)
      if (bits === 0) return false
      quantizerBits |= bits
    } else if (marker === 0xda) {
      if (frame === null || !isScanOf(frame, quantizerBits, bytes, from, end)) return false
      if (++scanCount > MAX_JPEG_SCANS) return false
      at = endOfScan(bytes, end)
    } else if (marker === 0xdd) {
      if (end - from !== 2) return false
    } else if (!((marker >= 0xe0 && marker <= 0xef) || marker === 0xfe)) {
      // Reserved markers, arithmetic coding, hierarchies and late heights (DNL) stop a decoder. APPn and COM pass.
      return false
    }
  }
}

function readJpegFrame(bytes: Uint8Array, from: number, end: number): JpegFrame | null {
  const count = bytes[from + 5] as number
  if (end - from !== 6 + 3 * count || (count !== 1 && count !== 3 && count !== 4)) return null
  if (bytes[from] !== 8 || !isSane(uint16(bytes, from + 3), uint16(bytes, from + 1))) return null
  const ids: number[] = []
  const quantizers: number[] = []
  for (let at = from + 6; at < end; at += 3) {
    const across = (bytes[at + 1] as number) >> 4
    const down = (bytes[at + 1] as number) & 15
    if (across < 1 || across > 4 || down < 1 || down > 4) return null
    if (ids.includes(bytes[at] as number)) return null
    ids.push(bytes[at] as number)
    quantizers.push(bytes[at + 2] as number)
  }
  return { ids, quantizers }
}

function areHuffmanTables(bytes: Uint8Array, from: number, end: number): boolean {
  let at = from
  while (at < end) {
    if (((bytes[at] as number) & 0xec) !== 0) return false // class 0 or 1, destination 0 to 3
    let codeCount = 0
    for (let i = 1; i <= 16; i++) codeCount += bytes[at + i] as number
    if (codeCount > 256) return false
    at += 17 + codeCount
  }
  return at === end
}

/** A bit for each destination that is defined; 0 if the segment is malformed. */
function readQuantizers(bytes: Uint8Array, from: number, end: number): number {
  let bits = 0
  let at = from
  while (at < end) {
    const precisionAndId = bytes[at] as number
    if ((precisionAndId & 0xec) !== 0) return 0
    bits |= 1 << (precisionAndId & 3)
    at += precisionAndId >> 4 === 0 ? 65 : 129
  }
  return at === end ? bits : 0
}

function isScanOf(
  frame: JpegFrame,
  quantizerBits: number,
  bytes: Uint8Array,
  from: number,
  end: number,
): boolean {
  const count = bytes[from] as number
  if (count < 1 || count > 4 || end - from !== 4 + 2 * count) return false
  let seenBits = 0
  for (let at = from + 1; at < end - 3; at += 2) {
    const index = frame.ids.indexOf(bytes[at] as number)
    const quantizer = frame.quantizers[index]
    if (quantizer === undefined || quantizer > 3 || ((quantizerBits >> quantizer) & 1) === 0) return false
    // Destinations of tables are 0 to 3. Naming a component twice stops a decoder.
    if (((bytes[at + 1] as number) & 0xcc) !== 0 || ((seenBits >> index) & 1) === 1) return false
    seenBits |= 1 << index
  }
  return true
}

/** Position of the first marker that is neither a stuffed 0xFF nor a restart, or the end of the bytes. */
function endOfScan(bytes: Uint8Array, from: number): number {
  let at = from
  for (;;) {
    at = indexOfByte(bytes, 0xff, at, bytes.length)
    if (at === -1) return bytes.length
    const next = bytes[at + 1] as number
    if (next === 0xff) at++
    else if (next === 0 || (next >= 0xd0 && next <= 0xd7)) at += 2
    else return at
  }
}

// PNG [W3C PNG, third edition], with animation

const PNG_START = 0x89504e47
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

function isPng(bytes: Uint8Array): boolean {
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

// GIF [GIF89a]

const GIF_START = fourCharacters('GIF8')

function isGif(bytes: Uint8Array): boolean {
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

// WebP [RFC 9649]

const RIFF = fourCharacters('RIFF')
const WEBP = fourCharacters('WEBP')
const VP8 = fourCharacters('VP8 ')
const VP8L = fourCharacters('VP8L')
const VP8X = fourCharacters('VP8X')
const ALPH = fourCharacters('ALPH')
const ANIM = fourCharacters('ANIM')
const ANMF = fourCharacters('ANMF')

interface Size {
  readonly width: number
  readonly height: number
}

function isWebp(bytes: Uint8Array): boolean {
  const end = 8 + littleUint32(bytes, 4)
  if (uint32(bytes, 8) !== WEBP || end > bytes.length) return false
  const first = uint32(bytes, 12)
  if (first === VP8 || first === VP8L) return readWebpImage(bytes, 12, end) !== null
  if (first !== VP8X || littleUint32(bytes, 16) !== 10 || end < 30) return false
  if (((bytes[20] as number) & 0xc1) !== 0 || littleUint24(bytes, 21) !== 0) return false
  const canvas = { width: 1 + littleUint24(bytes, 24), height: 1 + littleUint24(bytes, 27) }
  if (!isSane(canvas.width, canvas.height)) return false
  const isAnimated = ((bytes[20] as number) & 2) !== 0
  return isAnimated ? isWebpAnimation(bytes, 30, end, canvas) : isWebpStill(bytes, 30, end, canvas)
}

function isWebpStill(bytes: Uint8Array, from: number, end: number, canvas: Size): boolean {
  const size = readWebpImage(bytes, from, end)
  return size !== null && size.width === canvas.width && size.height === canvas.height
}

function isWebpAnimation(bytes: Uint8Array, from: number, end: number, canvas: Size): boolean {
  let hasSettings = false
  let pixelCount = 0
  for (let at = from; at < end;) {
    const type = uint32(bytes, at)
    const next = endOfWebpChunk(bytes, at, end)
    if (next === -1 || type === VP8 || type === VP8L || type === VP8X || type === ALPH) return false
    if (type === ANIM) {
      if (hasSettings || littleUint32(bytes, at + 4) !== 6) return false
      hasSettings = true
    } else if (type === ANMF) {
      const right = 2 * littleUint24(bytes, at + 8) + 1 + littleUint24(bytes, at + 14)
      const bottom = 2 * littleUint24(bytes, at + 11) + 1 + littleUint24(bytes, at + 17)
      if (!hasSettings || right > canvas.width || bottom > canvas.height) return false
      const frame = { width: 1 + littleUint24(bytes, at + 14), height: 1 + littleUint24(bytes, at + 17) }
      const first = uint32(bytes, at + 24)
      if (first !== ALPH && first !== VP8 && first !== VP8L) return false
      if (!isWebpStill(bytes, at + 24, at + 8 + littleUint32(bytes, at + 4), frame)) return false
      pixelCount += canvas.width * canvas.height
      if (pixelCount > MAX_ANIMATION_PIXELS) return false
    }
    at = next
  }
  return pixelCount > 0
}

/** Size of the one picture in a run of chunks, or null if there is not exactly one or anything is malformed. */
function readWebpImage(bytes: Uint8Array, from: number, end: number): Size | null {
  let size: Size | null = null
  let lastType = 0
  for (let at = from; at < end;) {
    const type = uint32(bytes, at)
    const next = endOfWebpChunk(bytes, at, end)
    if (next === -1 || (lastType === ALPH && type !== VP8)) return null
    if (type === VP8 || type === VP8L) {
      if (size !== null) return null
      const length = littleUint32(bytes, at + 4)
      size = type === VP8 ? readVp8Size(bytes, at + 8, length) : readVp8lSize(bytes, at + 8, length)
      if (size === null) return null
    } else if (type === ALPH) {
      if (size !== null) return null
    } else if (type === VP8X || type === ANIM || type === ANMF) {
      return null
    }
    lastType = type
    at = next
  }
  return size
}

/** Position of the next chunk, or -1 if this one does not fit. A chunk of odd length has a byte of padding. */
function endOfWebpChunk(bytes: Uint8Array, at: number, end: number): number {
  const length = littleUint32(bytes, at + 4)
  const next = at + 8 + length + (length & 1)
  return next > end ? -1 : next
}

// [RFC 6386 §9.1] a key frame that is shown, of a known profile, its first partition inside the chunk
function readVp8Size(bytes: Uint8Array, at: number, length: number): Size | null {
  const tag = littleUint24(bytes, at)
  if (length < 10 || (tag & 0x19) !== 0x10 || tag >> 5 >= length) return null
  if (uint16(bytes, at + 3) !== 0x9d01 || bytes[at + 5] !== 0x2a) return null
  return saneSize(littleUint16(bytes, at + 6) & 0x3fff, littleUint16(bytes, at + 8) & 0x3fff)
}

// [RFC 9649 §3.4] signature, 14 bits each of width and height less one, a bit for alpha, version 0
function readVp8lSize(bytes: Uint8Array, at: number, length: number): Size | null {
  const bits = littleUint32(bytes, at + 1)
  if (length < 5 || bytes[at] !== 0x2f || bits >>> 29 !== 0) return null
  return saneSize(1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff))
}

function saneSize(width: number, height: number): Size | null {
  return isSane(width, height) ? { width, height } : null
}
