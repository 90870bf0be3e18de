// Writes what several publishers hand in at the same time together, so that they share one wait for the disk. Whatever comes
// while the disk works is the next group; nobody waits for a group to grow. It knows neither disk nor messages.

import { MsgbusError } from '../../errors.ts'

/** Beyond it a group only makes its members wait longer. */
const MAX_GROUP_COUNT = 4_096
const MAX_GROUP_BYTES = 4 * 2 ** 20

/** So much may wait, since whoever publishes without looking at the answers would fill the memory of a slow disk. */
const MAX_WAITING_BYTES = 64 * 2 ** 20

interface Member<Item, Result> {
  readonly items: readonly Item[]
  readonly byteCount: number
  readonly resolve: (results: readonly Result[]) => void
  readonly reject: (error: unknown) => void
}

export class GroupCommit<Item extends { readonly byteCount: number }, Result> {
  readonly #write: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly #waiting: Member<Item, Result>[] = []
  #waitingBytes = 0
  #running: Promise<void> | null = null

  /** @param write Writes items in order, all or none, and returns one result for each. Called again only when it is through. */
  constructor(write: (items: readonly Item[]) => Promise<readonly Result[]>) {
    this.#write = write
  }

  /**
   * Has items written next to each other, all or none.
   * @throws {MsgbusError} `MSGBUS_BUSY`, or what writing throws.
   */
  add(items: readonly Item[]): Promise<readonly Result[]> {
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      throw new MsgbusError('MSGBUS_BUSY', 'Cannot publish: too much waits for the disk, try again later')
    }
    let byteCount = 0
    for (const item of items) byteCount += item.byteCount
    this.#waitingBytes += byteCount
    return new Promise((resolve, reject) => {
      this.#waiting.push({ items, byteCount, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when nothing waits any more. */
  async flush(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Whoever is told now may have the next one ready in the same turn.
      await new Promise(setImmediate)
      await this.#writeGroup(this.#takeGroup())
    }
    this.#running = null
  }

  #takeGroup(): readonly Member<Item, Result>[] {
    let count = 0
    let byteCount = 0
    const end = this.#waiting.findIndex((member, at) => {
      count += member.items.length
      byteCount += member.byteCount
      return at > 0 && (count > MAX_GROUP_COUNT || byteCount > MAX_GROUP_BYTES)
    })
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end)
  }

  async #writeGroup(group: readonly Member<Item, Result>[]): Promise<void> {
    for (const { byteCount } of group) this.#waitingBytes -= byteCount
    try {
      const all: Item[] = []
      for (const { items } of group) for (const item of items) all.push(item)
      const results = await this.#write(all)
      let start = 0
      for (const { items, resolve } of group) resolve(results.slice(start, (start += items.length)))
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }
}
