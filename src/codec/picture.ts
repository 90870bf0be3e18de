// Tells whether bytes are a picture that an <img> on a multipart/x-mixed-replace stream survives: JPEG, PNG, GIF or
// WebP, whole and of bounded size. In Chromium one part that is none ends the <img> for good, and the tab with the
// stream. Reads structure only: compressed data is not inflated, damage in it shows in that one picture (doc/
// operations.md has the measurements). One pass, no copy. SVG, BMP, ICO, AVIF and JXL are refused. Runs in browsers.

import { indexOfByte } from './bytes.ts'

/** Longest side of a picture in pixels. */
export const MAX_PICTURE_SIDE = 16_384
/** Most pixels of a picture, so of one decoded frame: 128 MiB as RGBA. An 8K video frame has 33,177,600. */
export const MAX_PICTURE_PIXELS = 2 ** 25
/** Most pixels of all frames of an animation, each counted as the whole canvas that a browser composes for it. */
export const MAX_ANIMATION_PIXELS = 2 ** 28

// A few hundred bytes make a scan that costs a decoder a walk over the whole picture. Real encoders write about 10.
const MAX_JPEG_SCANS = 64

// Chromium takes fewer bytes for no picture at all, whatever they are.
const MIN_PICTURE_BYTES = 14

/**
 * Whether a part with these bytes leaves an `<img>` alive in Chromium and Firefox: the picture is one of the four
 * formats, complete, at most 16,384 pixels wide and high and 2^25 pixels in area. What follows its end is not looked
 * at. Takes time in proportion to the length, and never throws.
 */
export function isPicture(bytes: Uint8Array): boolean {
  if (bytes.length < MIN_PICTURE_BYTES) return false
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
  return [...text].reduce((code, letter) => ((code << 8) | letter.charCodeAt(0)) >>> 0, 0)
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
  for (let at = 2; ; ) {
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
  for (let at = from + 1; at < end - 3; at += 2) {
    const index = frame.ids.indexOf(bytes[at] as number)
    const quantizer = frame.quantizers[index]
    if (quantizer === undefined || quantizer > 3 || ((quantizerBits >> quantizer) & 1) === 0) return false
    if (((bytes[at + 1] as number) & 0xcc) !== 0) return false
  }
  return true
}

/** Position of the first marker that is neither a stuffed 0xFF nor a restart, or the end of the bytes. */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let at = from; ; at += 2) {
    at = indexOfByte(bytes, 0xff, at, bytes.length)
    if (at === -1) return bytes.length
    const next = bytes[at + 1] as number
    if (next !== 0 && (next < 0xd0 || next > 0xd7)) return at
  }
}
