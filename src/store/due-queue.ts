// Which of many things is due first: a binary heap that knows where each of them stands, so that one can be moved or taken
// out. It has no clock.

interface Entry<Item> {
  readonly item: Item
  dueMs: number
  index: number
}

/** Things, each once, by when they are due, in milliseconds since 1970. */
export class DueQueue<Item> {
  readonly #entries: Entry<Item>[] = []
  readonly #entryOf = new Map<Item, Entry<Item>>()

  get length(): number {
    return this.#entries.length
  }

  /** When the first one is due, `Infinity` if there is none. */
  get firstMs(): number {
    return this.#entries[0]?.dueMs ?? Infinity
  }

  get first(): Item | undefined {
    return this.#entries[0]?.item
  }

  /** Puts it in, or says anew when it is due. */
  set(item: Item, dueMs: number): void {
    const known = this.#entryOf.get(item)
    const entry = known ?? { item, dueMs, index: this.#entries.length }
    entry.dueMs = dueMs
    if (known === undefined) this.#entryOf.set(item, entry)
    this.#settle(entry)
  }

  /** Says that the first one is due later than it was. */
  putOffFirst(dueMs: number): void {
    const [entry] = this.#entries
    if (entry === undefined) return
    entry.dueMs = dueMs
    this.#sink(entry)
  }

  /** Takes it out, if it is there. */
  delete(item: Item): void {
    const entry = this.#entryOf.get(item)
    if (entry === undefined) return
    this.#entryOf.delete(item)
    const last = this.#entries.pop()
    if (last === undefined || last === entry) return
    last.index = entry.index
    this.#settle(last)
  }

  clear(): void {
    this.#entries.length = 0
    this.#entryOf.clear()
  }

  #settle(entry: Entry<Item>): void {
    this.#rise(entry)
    this.#sink(entry)
  }

  // Up past those that are due later.
  #rise(entry: Entry<Item>): void {
    let { index } = entry
    while (index > 0) {
      const parent = this.#entries[(index - 1) >> 1]
      if (parent === undefined || parent.dueMs <= entry.dueMs) break
      const freed = parent.index
      this.#entries[index] = parent
      parent.index = index
      index = freed
    }
    this.#entries[index] = entry
    entry.index = index
  }

  // Down past those that are due earlier.
  #sink(entry: Entry<Item>): void {
    const entries = this.#entries
    let { index } = entry
    for (;;) {
      const left = entries[2 * index + 1]
      if (left === undefined) break
      const right = entries[2 * index + 2]
      const child = right !== undefined && right.dueMs < left.dueMs ? right : left
      if (child.dueMs >= entry.dueMs) break
      const freed = child.index
      entries[index] = child
      child.index = index
      index = freed
    }
    entries[index] = entry
    entry.index = index
  }
}
