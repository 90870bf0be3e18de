// What is sent to one channel, and what its readers have in common: the bytes that the first of them got, with the messages in them.
// It keeps what some reader has still to take, and knows nothing of the server's protocol: a message is found by how its body
// begins.

import { NUMBER_BYTES } from './stencil.ts'
import type { Tally } from './tally.ts'

/** A message: its number, and where its body ends. */
export interface Mark {
  readonly number: number
  readonly end: number
}

/** How far a reader has come: bytes, and messages whose bodies are whole. */
export interface Place {
  offset: number
  markCount: number
}

/** Finds messages in bytes. */
class Scanner {
  readonly #bodyBytes: number
  readonly #filling: Buffer

  constructor(bodyBytes: number) {
    this.#bodyBytes = bodyBytes
    this.#filling = Buffer.alloc(bodyBytes - NUMBER_BYTES, '.')
  }

  /**
   * The whole messages at or behind `from`, and how many of them are not what was sent.
   * @param lastNumber Of the message before: a number that is no greater is a fault.
   */
  scan(bytes: Buffer, from: number, lastNumber: number): { marks: Mark[]; faultCount: number } {
    const marks: Mark[] = []
    let faultCount = 0
    let last: Mark = { number: lastNumber, end: from }
    for (let found = this.#next(bytes, from); found !== null; found = this.#next(bytes, last.end)) {
      if (found.isFaulty || found.number <= last.number) faultCount++
      marks.push(found)
      last = found
    }
    return { marks, faultCount }
  }

  #next(bytes: Buffer, from: number): (Mark & { isFaulty: boolean }) | null {
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

export class Course {
  readonly scanner: Scanner
  readonly sentMs: number[] = []
  readonly #places = new Set<Place>()
  #bytes = Buffer.allocUnsafe(64 * 1024)
  #length = 0
  #scanned = 0
  // Offset of the first byte that is kept.
  #base = 0
  #marks: Mark[] = []
  #forgottenCount = 0
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

  /** Begins with the first byte, which has to be there. */
  join(): Place {
    if (this.#base > 0) throw new RangeError('Cannot join: its first bytes are forgotten')
    const place = { offset: 0, markCount: 0 }
    this.#places.add(place)
    return place
  }

  leave(place: Place): void {
    this.#places.delete(place)
  }

  /** The bytes from an offset on. */
  bytesFrom(offset: number): Buffer {
    return this.#bytes.subarray(offset - this.#base, this.#length)
  }

  /** Where the last whole message before a place ends. */
  lastEnd({ markCount }: Place): number {
    return this.#marks[markCount - 1 - this.#forgottenCount]?.end ?? 0
  }

  /** The messages that are whole with so many bytes more. Moves the place behind them. */
  advance(place: Place, byteCount: number): Mark[] {
    place.offset += byteCount
    const first = place.markCount - this.#forgottenCount
    let end = first
    while ((this.#marks[end]?.end ?? Infinity) <= place.offset) end++
    place.markCount += end - first
    return this.#marks.slice(first, end)
  }

  extend(bytes: Buffer): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length)
    bytes.copy(this.#bytes, this.#length)
    this.#length += bytes.length
    const lastNumber = this.#marks.at(-1)?.number ?? -1
    const { marks, faultCount } = this.scanner.scan(this.bytesFrom(this.#base), this.#scanned, lastNumber)
    this.#tally.faultCount += faultCount
    this.#scanned = marks.at(-1)?.end ?? this.#scanned
    for (const { number, end } of marks) this.#marks.push({ number, end: this.#base + end })
  }

  #makeRoom(byteCount: number): void {
    this.#forget()
    const capacity = (this.#length + byteCount) * 2
    if (capacity <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(capacity)
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }

  // The last message of the slowest reader stays: if it parts from the others, it goes on behind that.
  #forget(): void {
    let markCount = Infinity
    for (const place of this.#places) markCount = Math.min(markCount, place.markCount)
    const count = markCount - 1 - this.#forgottenCount
    const last = this.#marks[count]
    if (last === undefined) return
    const cut = last.end - this.#base
    this.#bytes.copyWithin(0, cut, this.#length)
    this.#length -= cut
    this.#scanned -= cut
    this.#base = last.end
    this.#marks = this.#marks.slice(count)
    this.#forgottenCount += count
  }
}
