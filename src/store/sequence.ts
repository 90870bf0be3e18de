// All messages that are kept, whatever their channel, in the order of their numbers. What is taken out of the middle is let go of at
// once and leaves a hole; when holes are half of it, it is written anew without them. Constant time on average, or that of a
// search by number. It decides nothing about what is to go.

import { firstPlace } from './search.ts'
import type { KeptMessage } from './store.ts'

const MIN_HOLES = 32

export class Sequence<Kept extends KeptMessage> {
  #messages: (Kept | undefined)[] = []
  // Of every place, holes too, so that places can be searched for.
  #seqs: number[] = []
  // No message is before it.
  #start = 0
  #holeCount = 0

  /** One more than the last place. */
  get end(): number {
    return this.#messages.length
  }

  get first(): Kept | undefined {
    return this.#messages[this.#start]
  }

  /** The message at a place, undefined for a hole. */
  at(place: number): Kept | undefined {
    return this.#messages[place]
  }

  /** Number of the message that is at a place, or was. */
  seqAt(place: number): number {
    return this.#seqs[place] ?? Infinity
  }

  /** @param message Its number is greater than all before. */
  push(message: Kept): void {
    this.#messages.push(message)
    this.#seqs.push(message.seq)
  }

  /** Takes a message out, if it is there. */
  remove(seq: number): void {
    const place = this.#seqs[this.#start] === seq ? this.#start : this.placeAfter(seq - 1)
    if (this.#seqs[place] !== seq || this.#messages[place] === undefined) return
    this.#messages[place] = undefined
    this.#holeCount++
    while (this.#start < this.end && this.#messages[this.#start] === undefined) this.#start++
    if (this.#holeCount > MIN_HOLES && this.#holeCount * 2 > this.end) this.#close()
  }

  /** The first place behind a number; `end` if there is none. */
  placeAfter(seq: number): number {
    return firstPlace(this.#start, this.end, place => this.seqAt(place) > seq)
  }

  /**
   * The first message of this time or later. Takes for granted that times do not fall, which is best effort over
   * several channels.
   */
  firstFrom(timeMs: number): Kept | undefined {
    let low = this.#start
    let high = this.end
    while (low < high) {
      const middle = (low + high) >>> 1
      let place = middle
      while (place < high && this.#messages[place] === undefined) place++
      const message = place < high ? this.#messages[place] : undefined
      if (message === undefined || message.time >= timeMs) high = middle
      else low = place + 1
    }
    while (low < this.end && this.#messages[low] === undefined) low++
    return this.#messages[low]
  }

  clear(): void {
    this.#messages = []
    this.#seqs = []
    this.#start = 0
    this.#holeCount = 0
  }

  #close(): void {
    let place = 0
    for (let from = this.#start; from < this.end; from++) {
      const message = this.#messages[from]
      if (message === undefined) continue
      this.#messages[place] = message
      this.#seqs[place++] = this.seqAt(from)
    }
    this.#messages.length = place
    this.#seqs.length = place
    this.#start = 0
    this.#holeCount = 0
  }
}
