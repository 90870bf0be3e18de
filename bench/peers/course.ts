// What the readers of one channel get, and whether it is right. The bytes of the first reader to get them are taken apart and
// kept; all others are compared with them, which is cheap enough for millions of deliveries. A reader whose bytes differ,
// because something was lost on its way, is taken apart by itself from there on. It knows nothing of the server's protocol: a
// message is found by how its body begins.

import { Latency } from '../../tools/latency.ts'
import { NUMBER_BYTES } from './stencil.ts'

const NS_PER_MS = 1e6

/** Adds up what all readers got. */
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

/** Finds messages in bytes. */
class Scanner {
  readonly #bodyBytes: number
  readonly #filling: Buffer

  constructor(bodyBytes: number) {
    this.#bodyBytes = bodyBytes
    this.#filling = Buffer.alloc(bodyBytes - NUMBER_BYTES, '.')
  }

  /** The first whole message at or behind `from`; `isFaulty` if its body is not what was sent. */
  next(bytes: Buffer, from: number): { number: number; end: number; isFaulty: boolean } | null {
    for (let at = bytes.indexOf('#', from); at >= 0; at = bytes.indexOf('#', at + 1)) {
      const end = at + this.#bodyBytes
      if (end > bytes.length) return null
      const digits = bytes.toString('latin1', at + 1, at + NUMBER_BYTES)
      if (!/^\d{15}$/.test(digits)) continue
      const isFaulty = bytes.compare(this.#filling, 0, this.#filling.length, at + NUMBER_BYTES, end) !== 0
      return { number: Number(digits), end, isFaulty }
    }
    return null
  }
}

interface Mark {
  readonly number: number
  readonly end: number
}

/** One channel: what is sent to it, and what its readers have in common. */
export class Course {
  readonly scanner: Scanner
  readonly sentMs: number[] = []
  /** Of each message of the common bytes: its number, and where its body ends. */
  readonly marks: Mark[] = []
  #bytes = Buffer.allocUnsafe(64 * 1024)
  #length = 0
  #scanned = 0
  readonly #tally: Tally

  constructor(bodyBytes: number, tally: Tally) {
    this.scanner = new Scanner(bodyBytes)
    this.#tally = tally
  }

  /**
   * Says that the next message goes out.
   * @param nowMs The same for all that go out at once.
   */
  sends(nowMs: number): number {
    return this.sentMs.push(nowMs) - 1
  }

  /** Number of the message that was sent last, -1 before any. */
  get lastNumber(): number {
    return this.sentMs.length - 1
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  extend(bytes: Buffer): void {
    const length = this.#length + bytes.length
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, this.#length)
      this.#bytes = grown
    }
    bytes.copy(this.#bytes, this.#length)
    this.#length = length
    for (let found = this.scanner.next(this.bytes, this.#scanned); found !== null;) {
      if (found.isFaulty || found.number <= (this.marks.at(-1)?.number ?? -1)) this.#tally.faultCount++
      this.marks.push(found)
      this.#scanned = found.end
      found = this.scanner.next(this.bytes, this.#scanned)
    }
  }
}

/** One reader of a course. */
export class Reader {
  readonly #course: Course
  readonly #tally: Tally
  #offset = 0
  #markAt = 0
  #own: Buffer | null = null
  /** Number of the last message it has, -1 before any. */
  lastNumber = -1
  onMessage: (() => void) | null = null

  constructor(course: Course, tally: Tally) {
    this.#course = course
    this.#tally = tally
  }

  /** Takes what arrived; what comes before the first message of all is left out, as it may differ from reader to reader. */
  take(bytes: Buffer): void {
    this.#tally.byteCount += bytes.length
    if (this.#own !== null) {
      this.#takeOwn(bytes)
      return
    }
    const start = this.#offset === 0 ? bytes.indexOf('#') : 0
    if (start < 0) return
    const taken = start === 0 ? bytes : bytes.subarray(start)
    const known = this.#course.bytes
    const shared = Math.min(taken.length, known.length - this.#offset)
    if (known.compare(taken, 0, shared, this.#offset, this.#offset + shared) !== 0) {
      this.#part(taken)
      return
    }
    if (shared < taken.length) this.#course.extend(taken.subarray(shared))
    this.#offset += taken.length
    const { marks } = this.#course
    const first = this.#markAt
    while ((marks[this.#markAt]?.end ?? Infinity) <= this.#offset) this.#markAt++
    this.#note(marks.slice(first, this.#markAt))
  }

  // From its last whole message on.
  #part(taken: Buffer): void {
    const start = this.#course.marks[this.#markAt - 1]?.end ?? 0
    this.#own = Buffer.from(this.#course.bytes.subarray(start, this.#offset))
    this.#takeOwn(taken)
  }

  #takeOwn(bytes: Buffer): void {
    const all = Buffer.concat([this.#own ?? Buffer.alloc(0), bytes])
    const marks: Mark[] = []
    let last: Mark = { number: this.lastNumber, end: 0 }
    for (let found = this.#course.scanner.next(all, 0); found !== null;) {
      if (found.isFaulty || found.number <= last.number) this.#tally.faultCount++
      marks.push(found)
      last = found
      found = this.#course.scanner.next(all, last.end)
    }
    this.#own = all.subarray(last.end)
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
