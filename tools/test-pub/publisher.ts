// One publisher: a connection, and the loop that sends each message when it is due and there is room for it.

import type { Socket } from 'node:net'
import { nowNs } from '../clock.ts'
import { connectionFault, openConnection } from '../connection.ts'
import { RunError } from '../run-error.ts'
import type { Target } from '../target.ts'
import type { Composer } from './composer.ts'
import type { Pacer } from './pacer.ts'
import type { Tally } from './tally.ts'
import type { Way } from './way.ts'

const BATCH_BYTES = 64 * 1024

export interface PublisherOptions {
  readonly target: Target
  /** Path that is published to, for errors. */
  readonly path: string
  readonly timeoutMs: number
  readonly tally: Tally
  /** Shared by all. */
  readonly buffer: Buffer
  wayOf(socket: Socket): Way
}

/** What one publisher has to send. */
export interface Task {
  readonly composer: Composer
  readonly pacer: Pacer
  /** Messages to send; Infinity to go on until `stop`. */
  readonly count: number
}

export class Publisher {
  readonly #options: PublisherOptions
  readonly #socket: Socket
  readonly #way: Way
  readonly #watch: NodeJS.Timeout
  #task: Task | null = null
  #sentCount = 0
  #isStopped = false
  #isFinished = false
  #isOver = false
  #fault: RunError | null = null
  #timer: NodeJS.Timeout | undefined
  #onNews: () => void = () => undefined

  /** Begins to connect. */
  constructor(options: PublisherOptions) {
    const { target, buffer, timeoutMs } = options
    this.#options = options
    this.#socket = openConnection(target, buffer, {
      onOpen: () => {
        this.#attempt(() => {
          this.#way.open()
        })
      },
      onBytes: byteCount => {
        this.#attempt(() => {
          this.#way.read(buffer.toString('latin1', 0, byteCount), nowNs())
        })
      },
      onClose: error => {
        this.#fail(
          error === null
            ? this.#faultOf('the server closed the connection')
            : connectionFault('publish to', target, error),
        )
      },
    })
    this.#socket.on('drain', () => {
      this.#attempt(() => undefined)
    })
    this.#way = options.wayOf(this.#socket)
    this.#watch = setTimeout(() => {
      this.#checkWaiting()
    }, timeoutMs)
  }

  get way(): Way {
    return this.#way
  }

  /**
   * Resolves when messages can be sent.
   * @throws {RunError} if they cannot.
   */
  async open(): Promise<void> {
    await this.#until(() => this.#way.room() > 0 && !this.#socket.connecting)
  }

  /**
   * Sends messages, and resolves when all are answered.
   * @throws {RunError} if the connection breaks or the server does not go on.
   */
  async run(task: Task): Promise<void> {
    this.#task = task
    this.#pump()
    await this.#until(() => this.#isFinished && !this.#way.isWaiting)
    this.close()
  }

  /** Sends no more. What was sent is still waited for. */
  stop(): void {
    this.#isStopped = true
    this.#pump()
    this.#onNews()
  }

  /** Leaves at once. */
  close(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    clearTimeout(this.#watch)
    this.#socket.destroy()
  }

  #attempt(act: () => void): void {
    if (this.#isOver) return
    try {
      act()
      this.#watch.refresh()
      this.#pump()
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      this.#fail(this.#faultOf(error.message))
    }
    this.#onNews()
  }

  #pump(): void {
    if (this.#task === null || this.#isOver || this.#isFinished) return
    clearTimeout(this.#timer)
    const { pacer, count } = this.#task
    for (;;) {
      const leftCount = this.#isStopped ? 0 : count - this.#sentCount
      if (leftCount === 0) {
        this.#finish()
        return
      }
      const now = nowNs()
      const dueCount = pacer.dueCount(now) - this.#sentCount
      if (dueCount <= 0) {
        this.#timer = setTimeout(
          () => {
            this.#pump()
          },
          pacer.waitMs(this.#sentCount, now),
        )
        return
      }
      const sendCount = Math.min(leftCount, dueCount, this.#way.room())
      // An answer, or a drained connection, makes room.
      if (sendCount <= 0) return
      this.#send(this.#task, sendCount, now)
    }
  }

  #send({ composer, pacer }: Task, maxCount: number, now: number): void {
    const { maxMessageBytes } = composer
    const count = Math.min(maxCount, Math.max(1, Math.floor(BATCH_BYTES / maxMessageBytes)))
    const bytes = Buffer.allocUnsafe(count * maxMessageBytes)
    let end = 0
    for (let sent = 0; sent < count; sent++) {
      const number = this.#sentCount++
      end = composer.write(bytes, end, number, pacer.sendingNs(number, now))
    }
    if (!this.#way.isWaiting) this.#watch.refresh()
    this.#options.tally.countSent(count, now)
    this.#way.write(bytes.subarray(0, end), count, now)
  }

  #finish(): void {
    this.#isFinished = true
    this.#watch.refresh()
    this.#way.finish()
  }

  #checkWaiting(): void {
    if (this.#way.isWaiting || this.#socket.connecting) {
      this.#fail(this.#faultOf(`no answer within ${this.#options.timeoutMs / 1000} s`))
    } else {
      this.#watch.refresh()
    }
  }

  #faultOf(reason: string): RunError {
    const { target, path } = this.#options
    return new RunError(`Cannot publish to "${target.origin}${path}": ${reason}`)
  }

  #fail(fault: RunError): void {
    if (this.#isOver) return
    this.#fault = fault
    this.close()
    this.#onNews()
  }

  async #until(isTrue: () => boolean): Promise<void> {
    for (;;) {
      if (this.#fault !== null) throw this.#fault
      if (isTrue() || this.#isOver) return
      await new Promise<void>(resolve => {
        this.#onNews = resolve
      })
    }
  }
}
