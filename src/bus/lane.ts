// Everybody who sees the same bytes: the sinks of all subscriptions with one matcher, one filter and one encoder.
// A lane encodes a message once and joins what arrives within a turn of the event loop, so that a flood costs each
// reader one write per turn. Hot path: nothing here allocates, awaits or logs per message per sink.

import type { Message } from '../message.ts'
import type { Filter } from './filter.ts'
import type { Batch, Encoder, Sink } from './sink.ts'

// Joining is a copy: it pays for small messages, which are many, not for pictures. It also bounds what one batch can
// add to a slow reader's backlog at once.
const MAX_JOINED_BYTES = 64 * 1024

export class Lane {
  readonly #filter: Filter
  readonly #encoder: Encoder
  readonly #sinks = new Set<Sink>()
  #pending: Message[] = []
  #lastSeq = 0

  constructor(filter: Filter, encoder: Encoder) {
    this.#filter = filter
    this.#encoder = encoder
  }

  get isEmpty(): boolean {
    return this.#sinks.size === 0
  }

  /** A sink sees what is published from now on: what already waits goes to the others first. */
  add(sink: Sink): void {
    this.flush()
    this.#sinks.add(sink)
  }

  delete(sink: Sink): void {
    this.#sinks.delete(sink)
  }

  /**
   * Takes a message if the filter lets it through. A message that several of the lane's paths match is taken once.
   * @param seq Grows with every message of the bus.
   * @returns True when it is the first to wait, so that somebody has to call `flush` at the end of the turn.
   */
  offer(message: Message, seq: number): boolean {
    if (this.#lastSeq === seq) return false
    this.#lastSeq = seq
    if (!this.#filter.matches(message)) return false
    return this.#pending.push(message) === 1
  }

  /** Hands what waits to every sink. */
  flush(): void {
    if (this.#pending.length === 0) return
    const pending = this.#pending
    this.#pending = []
    let messages: Message[] = []
    let frames: Uint8Array[] = []
    let byteCount = 0
    for (const message of pending) {
      const frame = this.#encoder.encode(message, 0)
      if (frame === null) continue
      if (frames.length > 0 && byteCount + frame.length > MAX_JOINED_BYTES) {
        this.#write(messages, frames)
        messages = []
        frames = []
        byteCount = 0
      }
      messages.push(message)
      frames.push(frame)
      byteCount += frame.length
    }
    this.#write(messages, frames)
  }

  #write(messages: readonly Message[], frames: readonly Uint8Array[]): void {
    const first = frames[0]
    if (first === undefined) return
    const bytes = frames.length === 1 ? first : Buffer.concat(frames)
    const batch: Batch = { messages, bytes, firstByteCount: first.length }
    for (const sink of this.#sinks) sink.write(batch)
  }
}
