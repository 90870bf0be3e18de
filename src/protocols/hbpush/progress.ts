// How far a subscriber has got in what is kept, and what it is to be told about what is gone.

import { formatResume } from '../../cursor.ts'
import type { Page, Place } from '../../store/store.ts'

export class Progress {
  #seq: number
  #mark: number
  #missedCount: number
  #isReset: boolean

  constructor({ seq, mark, missedCount, isReset }: Place) {
    this.#seq = seq
    this.#mark = mark
    this.#missedCount = missedCount
    this.#isReset = isReset
  }

  /** It has seen everything up to here. */
  get seq(): number {
    return this.#seq
  }

  /** The store's note of that place. */
  get mark(): number {
    return this.#mark
  }

  /** Goes on behind a page. */
  pass({ seq, mark, lostCount }: Page): void {
    this.#seq = seq
    this.#mark = mark
    if (lostCount === null) this.#isReset = true
    else this.noteLost(lostCount)
  }

  noteLost(count: number): void {
    this.#missedCount += count
  }

  /** The headers of an answer, and whether something is missing before it. */
  withResume(headers: readonly string[]): readonly string[] {
    const outcome = formatResume({ missedCount: this.#missedCount, isReset: this.#isReset })
    return outcome === 'ok' ? headers : [...headers, 'Msgbus-Resume', outcome]
  }
}
