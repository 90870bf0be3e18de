// The form of drafts and messages between two processes of one server. No I/O.
//
// A draft: 0 bytes of the channel, 1 bytes of the type, 3 bytes of the sender and one more (0: no sender), 5 bytes of the
// body, 9 channel, type, sender, body. A message: 0 seq, 8 time, 16 ordinal, 20 its draft.

import { formatCursor } from '../../cursor.ts'
import type { Draft, Message } from '../../message.ts'

const DRAFT_HEAD_BYTES = 9
const PLACE_BYTES = 20

// A body that is no longer is copied behind its head: one piece is less work than two.
const MAX_COPIED_BYTES = 4096

/** What a reader has taken from a record, and where it ends. */
export interface Taken<Value> {
  readonly value: Value
  readonly end: number
}

export function draftBytes({ channel, type, sender, body }: Draft): number {
  return DRAFT_HEAD_BYTES + Buffer.byteLength(channel) + type.length + (sender?.length ?? 0) + body.length
}

export function messageBytes(message: Message): number {
  return PLACE_BYTES + draftBytes(message)
}

/** Pieces that are the bytes of a draft, one behind the other. */
export function encodeDraft(draft: Draft): readonly Uint8Array[] {
  return encode(draft, draftBytes(draft), 0, noPlace)
}

/** Pieces that are the bytes of a message, with room for so many bytes before it, which `before` writes. */
export function encodeMessage(
  message: Message,
  roomBytes: number,
  before: (bytes: Buffer) => void,
): readonly Uint8Array[] {
  return encode(message, draftBytes(message), roomBytes + PLACE_BYTES, bytes => {
    before(bytes)
    bytes.writeDoubleBE(message.seq, roomBytes)
    bytes.writeDoubleBE(message.time, roomBytes + 8)
    bytes.writeUInt32BE(message.ordinal, roomBytes + 16)
  })
}

function noPlace(): void {
  return
}

function encode(
  { channel, type, sender, body }: Draft,
  byteCount: number,
  start: number,
  before: (bytes: Buffer) => void,
): readonly Uint8Array[] {
  const isCopied = body.length <= MAX_COPIED_BYTES
  const bytes = Buffer.allocUnsafe(start + (isCopied ? byteCount : byteCount - body.length))
  before(bytes)
  const channelBytes = bytes.write(channel, start + DRAFT_HEAD_BYTES, 'utf8')
  bytes.writeUInt8(channelBytes, start)
  bytes.writeUInt16BE(type.length, start + 1)
  bytes.writeUInt16BE(sender === null ? 0 : sender.length + 1, start + 3)
  bytes.writeUInt32BE(body.length, start + 5)
  bytes.write(`${type}${sender ?? ''}`, start + DRAFT_HEAD_BYTES + channelBytes, 'latin1')
  if (!isCopied) return [bytes, body]
  bytes.set(body, bytes.length - body.length)
  return [bytes]
}

/** Reads a draft. Its body is a view of the bytes. */
export function decodeDraft(bytes: Buffer, start: number): Taken<Draft> {
  const channelStart = start + DRAFT_HEAD_BYTES
  const typeStart = channelStart + bytes.readUInt8(start)
  const senderStart = typeStart + bytes.readUInt16BE(start + 1)
  const senderBytes = bytes.readUInt16BE(start + 3)
  const bodyStart = senderStart + Math.max(0, senderBytes - 1)
  const end = bodyStart + bytes.readUInt32BE(start + 5)
  const value = {
    channel: bytes.toString('utf8', channelStart, typeStart),
    type: bytes.toString('latin1', typeStart, senderStart),
    sender: senderBytes === 0 ? null : bytes.toString('latin1', senderStart, bodyStart),
    body: bytes.subarray(bodyStart, end),
  }
  return { value, end }
}

/** Reads a message. Its body is a view of the bytes. */
export function decodeMessage(bytes: Buffer, start: number, epoch: string): Taken<Message> {
  const { value: draft, end } = decodeDraft(bytes, start + PLACE_BYTES)
  const { channel, type, sender, body } = draft
  const seq = bytes.readDoubleBE(start)
  const id = formatCursor({ epoch, seq })
  const time = bytes.readDoubleBE(start + 8)
  const ordinal = bytes.readUInt32BE(start + 16)
  return { value: { id, seq, channel, time, ordinal, type, sender, body }, end }
}

/** The number of a message, without reading the rest of it. */
export function seqAt(bytes: Buffer, start: number): number {
  return bytes.readDoubleBE(start)
}
