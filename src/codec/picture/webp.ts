// WebP [RFC 9649]: the chunks of a still picture or an animation and the headers of its frames. Compressed data is
// stepped over. Runs in browsers.

import {
  MAX_ANIMATION_PIXELS,
  fourCharacters,
  isSane,
  littleUint16,
  littleUint24,
  littleUint32,
  uint16,
  uint32,
} from './reading.ts'

/** What the first bytes of every such file say. */
export const RIFF = fourCharacters('RIFF')
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

/** Whether the whole picture is there and leaves an `<img>` alive. */
export function isWebp(bytes: Uint8Array): boolean {
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
