// What is remembered of messages that are gone: their places, so that it can be told exactly what a reader missed. It does not
// decide what is forgotten.

import { later, type Moment } from '../cursor.ts'
import { firstPlace } from './search.ts'

/** A message that is not kept any more. */
export interface Gone extends Moment {
  readonly seq: number
  /** How many messages of the store had gone when it was gone too. */
  readonly mark: number
}

/** One that is changed in place. */
export type Writable<Value> = { -readonly [Name in keyof Value]: Value[Name] }

/** Before everything. */
export const NOT_GONE: Gone = { seq: 0, mark: 0, second: 0, ordinal: -1 }

/** What is known of both: the later place, which is gone since the later mark. */
export function laterGone(one: Gone, other: Gone): Gone {
  return {
    ...later(one, other),
    seq: Math.max(one.seq, other.seq),
    mark: Math.max(one.mark, other.mark),
  }
}

const NUMBER_COUNT = 4
const MIN_CAPACITY = 4

/**
 * Messages of one channel in the order in which they went, first in, first out. Numbers in a ring: thousands of objects that
 * each live for thousands of messages are what a collector takes most of its time for.
 */
export class GoneRow {
  // As many times NUMBER_COUNT as there is room for.
  #numbers: number[] = []
  #capacity = 0
  #start = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The one that went last. */
  get last(): Gone | undefined {
    return this.#length === 0 ? undefined : this.#at(this.#length - 1)
  }

  push(seq: number, mark: number, second: number, ordinal: number): void {
    if (this.#length === this.#capacity) this.#grow()
    const place = this.#placeOf(this.#length++)
    this.#numbers[place] = seq
    this.#numbers[place + 1] = mark
    this.#numbers[place + 2] = second
    this.#numbers[place + 3] = ordinal
  }

  /** Takes out the one that went first and writes it over `gone`, which stays as it is if there is none. */
  shiftTo(gone: Writable<Gone>): void {
    if (this.#length === 0) return
    const numbers = this.#numbers
    const place = this.#placeOf(0)
    gone.seq = numbers[place] as number
    gone.mark = numbers[place + 1] as number
    gone.second = numbers[place + 2] as number
    gone.ordinal = numbers[place + 3] as number
    this.#start = (this.#start + 1) % this.#capacity
    this.#length--
  }

  /** How many there are from the first one on that is so. Takes for granted that all behind it are so too. */
  countFrom(isSo: (gone: Gone) => boolean): number {
    return this.#length - firstPlace(0, this.#length, index => isSo(this.#at(index)))
  }

  #at(index: number): Gone {
    const numbers = this.#numbers
    const place = this.#placeOf(index)
    return {
      seq: numbers[place] as number,
      mark: numbers[place + 1] as number,
      second: numbers[place + 2] as number,
      ordinal: numbers[place + 3] as number,
    }
  }

  #placeOf(index: number): number {
    return ((this.#start + index) % this.#capacity) * NUMBER_COUNT
  }

  // It is full: what stands before the start comes behind the rest.
  #grow(): void {
    const cut = this.#start * NUMBER_COUNT
    const capacity = Math.max(this.#capacity * 2, MIN_CAPACITY)
    const room = new Array<number>((capacity - this.#capacity) * NUMBER_COUNT).fill(0)
    this.#numbers = this.#numbers.slice(cut).concat(this.#numbers.slice(0, cut), room)
    this.#capacity = capacity
    this.#start = 0
  }
}
