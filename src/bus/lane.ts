// Everybody who sees the same bytes: the sinks of all subscriptions with one matcher, one filter and one encoder.
// A lane encodes a message once and joins what arrives within a turn of the event loop, so that a flood costs each
// reader one write per turn. Hot path: nothing here allocates, awaits or logs per message per sink.

import type { Message } from '../message.ts'
import type { Filter } from '../filter.ts'
import { join } from './batches.ts'
import type { Borrower, Encoder, Outlet, Sink } from './sink.ts'

export class Lane implements Borrower {
  readonly #filter: Filter
  readonly #encoder: Encoder
  // Each sink is in one of these two.
  readonly #sinks = new Set<Sink>()
  readonly #lenders = new Map<Outlet, Sink>()
  // Still among the sinks: one that lends its outlet while it is written to must not be written to twice.
  readonly #newLenders = new Map<Outlet, Sink>()
  #pending: Message[] = []
  #lastSeq = 0

  constructor(filter: Filter, encoder: Encoder) {
    this.#filter = filter
    this.#encoder = encoder
  }

  get sinkCount(): number {
    return this.#sinks.size + this.#lenders.size
  }

  /** The sink gets what is flushed from now on. */
  add(sink: Sink): void {
    this.#sinks.add(sink)
    sink.attach?.(this)
  }

  /** The sink gets nothing any more. */
  delete(sink: Sink): void {
    // Takes back what it has lent.
    sink.detach?.()
    this.#sinks.delete(sink)
  }

  lend(sink: Sink, outlet: Outlet): void {
    this.#newLenders.set(outlet, sink)
  }

  withdraw(sink: Sink, outlet: Outlet): void {
    this.#newLenders.delete(outlet)
    this.#lenders.delete(outlet)
    this.#sinks.add(sink)
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
    this.#takeLenders()
    for (const batch of join(pending, this.#encoder)) {
      // First, because whoever is full after the bytes of this batch withdraws its outlet and is among them then.
      for (const sink of this.#sinks) sink.write(batch)
      for (const outlet of this.#lenders.keys()) {
        if (!outlet.write(batch.bytes)) this.#lenders.get(outlet)?.onFull?.()
      }
    }
  }

  #takeLenders(): void {
    if (this.#newLenders.size === 0) return
    for (const [outlet, sink] of this.#newLenders) {
      this.#sinks.delete(sink)
      this.#lenders.set(outlet, sink)
    }
    this.#newLenders.clear()
  }
}
