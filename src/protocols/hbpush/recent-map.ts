// A map that forgets what was asked for longest ago when there is too much in it.

export class RecentMap<Key, Value> {
  readonly #maxCount: number
  readonly #values = new Map<Key, Value>()

  constructor(maxCount: number) {
    this.#maxCount = maxCount
  }

  get(key: Key): Value | undefined {
    const value = this.#values.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  set(key: Key, value: Value): void {
    this.#values.delete(key)
    this.#values.set(key, value)
    if (this.#values.size <= this.#maxCount) return
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest)
      return
    }
  }
}
