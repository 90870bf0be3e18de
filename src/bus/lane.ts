// Everybody who sees the same bytes: the sinks of all subscriptions with one matcher, one filter and one encoder.
// A lane encodes a message once and joins what arrives within a turn of the event loop, so that a flood costs each
// reader one write per turn. Hot path: nothing here allocates, awaits or logs per message per sink.

import type { Message } from '../message.ts'
import type { Filter } from '../filter.ts'
import { join } from './batches.ts'
import type { Encoder, Sink } from './sink.ts'

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

  get sinkCount(): number {
    return this.#sinks.size
  }

  /** The sink gets what is flushed from now on. */
  add(sink: Sink): void {
    this.#sinks.add(sink)
  }

  delete(sink: Sink): void {
    this.#sinks.delete(sink)
  }

  /**
   * Takes a message if the filter lets it through. A message that several of the lane's paths match is taken once.
   * @returns True when it is the first to wait, so that somebody has to call `flush` at the end of the turn.
   */
  offer(message: Message): boolean {
    if (this.#lastSeq === message.seq) return false
    this.#lastSeq = message.seq
    if (!this.#filter.matches(message)) return false
    return this.#pending.push(message) === 1
  }

  /** Hands what waits to every sink. */
  flush(): void {
    if (this.#pending.length === 0) return
    const pending = this.#pending
    this.#pending = []
    for (const batch of join(pending, this.#encoder)) {
      for (const sink of this.#sinks) sink.write(batch)
    }
  }
}
