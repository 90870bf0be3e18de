// Brings one sink from a place in the past up to now: history page by page, at the reader's pace, without holding up
// anybody else. What happens once it has caught up is up to its owner.

import { MsgbusError } from '../errors.ts'
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
  /** Of the place that `afterSeq` is. */
  readonly mark: number | undefined
  /** Called once, in the moment in which the sink has everything up to the store's newest message. */
  onCaughtUp(): void
  /**
   * Called once when history cannot be read, or when so much of it went while the sink was slow that nobody knows how much;
   * nothing more is written then.
   */
  onFault(error: unknown): void
}

export class Replay {
  readonly #options: ReplayOptions
  #seq: number
  #mark: number | undefined
  #isOver = false
  #isClosed = false

  constructor(options: ReplayOptions) {
    this.#options = options
    this.#seq = options.afterSeq
    this.#mark = options.mark
  }

  start(): void {
    this.#goOn()
  }

  close(): void {
    this.#isOver = true
    this.#isClosed = true
  }

  readonly #goOn = (): void => {
    if (this.#isOver) return
    const { store, paths, sink } = this.#options
    if (sink.pace?.isBusy === true) {
      sink.pace.onceReady(this.#goOn)
      return
    }
    const mark = this.#mark === undefined ? {} : { mark: this.#mark }
    try {
      const page = store.read({ paths, afterSeq: this.#seq, maxCount: PAGE_COUNT, ...mark })
      if (page instanceof Promise) page.then(this.#take).catch(this.#fail)
      else this.#take(page)
    } catch (error) {
      this.#fail(error)
    }
  }

  readonly #take = (page: Page): void => {
    if (this.#isOver) return
    this.#tellLoss(page)
    this.#mark = page.mark
    this.#seq = this.#send(page)
    if (this.#seq >= this.#options.store.lastSeq) {
      this.#isOver = true
      this.#options.onCaughtUp()
      return
    }
    // Everybody else has their turn between two pages.
    setImmediate(this.#goOn)
  }

  // What goes while a reader is slow it cannot be given any more, but it is never skipped in silence.
  #tellLoss({ lostCount }: Page): void {
    if (lostCount === null) {
      throw new MsgbusError('MSGBUS_BUSY', 'Cannot go on with history: too much of it has gone to be counted')
    }
    if (lostCount > 0) this.#options.sink.skip?.(lostCount)
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
    if (this.#isClosed) return
    this.#isOver = true
    this.#options.onFault(error)
  }
}
