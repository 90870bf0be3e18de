// Whether the numbers of each source come to one subscriber in order, each once. Hot path: a number that was expected
// costs one comparison.

import type { Source, Tally } from './tally.ts'

// Per source. Numbers of older gaps that come late after all count as repeated.
const MAX_GAPS = 64

interface Gap {
  readonly from: number
  /** The first number behind it. */
  readonly to: number
}

export class Sequences {
  readonly #tally: Tally
  /** The number that is expected next, by source; absent for one of which nothing has come. */
  readonly #next: number[] = []
  #gaps: Map<number, Gap[]> | null = null
  // Losses that the server has told of and that have not shown in the numbers yet. They may be of any source.
  #toldCount = 0
  #openedNs = Infinity

  constructor(tally: Tally) {
    this.#tally = tally
  }

  /** From this time on the server owes this subscriber everything: a run that began later has to begin with 0. */
  open(openedNs: number): void {
    this.#openedNs = openedNs
  }

  /** The server says that it has left out so many. */
  tellSkipped(count: number): void {
    this.#tally.skippedCount += count
    this.#toldCount += count
  }

  /** Takes the number of the next message. */
  take(source: Source, seq: number): void {
    const next = this.#next[source.index] ?? this.#first(source, seq)
    if (seq === next) {
      this.#next[source.index] = seq + 1
    } else if (seq > next) {
      this.#next[source.index] = seq + 1
      this.#lose(source, next, seq)
    } else {
      this.#takeLate(source, seq)
    }
  }

  /** Takes a number out of a message that is damaged: it counts only if it is the one that was expected. */
  takeDamaged(source: Source, seq: number): void {
    if (this.#next[source.index] === seq) this.#next[source.index] = seq + 1
  }

  #first({ isOfThisClock, runNs }: Source, seq: number): number {
    return isOfThisClock && runNs > this.#openedNs ? 0 : seq
  }

  #lose(source: Source, from: number, to: number): void {
    const told = Math.min(this.#toldCount, to - from)
    this.#toldCount -= told
    this.#tally.lostCount += to - from - told
    if (told > 0) return
    this.#gaps ??= new Map<number, Gap[]>()
    const gaps = this.#gaps.get(source.index) ?? []
    gaps.push({ from, to })
    if (gaps.length > MAX_GAPS) gaps.shift()
    this.#gaps.set(source.index, gaps)
  }

  #takeLate(source: Source, seq: number): void {
    const gaps = this.#gaps?.get(source.index) ?? []
    const at = gaps.findIndex(({ from, to }) => from <= seq && seq < to)
    const gap = gaps[at]
    if (gap === undefined) {
      this.#tally.repeatedCount++
      return
    }
    this.#tally.lostCount--
    this.#tally.reorderedCount++
    const rest = [
      { from: gap.from, to: seq },
      { from: seq + 1, to: gap.to },
    ].filter(({ from, to }) => from < to)
    gaps.splice(at, 1, ...rest)
  }
}
