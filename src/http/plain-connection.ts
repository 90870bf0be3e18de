// A connection that publishes in the plainest way, as most publishers do: one short request after another. It is read here
// without Node's HTTP server, at a fraction of its cost. The first request that is not plain, or does not come at once, takes the
// connection to HTTP for good, with nothing of that request done. What a publish means is decided elsewhere.

import type { Socket } from 'node:net'
import { MsgbusError } from '../errors.ts'
import type { Draft, Message } from '../message.ts'
import { type DateLine, openingText, refusalText } from './answer-text.ts'
import type { PlainHead } from './plain-head.ts'
import { type PlainPublisher, type PlainRoute, PlainRuns } from './plain-runs.ts'

export interface PlainConnectionOptions {
  /** How long it may say nothing between two requests, or take nothing of its answers. */
  readonly keepAliveMs: number
  /** Finds what is to be done with all requests that have this head; null for what HTTP has to look at. */
  readonly resolve: (head: PlainHead, socket: Socket) => PlainRoute | null
  /** Told why something was not published, which the client is told too. */
  readonly onRefused: (error: unknown, socket: Socket) => void
  /** Takes the connection over. What was read in vain, from `firstByte` on, is read again. The socket is paused. */
  readonly handOver: (socket: Socket, firstByte: number) => void
  /** Called once it is closed, or handed over. */
  readonly onLeave: (connection: PlainConnection) => void
}

// Of a request whose rest is waited for, and for how long: HTTP has the deadlines for what comes slowly.
const MAX_REST_BYTES = 16 * 1024
const MAX_REST_MS = 1_000
const NO_BYTES = Buffer.alloc(0)

const ACCEPTED = `${openingText(204)}Msgbus-Id: `
const CLOSING = 'Connection: close\r\n\r\n'

export class PlainConnection {
  readonly #socket: Socket
  readonly #options: PlainConnectionOptions
  readonly #date: DateLine
  readonly #ending: string
  readonly #runs: PlainRuns
  #rest: Buffer = NO_BYTES
  /** True while a message is being kept. */
  #isBusy = false
  #isClosing = false
  /** True when the client has sent its last. */
  #isEnded = false

  /** @param socket Paused. What was put back into it is read first. */
  constructor(socket: Socket, date: DateLine, options: PlainConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#date = date
    this.#ending = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(options.keepAliveMs / 1000)}\r\n\r\n`
    this.#runs = new PlainRuns(head => options.resolve(head, socket))
    socket.setTimeout(options.keepAliveMs)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('timeout', this.#onTimeout)
    socket.on('drain', this.#onDrain)
    socket.on('close', this.#onClose)
    socket.resume()
  }

  /** Ends it behind the answers that it waits for, at once if there are none. */
  close(): void {
    this.#isClosing = true
    if (!this.#isBusy) this.#end('')
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#rest.length === 0) {
      this.#serve(bytes)
      return
    }
    const all = Buffer.concat([this.#rest, bytes])
    this.#rest = NO_BYTES
    this.#socket.setTimeout(this.#options.keepAliveMs)
    this.#serve(all)
  }

  readonly #onEnd = (): void => {
    this.#isEnded = true
    this.#endIfDone()
  }

  readonly #onTimeout = (): void => {
    if (this.#isBusy) return
    // To a client that takes no answers nothing can be said.
    if (this.#rest.length === 0 || this.#socket.writableNeedDrain) this.#socket.destroy()
    else this.#handOver(this.#rest)
  }

  readonly #onDrain = (): void => {
    if (this.#isBusy) return
    const rest = this.#rest
    this.#rest = NO_BYTES
    this.#socket.resume()
    this.#serve(rest, true)
  }

  readonly #onClose = (): void => {
    this.#leave()
  }

  // What came together is published together and answered in one write. Behind others a request may end in the next segment
  // without its client being slow.
  #serve(bytes: Buffer, isBehindOthers = false): void {
    const { publisher, drafts, end, next } = this.#runs.take(bytes)
    const messages = publisher === null ? [] : this.#publish(publisher, drafts)
    if (messages === null) {
      this.#handOver(bytes)
      return
    }
    const rest = bytes.subarray(end)
    if (messages instanceof Promise) {
      this.#await(messages, rest)
      return
    }
    this.#accept(messages)
    if (next === 'other') this.#handOver(rest)
    else if (next === 'plain') this.#serve(rest, true)
    else if (rest.length > 0) this.#wait(rest, isBehindOthers || end > 0)
  }

  #publish(
    publisher: PlainPublisher,
    drafts: readonly Draft[],
  ): readonly Message[] | Promise<readonly Message[]> | null {
    try {
      return publisher.publishAll(drafts, this.#socket)
    } catch {
      // Nothing is published. HTTP takes one after the other, finds the same fault again, and says what it is.
      return null
    }
  }

  #await(kept: Promise<readonly Message[]>, rest: Buffer): void {
    const socket = this.#socket
    this.#isBusy = true
    socket.pause()
    kept.then(
      messages => {
        this.#isBusy = false
        this.#accept(messages)
        if (this.#isClosing) this.#end('')
        else if (!socket.destroyed) {
          if (!socket.writableNeedDrain) socket.resume()
          this.#serve(rest, true)
          this.#endIfDone()
        }
      },
      (error: unknown) => {
        this.#isBusy = false
        this.#options.onRefused(error, socket)
        this.#end(refusalText(error, this.#date))
      },
    )
  }

  #accept(messages: readonly Message[]): void {
    let answers = ''
    const last = this.#isClosing ? messages.at(-1) : undefined
    const dateLine = this.#date.text
    for (const message of messages) {
      answers += `${ACCEPTED}${message.id}\r\n${dateLine}${message === last ? CLOSING : this.#ending}`
    }
    this.#write(answers)
  }

  #write(answers: string): void {
    // A client that takes no answers is not read either.
    if (answers !== '' && !this.#socket.write(answers, 'latin1')) this.#socket.pause()
  }

  #wait(rest: Buffer, isBehindOthers: boolean): void {
    if (!isBehindOthers || rest.length > MAX_REST_BYTES) {
      this.#handOver(rest)
      return
    }
    // Not the 64 KiB that it came with.
    this.#rest = Buffer.from(rest)
    // What is not read cannot come.
    if (!this.#socket.writableNeedDrain) this.#socket.setTimeout(MAX_REST_MS)
  }

  // Nothing is read any more: behind the last answer nothing is carried out.
  #end(text: string): void {
    const socket = this.#socket
    if (socket.writableEnded) return
    this.#rest = NO_BYTES
    socket.setTimeout(this.#options.keepAliveMs)
    socket.pause()
    socket.end(text)
    // A peer that never closes its side would keep the connection.
    socket.destroySoon()
  }

  #endIfDone(): void {
    if (!this.#isEnded || this.#isBusy) return
    this.#end(this.#rest.length === 0 ? '' : refusalText(incomplete(), this.#date))
  }

  #handOver(rest: Buffer): void {
    const socket = this.#socket
    // Behind the last word of a client HTTP answers nothing.
    if (this.#isEnded) {
      this.#end('')
      return
    }
    // HTTP has no deadline for the answers before its own.
    if (socket.writableNeedDrain) {
      this.#rest = rest
      return
    }
    this.#leave()
    socket.setTimeout(0)
    socket.pause()
    socket.unshift(rest)
    this.#options.handOver(socket, rest[0] ?? 0)
  }

  #leave(): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('timeout', this.#onTimeout)
    socket.off('drain', this.#onDrain)
    socket.off('close', this.#onClose)
    this.#options.onLeave(this)
  }
}

function incomplete(): MsgbusError {
  return new MsgbusError('MSGBUS_BODY_INCOMPLETE', 'The request ended before it was complete')
}
