// Brings one sink from a place in the past up to now: history page by page, at the reader's pace, without holding up
// anybody else. What happens once it has caught up is up to its owner.

import type { Filter } from '../filter.ts'
import type { Page, Store } from '../store/store.ts'
import { join } from './batches.ts'
import type { Encoder, Sink } from './sink.ts'

const PAGE_COUNT = 256

export interface ReplayOptions {
  readonly store: Store
  readonly paths: readonly string[]
  readonly filter: Filter
  readonly encoder: Encoder
  readonly sink: Sink
  readonly afterSeq: number
  /** Called once, in the moment in which the sink has everything up to the store's newest message. */
  onCaughtUp(): void
  /** Called once when history cannot be read; nothing more is written then. */
  onFault(error: unknown): void
}

export class Replay {
  readonly #options: ReplayOptions
  #seq: number
  #isOver = false

  constructor(options: ReplayOptions) {
    this.#options = options
    this.#seq = options.afterSeq
  }

  start(): void {
    this.#goOn()
  }

  close(): void {
    this.#isOver = true
  }

  readonly #goOn = (): void => {
    if (this.#isOver) return
    const { store, paths, sink } = this.#options
    if (sink.pace?.isBusy === true) {
      sink.pace.onceReady(this.#goOn)
      return
    }
    const page = store.read({ paths, afterSeq: this.#seq, maxCount: PAGE_COUNT })
    if (page instanceof Promise) page.then(this.#take, this.#fail)
    else this.#take(page)
  }

  readonly #take = (page: Page): void => {
    if (this.#isOver) return
    this.#seq = this.#send(page)
    if (this.#seq >= this.#options.store.lastSeq) {
      this.#isOver = true
      this.#options.onCaughtUp()
      return
    }
    // Everybody else has their turn between two pages.
    setImmediate(this.#goOn)
  }

  /** @returns Up to where the sink has everything now. */
  #send({ messages, seq }: Page): number {
    const { filter, encoder, sink } = this.#options
    const wanted = messages.filter(message => filter.matches(message))
    for (const batch of join(wanted, encoder)) {
      sink.write(batch)
      // The rest is read again later: a page of pictures is too much to be kept for each slow reader.
      if (sink.pace?.isBusy === true) return batch.messages.at(-1)?.seq ?? seq
    }
    return seq
  }

  readonly #fail = (error: unknown): void => {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.onFault(error)
  }
}
