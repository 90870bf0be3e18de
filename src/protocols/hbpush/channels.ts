// Which channels of a bus exist for hbpush, and which of their messages. A channel exists if it has a message, whoever
// published it, or was made here; to delete it is to publish a tombstone, behind which it begins anew. What is in the store
// is the truth; here is remembered only what would be slow to find again.

import type { Bus } from '../../bus/bus.ts'
import type { Message } from '../../message.ts'
import type { Awaitable, Notes } from '../../store/store.ts'
import { RecentMap } from './recent-map.ts'

/** Type of the message that hides all before it on its channel. */
const TOMBSTONE_TYPE = 'application/vnd.msgbus.deleted'

const MAX_CREATED = 100_000
const MAX_SEARCHED = 10_000
const PAGE_COUNT = 256

const NO_BYTES = new Uint8Array(0)

/** How far the messages of a channel were searched for tombstones. */
interface Search {
  deletedSeq: number
  searchedSeq: number
  running: Promise<void> | null
}

export class Channels {
  readonly #bus: Bus
  // Where the bus was then: a tombstone behind that place ends it, whoever published it.
  readonly #createdSeqs: Notes
  readonly #searches = new RecentMap<string, Search>(MAX_SEARCHED)

  constructor(bus: Bus) {
    this.#bus = bus
    // Whoever serves the same store has to know them, too.
    this.#createdSeqs = bus.notes ?? new RecentMap<string, number>(MAX_CREATED)
  }

  /**
   * Makes a channel exist, for as long as this server lasts and does not have too many of them.
   * @param seq Of the message that makes it; by default it is made without one.
   */
  create(name: string, seq = this.#bus.position.seq): Awaitable<void> {
    return this.#createdSeqs.set(name, seq)
  }

  /** Waits until this process has heard of everything that others of the same server have acknowledged. */
  async catchUp(name: string): Promise<void> {
    await this.#bus.locate(matcherOf(name), { kind: 'now' })
  }

  /** Number of the newest tombstone up to now, 0 for none. Nothing up to there is to be seen. */
  async deletedSeq(name: string): Promise<number> {
    const search = this.#searches.get(name) ?? this.#beginSearch(name)
    if (search.searchedSeq < this.#bus.position.seq) {
      // Many who come back at once share one search.
      search.running ??= this.#search(name, search).finally(() => {
        search.running = null
      })
      await search.running
    }
    return search.deletedSeq
  }

  #beginSearch(name: string): Search {
    const search = { deletedSeq: 0, searchedSeq: 0, running: null }
    this.#searches.set(name, search)
    return search
  }

  async #search(name: string, search: Search): Promise<void> {
    while (search.searchedSeq < this.#bus.position.seq) {
      const { messages, seq } = await this.#bus.read(matcherOf(name), {
        afterSeq: search.searchedSeq,
        maxCount: PAGE_COUNT,
      })
      search.deletedSeq = messages.findLast(isTombstone)?.seq ?? search.deletedSeq
      search.searchedSeq = seq
    }
  }

  /** @param deletedSeq As {@link deletedSeq} has told. */
  async exists(name: string, deletedSeq: number): Promise<boolean> {
    if (((await this.#createdSeqs.get(name)) ?? -1) >= deletedSeq) return true
    const { messages } = await this.#bus.read(matcherOf(name), { afterSeq: deletedSeq, maxCount: 1 })
    return messages.some(message => !isTombstone(message))
  }

  /** The newest message that is to be seen. */
  async newest(name: string, deletedSeq: number): Promise<Message | null> {
    const { seq } = await this.#bus.locate(matcherOf(name), { kind: 'last', count: 1 })
    const afterSeq = Math.max(seq, deletedSeq)
    const { messages } = await this.#bus.read(matcherOf(name), { afterSeq, maxCount: 1 })
    return messages.find(message => !isTombstone(message)) ?? null
  }

  /** Hides all that is there. */
  async delete(name: string, sender: string | null): Promise<void> {
    await this.#bus.publish({ channel: name, type: TOMBSTONE_TYPE, sender, body: NO_BYTES })
  }
}

/** True for a message that says that its channel was deleted. */
export function isTombstone({ type }: Message): boolean {
  return type === TOMBSTONE_TYPE
}

function matcherOf(name: string) {
  return { paths: [name], isWide: false }
}
