// Subscribers that wait for a message: each is a sink of its own on the bus, in one lane with all that wait on the same
// channels, and is answered once. What they are answered with is made once for all of them. Hot path: no promise, timer or
// log line per message per waiter.

import type { Bus, Subscription } from '../../bus/bus.ts'
import type { Batch, Encoder, Sink } from '../../bus/sink.ts'
import { MsgbusError } from '../../errors.ts'
import { Filter } from '../../filter.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Matcher } from '../../matcher.ts'
import type { Message } from '../../message.ts'
import type { Start } from '../../store/store.ts'
import { answerError, deletedChannel } from './answers.ts'
import { isTombstone } from './channels.ts'
import type { Progress } from './progress.ts'
import { headersOf, isWanted } from './validators.ts'

const EVERYTHING = new Filter()
const NO_BYTES = new Uint8Array(0)

// An answer is a message as it is, and has nothing to do with the bytes of a batch.
const ENCODER: Encoder = { encode: () => NO_BYTES }

export interface Wait {
  readonly matcher: Matcher
  readonly start: Start
  /** Whether the request names its channels one by one. */
  readonly isWide: boolean
  readonly progress: Progress
}

export interface WaitersOptions {
  readonly bus: Bus
  /** Aborted when nobody may wait any more. */
  readonly closing: AbortSignal
  /** Subscribers that wait on a channel at other processes of this server. */
  readonly countElsewhere: (channel: string) => number
}

export class Waiters {
  readonly #bus: Bus
  readonly #closing: AbortSignal
  readonly #countElsewhere: (channel: string) => number
  readonly #waiters = new Set<Waiter>()
  readonly #counts = new Map<string, number>()
  readonly #answered = new WeakSet<Message>()
  #encoded: {
    readonly message: Message
    readonly isWide: boolean
    readonly headers: readonly string[]
  } | null = null

  constructor({ bus, closing, countElsewhere }: WaitersOptions) {
    this.#bus = bus
    this.#closing = closing
    this.#countElsewhere = countElsewhere
    closing.addEventListener('abort', () => {
      for (const waiter of this.#waiters) waiter.refuse(closed())
    })
  }

  /** Subscribers that wait in this process, by channel. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** Subscribers that wait on this channel, in whichever process. */
  count(channel: string): number {
    return this.#countHere(channel) + this.#countElsewhere(channel)
  }

  #countHere(channel: string): number {
    return this.#counts.get(channel) ?? 0
  }

  /**
   * Whether some waiter was answered with this message, once its turn of the event loop is over; of other processes, whether
   * somebody waited there when it was last told.
   */
  wereWaiting(message: Message): boolean {
    return this.#answered.has(message) || this.#countElsewhere(message.channel) > 0
  }

  /** Answers with the first message that is wanted, as soon as it is there; with 410 if a channel is deleted before. */
  add(exchange: Exchange, wait: Wait): void {
    const { res } = exchange
    if (res.destroyed) return
    const { matcher, progress } = wait
    const waiter = new Waiter(exchange, wait, this)
    this.#waiters.add(waiter)
    for (const path of matcher.paths) this.#counts.set(path, this.#countHere(path) + 1)
    // What a client sends behind a GET must not hide that it goes away.
    exchange.req.resume()
    waiter.begin(
      this.#bus.subscribe({
        ...{ matcher, filter: EVERYTHING, encoder: ENCODER, sink: waiter },
        ...{ afterSeq: progress.seq, mark: progress.mark },
        onFault: waiter.fail,
      }),
    )
    if (this.#closing.aborted) waiter.refuse(closed())
  }

  /** Takes note that one of them waits no more. */
  delete(waiter: Waiter, { paths }: Matcher): void {
    this.#waiters.delete(waiter)
    for (const path of paths) {
      const count = this.#countHere(path) - 1
      if (count > 0) this.#counts.set(path, count)
      else this.#counts.delete(path)
    }
  }

  /** Headers of a message, made once for all who get it. */
  headersOf(message: Message, isWide: boolean): readonly string[] {
    if (this.#encoded?.message === message && this.#encoded.isWide === isWide) return this.#encoded.headers
    const headers = headersOf(message, isWide)
    this.#encoded = { message, isWide, headers }
    return headers
  }

  noteAnswered(message: Message): void {
    this.#answered.add(message)
  }
}

class Waiter implements Sink {
  readonly #exchange: Exchange
  readonly #wait: Wait
  readonly #waiters: Waiters
  #subscription: Subscription | null = null
  #isOver = false

  constructor(exchange: Exchange, wait: Wait, waiters: Waiters) {
    this.#exchange = exchange
    this.#wait = wait
    this.#waiters = waiters
    exchange.res.once('close', this.#leave)
  }

  /** @param subscription What it is fed by; it may have been fed, and answered, already. */
  begin(subscription: Subscription): void {
    this.#subscription = subscription
    if (this.#isOver) subscription.close()
  }

  write({ messages }: Batch): void {
    const { start, isWide, progress } = this.#wait
    for (const message of messages) {
      if (this.#isOver) return
      if (isTombstone(message)) {
        this.refuse(deletedChannel())
      } else if (isWanted(message, start)) {
        this.#leave()
        this.#waiters.noteAnswered(message)
        const headers = this.#waiters.headersOf(message, isWide)
        this.#exchange.send(200, progress.withResume(headers), message.body)
      }
    }
  }

  skip(count: number): void {
    this.#wait.progress.noteLost(count)
  }

  refuse(error: MsgbusError): void {
    if (this.#isOver) return
    this.#leave()
    // Whoever is sent away because of the end must not come back on this connection.
    if (error.code === 'MSGBUS_CLOSED') this.#exchange.refuse(error)
    else answerError(this.#exchange, error)
  }

  readonly fail = (error: unknown): void => {
    if (this.#isOver) return
    this.#leave()
    this.#exchange.refuse(error)
  }

  readonly #leave = (): void => {
    if (this.#isOver) return
    this.#isOver = true
    this.#exchange.res.off('close', this.#leave)
    this.#subscription?.close()
    this.#waiters.delete(this, this.#wait.matcher)
  }
}

function closed(): MsgbusError {
  return new MsgbusError('MSGBUS_CLOSED', 'The server is shutting down')
}
