// JPEG [ITU-T T.81 annex B]: the segments up to the end of the last scan, with the frame and tables that a decoder
// asks for before it starts. Compressed data is stepped over. Runs in browsers.

import { indexOfByte } from '../bytes.ts'
import { isSane, uint16 } from './reading.ts'

// A few hundred bytes make a scan that costs a decoder a walk over the whole picture. Real encoders write about 10.
const MAX_JPEG_SCANS = 64

/** What the first bytes of every such file say. */
export const JPEG_START = 0xffd8

interface JpegFrame {
  readonly ids: readonly number[]
  readonly quantizers: readonly number[]
}

/** Whether the whole picture is there and leaves an `<img>` alive. */
export function isJpeg(bytes: Uint8Array): boolean {
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
