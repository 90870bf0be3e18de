// The form of one message on disk: a head of fixed length, the names, the body, and a checksum over all of it. Several
// records in a row are what one row of the engine holds. No I/O.
//
//   0 checksum, 4 seq, 12 previous seq of the channel, 20 time, 28 ordinal, 32 length of the record, 36 version, 37 bytes of
//   the channel, 38 bytes of the type, 40 bytes of the sender and one more (0: no sender), 42 channel, type, sender, body

import { crc32 } from 'node:zlib'
import type { Draft } from '../../message.ts'

const VERSION = 2
const LENGTH_START = 32
const HEAD_BYTES = 42

// What is known only when the message has its place. All behind it is in the checksum before.
const PLACE_START = 4
const PLACE_END = 32

/** A message that is encoded but for its place in the sequence. */
export interface Unplaced {
  readonly draft: Draft
  /** When it was handed in, in milliseconds since 1970. */
  readonly time: number
  readonly byteCount: number
  readonly head: Buffer
  readonly checksum: number
}

/** The place of a message in the sequence, and on its channel. */
export interface RecordPlace {
  readonly seq: number
  /** Of the message before it on its channel, or the greatest that it may have had; 0 for none. */
  readonly previousSeq: number
  readonly time: number
  readonly ordinal: number
}

/** A message as it was read. */
export interface Stored extends Draft, RecordPlace {
  /** All of the record. */
  readonly bytes: Buffer
}

/** Encodes all of a message that does not depend on its place. The body is not copied. */
export function encode(draft: Draft, time: number): Unplaced {
  const { channel, type, sender, body } = draft
  const channelBytes = Buffer.byteLength(channel)
  const senderBytes = sender?.length ?? 0
  const head = Buffer.allocUnsafe(HEAD_BYTES + channelBytes + type.length + senderBytes)
  const byteCount = head.length + body.length
  head.writeUInt32BE(byteCount, LENGTH_START)
  head.writeUInt8(VERSION, 36)
  head.writeUInt8(channelBytes, 37)
  head.writeUInt16BE(type.length, 38)
  head.writeUInt16BE(sender === null ? 0 : senderBytes + 1, 40)
  head.write(channel, HEAD_BYTES, 'utf8')
  head.write(`${type}${sender ?? ''}`, HEAD_BYTES + channelBytes, 'latin1')
  const headChecksum = crc32(head.subarray(PLACE_END))
  // Of no bytes in no memory, Node's crc32 forgets what was before them.
  const checksum = body.length === 0 ? headChecksum : crc32(body, headChecksum)
  return { draft, time, byteCount, head, checksum }
}

/** Completes a record. Its pieces, one behind the other, are its bytes. */
export function place(
  { head, draft, checksum }: Unplaced,
  { seq, previousSeq, time, ordinal }: RecordPlace,
): readonly Uint8Array[] {
  head.writeDoubleBE(seq, 4)
  head.writeDoubleBE(previousSeq, 12)
  head.writeDoubleBE(time, 20)
  head.writeUInt32BE(ordinal, 28)
  head.writeUInt32BE(crc32(head.subarray(PLACE_START, PLACE_END), checksum), 0)
  return [head, draft.body]
}

/** What could be read of a row. */
export interface Row {
  readonly records: readonly Stored[]
  /** False if anything of it is damaged: there were more records then. */
  readonly isWhole: boolean
}

/** Reads all records of a row that are as they were written. Bodies are views of its bytes. */
export function decodeRow(row: Buffer): Row {
  const records: Stored[] = []
  let isWhole = row.length > 0
  for (let start = 0; start < row.length;) {
    const byteCount = start + HEAD_BYTES <= row.length ? row.readUInt32BE(start + LENGTH_START) : 0
    // Nobody knows where the next one begins.
    if (byteCount < HEAD_BYTES || start + byteCount > row.length) return { records, isWhole: false }
    const record = decode(row.subarray(start, start + byteCount))
    if (record === null) isWhole = false
    else records.push(record)
    start += byteCount
  }
  return { records, isWhole }
}

function decode(bytes: Buffer): Stored | null {
  const checksum = crc32(bytes.subarray(PLACE_START, PLACE_END), crc32(bytes.subarray(PLACE_END)))
  if (checksum !== bytes.readUInt32BE(0) || bytes[36] !== VERSION) return null
  const typeStart = HEAD_BYTES + bytes.readUInt8(37)
  const senderStart = typeStart + bytes.readUInt16BE(38)
  const senderBytes = bytes.readUInt16BE(40)
  const bodyStart = senderStart + Math.max(0, senderBytes - 1)
  return {
    seq: bytes.readDoubleBE(4),
    previousSeq: bytes.readDoubleBE(12),
    time: bytes.readDoubleBE(20),
    ordinal: bytes.readUInt32BE(28),
    channel: bytes.toString('utf8', HEAD_BYTES, typeStart),
    type: bytes.toString('latin1', typeStart, senderStart),
    sender: senderBytes === 0 ? null : bytes.toString('latin1', senderStart, bodyStart),
    body: bytes.subarray(bodyStart),
    bytes,
  }
}
