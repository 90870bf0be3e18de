// Adds up what all readers of a benchmark got. It does not look at bytes.

import { Latency } from '../../tools/latency.ts'

const NS_PER_MS = 1e6

export class Tally {
  latency = new Latency()
  deliveredCount = 0
  /** Messages out of order, twice, or with another byte. */
  faultCount = 0
  byteCount = 0

  /** Counts messages that were all under way for so long. */
  record(tookMs: number, count: number): void {
    if (count === 0) return
    this.deliveredCount += count
    this.latency.record(tookMs * NS_PER_MS, count)
  }

  reset(): void {
    this.latency = new Latency()
    this.deliveredCount = 0
    this.faultCount = 0
    this.byteCount = 0
  }
}
