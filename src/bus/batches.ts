// Joins messages into batches: each encoded once, several in one buffer, so that a flood costs a reader one write per turn
// of the event loop.

import type { Message } from '../message.ts'
import type { Batch, Encoder } from './sink.ts'

// Joining is a copy: it pays for small messages, which are many, not for pictures. It also bounds what one batch can
// add to a slow reader's backlog at once.
const MAX_JOINED_BYTES = 64 * 1024

/** Batches of these messages, in order, without those that the encoder leaves out. */
export function* join(messages: Iterable<Message>, encoder: Encoder): Generator<Batch, void, void> {
  let joined: Message[] = []
  let frames: Uint8Array[] = []
  let byteCount = 0
  for (const message of messages) {
    const frame = encoder.encode(message, 0)
    if (frame === null) continue
    if (frames.length > 0 && byteCount + frame.length > MAX_JOINED_BYTES) {
      yield toBatch(joined, frames)
      joined = []
      frames = []
      byteCount = 0
    }
    joined.push(message)
    frames.push(frame)
    byteCount += frame.length
  }
  if (frames.length > 0) yield toBatch(joined, frames)
}

function toBatch(messages: readonly Message[], frames: readonly Uint8Array[]): Batch {
  const [first = NOTHING] = frames
  return {
    messages,
    bytes: frames.length === 1 ? first : inOnePiece(first, frames),
    firstByteCount: first.length,
  }
}

// Encoders put what they encode side by side: then there is nothing to copy.
function inOnePiece(first: Uint8Array, frames: readonly Uint8Array[]): Uint8Array {
  const { buffer, byteOffset } = first
  let end = byteOffset
  for (const frame of frames) {
    if (frame.buffer !== buffer || frame.byteOffset !== end) return Buffer.concat(frames)
    end += frame.length
  }
  return Buffer.from(buffer, byteOffset, end - byteOffset)
}

const NOTHING = new Uint8Array(0)
