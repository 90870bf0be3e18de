// A count that only grows, and how fast it did in the last minute.

/** Snapshots that a graph shows. */
export const GRAPH_LENGTH = 60

// A rate of one second jumps too much to be read.
const RATE_LENGTH = 5

export class Series {
  /** Growth per second, oldest first; at most {@link GRAPH_LENGTH} of them. */
  readonly values: number[] = []
  #count: number

  /** @param count What it begins with, which counts as no growth. */
  constructor(count: number) {
    this.#count = count
  }

  get count(): number {
    return this.#count
  }

  /** Takes the next count. One that is lower is of a server that began anew. */
  add(count: number, elapsedSeconds: number): void {
    const growth = count >= this.#count ? count - this.#count : count
    this.#count = count
    this.values.push(growth / elapsedSeconds)
    if (this.values.length > GRAPH_LENGTH) this.values.shift()
  }

  /** Per second, over the last seconds. */
  get rate(): number {
    const last = this.values.slice(-RATE_LENGTH)
    return last.length === 0 ? 0 : last.reduce((sum, value) => sum + value, 0) / last.length
  }
}
