// A store that answers later, as one does that asks a file or another server: the one in memory, with every answer a turn
// of the event loop old but for readers that have caught up. Not a test.

import type { Draft, Message } from '../../src/message.ts'
import type { MemoryStore } from '../../src/store/memory.ts'
import type {
  Awaitable,
  ChannelRecord,
  Page,
  PageRequest,
  Place,
  Start,
  Store,
} from '../../src/store/store.ts'

export class LaterStore implements Store {
  readonly #store: MemoryStore
  /** Thrown by the next calls of `read` as long as it is set. */
  fault: Error | null = null

  constructor(store: MemoryStore) {
    this.#store = store
  }

  get supports() {
    return this.#store.supports
  }

  get epoch(): string {
    return this.#store.epoch
  }

  get lastSeq(): number {
    return this.#store.lastSeq
  }

  follow(onMessage: (message: Message) => void): void {
    this.#store.follow(onMessage)
  }

  async append(drafts: readonly Draft[]): Promise<readonly Message[]> {
    await turn()
    return this.#store.append(drafts)
  }

  async locate(paths: readonly string[], start: Start): Promise<Place> {
    const place = this.#store.locate(paths, start)
    await turn()
    return place
  }

  read(request: PageRequest): Awaitable<Page> {
    return request.afterSeq >= this.lastSeq && this.fault === null
      ? this.#store.read(request)
      : this.#readLater(request)
  }

  async #readLater(request: PageRequest): Promise<Page> {
    const page = this.#store.read(request)
    await turn()
    if (this.fault !== null) throw this.fault
    return page
  }

  async channels(): Promise<Iterable<ChannelRecord>> {
    await turn()
    return this.#store.channels()
  }

  async close(): Promise<void> {
    await turn()
    this.#store.close()
  }
}

function turn(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}
