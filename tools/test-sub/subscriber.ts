// One subscriber: a connection, the request for a stream, and what reads and checks it. Thousands of them share a
// process and a buffer, so that each is small.

import type { Socket } from 'node:net'
import { nowNs } from '../clock.ts'
import { connectionFault, openConnection } from '../connection.ts'
import { RunError } from '../run-error.ts'
import type { Target } from '../target.ts'
import { MessageCheck } from './message-check.ts'
import { StreamReader } from './stream-reader.ts'
import type { Tally } from './tally.ts'

export interface SubscriberOptions {
  readonly target: Target
  /** Path of the stream. */
  readonly path: string
  /** The channel that is behind the path, or null if there may be several. */
  readonly channel: string | null
  /** It stops when it has so many messages. */
  readonly maxCount: number
  readonly tally: Tally
  /** Shared by all. */
  readonly buffer: Buffer
}

export interface SubscriberEvents {
  /** The stream has begun: from now on each message must come. */
  onOpen(): void
  /** Called once. `complete` if all that was wanted has come, `ended` if the server ended the stream in good order. */
  onOver(reason: 'complete' | 'ended' | RunError): void
}

export class Subscriber {
  readonly #options: SubscriberOptions
  readonly #events: SubscriberEvents
  readonly #check: MessageCheck
  readonly #reader: StreamReader
  readonly #socket: Socket
  #isOver = false

  /** Begins to connect. */
  constructor(options: SubscriberOptions, events: SubscriberEvents) {
    const { target, tally, channel, buffer } = options
    this.#options = options
    this.#events = events
    this.#check = new MessageCheck(tally, channel)
    this.#reader = new StreamReader(this.#check, () => {
      this.#check.sequences.open(nowNs())
      events.onOpen()
    })
    this.#socket = openConnection(target, buffer, {
      onOpen: () => {
        const request = `GET ${options.path} HTTP/1.1\r\n${target.headerLines}\r\n`
        this.#socket.write(request, 'latin1')
      },
      onBytes: byteCount => {
        this.#read(byteCount)
      },
      onClose: error => {
        this.#close(error)
      },
    })
  }

  /** How many messages have come. */
  get messageCount(): number {
    return this.#check.messageCount
  }

  /** Leaves. Nothing is told of it. */
  close(): void {
    this.#isOver = true
    this.#socket.destroy()
  }

  #read(byteCount: number): void {
    if (this.#isOver) return
    try {
      this.#check.arrivedNs = nowNs()
      this.#reader.push(this.#options.buffer, byteCount)
      if (this.#check.messageCount >= this.#options.maxCount) this.#finish('complete')
      else if (this.#reader.isEnded) this.#finish('ended')
    } catch (error) {
      this.#fail(error)
    }
  }

  #close(error: Error | null): void {
    if (this.#isOver) return
    if (error !== null) {
      this.#finish(connectionFault('read from', this.#options.target, error))
      return
    }
    try {
      this.#reader.close()
      this.#finish('ended')
    } catch (fault) {
      this.#fail(fault)
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof RunError)) throw error
    const { target, path } = this.#options
    this.#finish(new RunError(`Cannot read "${target.origin}${path}": ${error.message}`, { cause: error }))
  }

  #finish(reason: 'complete' | 'ended' | RunError): void {
    this.close()
    this.#events.onOver(reason)
  }
}
