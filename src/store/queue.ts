// First in, first out, with look-ups in between. An array with a moving start: constant time on average, no links.

import { firstPlace } from './search.ts'

export class Queue<Item> {
  #items: (Item | undefined)[] = []
  #start = 0

  get length(): number {
    return this.#items.length - this.#start
  }

  /** The item at an index from the front. */
  at(index: number): Item | undefined {
    return this.#items[this.#start + index]
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#start]
    // It may be large, and it may take long until the array is cut.
    this.#items[this.#start++] = undefined
    // Half of the array is over: moving the rest costs no more than all the shifting did.
    if (this.#start > 32 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start)
      this.#start = 0
    }
    return item
  }

  /**
   * Index of the first item that is so, `length` if none is. Takes for granted that all items behind the first one that
   * is so are so too.
   */
  search(isSo: (item: Item) => boolean): number {
    return firstPlace(0, this.length, index => {
      const item = this.at(index)
      return item !== undefined && isSo(item)
    })
  }

  /** Lets go of all items that are not so. */
  keepOnly(isSo: (item: Item) => boolean): void {
    this.#items = this.#items.filter(item => item !== undefined && isSo(item))
    this.#start = 0
  }
}
