// One reader of a benchmark: what it gets, and whether it is right. Its bytes are compared with those of the first reader of its
// channel to have them, which is cheap enough for millions of deliveries. A reader whose bytes differ, because something was lost
// on its way, is taken apart by itself from there on.

import type { Course, Mark, Place } from './course.ts'
import type { Tally } from './tally.ts'

export class Reader {
  readonly #course: Course
  readonly #tally: Tally
  readonly #place: Place
  #own: Buffer | null = null
  /** Number of the last message it has, -1 before any. */
  lastNumber = -1
  onMessage: (() => void) | null = null

  constructor(course: Course, tally: Tally) {
    this.#course = course
    this.#tally = tally
    this.#place = course.join()
  }

  /** Takes what arrived; what comes before the first message of all is left out, as it may differ from reader to reader. */
  take(bytes: Buffer): void {
    this.#tally.byteCount += bytes.length
    if (this.#own !== null) {
      this.#takeOwn(bytes)
      return
    }
    const { offset } = this.#place
    const start = offset === 0 ? bytes.indexOf('#') : 0
    if (start < 0) return
    const taken = start === 0 ? bytes : bytes.subarray(start)
    const known = this.#course.bytesFrom(offset)
    const sharedCount = Math.min(taken.length, known.length)
    if (known.compare(taken, 0, sharedCount, 0, sharedCount) !== 0) {
      this.#part(taken)
      return
    }
    if (sharedCount < taken.length) this.#course.extend(taken.subarray(sharedCount))
    this.#note(this.#course.advance(this.#place, taken.length))
  }

  // From its last whole message on.
  #part(taken: Buffer): void {
    const start = this.#course.lastEnd(this.#place)
    this.#own = Buffer.from(this.#course.bytesFrom(start).subarray(0, this.#place.offset - start))
    this.#course.leave(this.#place)
    this.#takeOwn(taken)
  }

  #takeOwn(bytes: Buffer): void {
    const all = Buffer.concat([this.#own ?? Buffer.alloc(0), bytes])
    const { marks, faultCount } = this.#course.scanner.scan(all, 0, this.lastNumber)
    this.#tally.faultCount += faultCount
    this.#own = all.subarray(marks.at(-1)?.end ?? 0)
    this.#note(marks)
  }

  // Those that were sent at once and came at once are one entry: in a flood, most of what the load does would be to write times
  // down.
  #note(marks: readonly Mark[]): void {
    const last = marks.at(-1)
    if (last === undefined) return
    const nowMs = performance.now()
    let sentMs = NaN
    let count = 0
    for (const { number } of marks) {
      const ms = this.#course.sentMs[number] ?? NaN
      if (ms !== sentMs) {
        this.#tally.record(nowMs - sentMs, count)
        sentMs = ms
        count = 0
      }
      count++
    }
    this.#tally.record(nowMs - sentMs, count)
    this.lastNumber = last.number
    this.onMessage?.()
  }
}
