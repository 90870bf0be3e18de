// What all subscribers of a run got together, and what it proves: counts of messages and of everything that must not
// happen to them, and how long they took.

import { clockId, NS_PER_S } from '../clock.ts'
import { Latency } from '../latency.ts'
import { readSource, type StampSource } from '../stamp.ts'

/** A sequence of stamped messages, as all subscribers of a run know it. */
export interface Source extends StampSource {
  /** Place in the lists of the subscribers. */
  readonly index: number
  /** True when its times are those of this machine's clock. */
  readonly isOfThisClock: boolean
}

export class Tally {
  readonly latency = new Latency()
  /** All messages, and the bytes of their bodies. */
  messageCount = 0
  byteCount = 0
  /** Messages without a stamp: nothing is known of their order or their bytes. */
  foreignCount = 0
  /** Numbers that were left out, and that nobody told of. */
  lostCount = 0
  /** What the server said that it left out. */
  skippedCount = 0
  repeatedCount = 0
  /** Messages that came behind a later one. */
  reorderedCount = 0
  /** Messages whose bytes are not those that were sent. */
  corruptedCount = 0
  /** Messages of one channel that came on another. */
  misroutedCount = 0
  firstNs = 0
  lastNs = 0
  readonly #clock = clockId()
  readonly #sources = new Map<string, Source>()

  /** The source with this key, if anybody met it before. */
  knownSource(key: string): Source | undefined {
    return this.#sources.get(key)
  }

  /** The source that a stamp names. */
  source(key: string): Source {
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    const stamped = readSource(key)
    const source = { ...stamped, index: this.#sources.size, isOfThisClock: stamped.clock === this.#clock }
    this.#sources.set(key, source)
    return source
  }

  /** Counts a message, whatever it is. */
  count(byteCount: number, arrivedNs: number): void {
    if (this.messageCount === 0) this.firstNs = arrivedNs
    this.lastNs = arrivedNs
    this.messageCount++
    this.byteCount += byteCount
  }

  /** Messages per second between the first and the last one; null where that is no time at all. */
  get perSecond(): number | null {
    const seconds = (this.lastNs - this.firstNs) / NS_PER_S
    return seconds > 0 ? (this.messageCount - 1) / seconds : null
  }
}
