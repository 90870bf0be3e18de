// A histogram of times, in microseconds, and what it comes to in milliseconds.

import { build, type Histogram } from 'hdr-histogram-js'

const NS_PER_US = 1_000
const MAX_US = 3_600_000_000

/** Milliseconds. */
export interface LatencySummary {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export class Latency {
  // The JavaScript build: it needs no start, and the other is not faster by what a message costs.
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_US,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 64,
    useWebAssembly: false,
  })
  #maxUs = 0

  /** Adds a time, `count` times; what is longer than an hour counts as one. */
  record(ns: number, count = 1): void {
    const us = Math.min(MAX_US, Math.max(1, Math.round(ns / NS_PER_US)))
    if (us > this.#maxUs) this.#maxUs = us
    this.#histogram.recordValueWithCount(us, count)
  }

  /** Null if nothing was recorded. */
  summary(): LatencySummary | null {
    if (this.#maxUs === 0) return null
    // A percentile is the upper end of its bucket.
    const at = (percentile: number): number =>
      Math.min(this.#histogram.getValueAtPercentile(percentile), this.#maxUs) / 1000
    return { p50: at(50), p99: at(99), p999: at(99.9), max: this.#maxUs / 1000 }
  }
}
