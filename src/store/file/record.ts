// The form of one message on disk: a head of fixed length, the names, the body, and a checksum over all of it. Several
// records in a row are what one row of the engine holds. No I/O.
//
//   0 checksum, 4 seq, 12 previous seq of the channel, 20 time, 28 ordinal, 32 length of the record, 36 version, 37 bytes of
//   the channel, 38 bytes of the type, 40 bytes of the sender and one more (0: no sender), 42 channel, type, sender, body

import { crc32 } from 'node:zlib'
import type { Draft, Message } from '../../message.ts'

const VERSION = 3
const CHECKED_START = 4
const LENGTH_START = 32
const HEAD_BYTES = 42

type Recorded = Omit<Message, 'id'>

/** A message as it was read. */
export interface Stored extends Recorded {
  /** Of the message before it on its channel, or the greatest that it may have had; 0 for none. */
  readonly previousSeq: number
  /** All of the record. */
  readonly bytes: Buffer
}

/**
 * Bytes of the record of a message.
 * @throws {RangeError} for names that it cannot hold: a channel of more than 255 bytes, a type of more than 65,535, a sender of
 *   more than 65,534.
 */
export function recordBytes({ channel, type, sender, body }: Draft): number {
  const channelBytes = Buffer.byteLength(channel)
  const senderBytes = sender?.length ?? 0
  if (channelBytes > 0xff || type.length > 0xffff || senderBytes >= 0xffff) {
    const found = `channel of ${channelBytes} bytes, type of ${type.length}, sender of ${senderBytes}`
    throw new RangeError(`Cannot keep a message: ${found}, at most 255, 65535 and 65534 allowed`)
  }
  return HEAD_BYTES + channelBytes + type.length + senderBytes + body.length
}

/**
 * Writes the record of a message.
 * @param start Where it begins in `target`.
 * @param byteCount As {@link recordBytes} says.
 * @param previousSeq As in {@link Stored}.
 */
export function writeRecord(
  target: Buffer,
  start: number,
  byteCount: number,
  { seq, time, ordinal, channel, type, sender, body }: Recorded,
  previousSeq: number,
): void {
  target.writeDoubleBE(seq, start + 4)
  target.writeDoubleBE(previousSeq, start + 12)
  target.writeDoubleBE(time, start + 20)
  target.writeUInt32BE(ordinal, start + 28)
  target.writeUInt32BE(byteCount, start + LENGTH_START)
  target[start + 36] = VERSION
  const nameStart = start + HEAD_BYTES
  const channelBytes = target.write(channel, nameStart, 'utf8')
  target[start + 37] = channelBytes
  target.writeUInt16BE(type.length, start + 38)
  target.writeUInt16BE(sender === null ? 0 : sender.length + 1, start + 40)
  const typeStart = nameStart + channelBytes
  target.write(type, typeStart, 'latin1')
  if (sender !== null) target.write(sender, typeStart + type.length, 'latin1')
  target.set(body, start + byteCount - body.length)
  target.writeUInt32BE(checksumOf(target, start, start + byteCount), start)
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
  if (checksumOf(bytes, 0, bytes.length) !== bytes.readUInt32BE(0) || bytes[36] !== VERSION) return null
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

function checksumOf(bytes: Buffer, start: number, end: number): number {
  return crc32(bytes.subarray(start + CHECKED_START, end))
}
