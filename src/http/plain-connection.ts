// A connection that publishes in the plainest way, as most publishers do: one short request after another. It is read here
// without Node's HTTP server, at a fraction of its cost. The first request that is not plain, or does not come at once, takes the
// connection to HTTP for good, with nothing of that request done. What a publish means is decided elsewhere.

import type { Socket } from 'node:net'
import { MsgbusError } from '../errors.ts'
import type { Draft, Message } from '../message.ts'
import { type DateLine, endingText, openingText, refusalText } from './answer-text.ts'
import type { Hold } from './intake.ts'
import type { PlainHead } from './plain-head.ts'
import { PlainRest, type Taken, type WholeRequest } from './plain-rest.ts'
import { type Head, type PlainPublisher, type PlainRoute, PlainRuns } from './plain-runs.ts'
import type { StreamConsumer } from './plain-stream.ts'

export interface PlainConnectionOptions {
  /** How long it may say nothing between two requests, or take nothing of its answers. */
  readonly keepAliveMs: number
  /** Finds what is to be done with all requests that have this head; null for what HTTP has to look at. */
  readonly resolve: (head: PlainHead, socket: Socket) => PlainRoute | null
  /** Told why something was not published, which the client is told too. */
  readonly onRefused: (error: unknown, socket: Socket) => void
  /** Makes room for a body that comes in several pieces. */
  readonly hold: () => Hold
  /** Takes the connection over. What was read in vain, from `firstByte` on, is read again. The socket is paused. */
  readonly handOver: (socket: Socket, firstByte: number) => void
  /** Given the connection for a body that is a stream, of which `first` was read. */
  readonly openStream: (socket: Socket, first: Buffer, consumer: StreamConsumer) => void
  /** Called once it is closed, or handed over. */
  readonly onLeave: (connection: PlainConnection) => void
}

// How long the rest of a request is waited for: HTTP has the deadlines for what comes slowly.
const MAX_REST_MS = 1_000

const ACCEPTED = `${openingText(204)}Msgbus-Id: `
const CLOSING = endingText(null)

export class PlainConnection {
  readonly #socket: Socket
  readonly #options: PlainConnectionOptions
  readonly #date: DateLine
  readonly #ending: string
  readonly #runs: PlainRuns
  readonly #rest: PlainRest
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
    this.#ending = endingText(options.keepAliveMs)
    this.#runs = new PlainRuns(head => options.resolve(head, socket))
    this.#rest = new PlainRest(options.hold)
    socket.setTimeout(options.keepAliveMs)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('timeout', this.#onTimeout)
    socket.on('drain', this.#onDrain)
    socket.on('close', this.#onClose)
    // A client that took none of the answers before is not read either.
    if (!socket.writableNeedDrain) socket.resume()
  }

  /** Ends it behind the answers that it waits for and the body that has begun, at once if there is neither. */
  close(): void {
    this.#isClosing = true
    if (!this.#isBusy && this.#rest.bodySinceMs === null) this.#end('')
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#rest.isEmpty) this.#serve(bytes)
    else if (this.#rest.bodySinceMs !== null) this.#fill(bytes)
    else {
      this.#socket.setTimeout(this.#options.keepAliveMs)
      this.#serve(Buffer.concat([this.#rest.takeBack(), bytes]))
    }
  }

  readonly #onEnd = (): void => {
    this.#isEnded = true
    this.#endIfDone()
  }

  readonly #onTimeout = (): void => {
    if (this.#isBusy) return
    // To a client that takes no answers nothing can be said.
    if (this.#rest.isEmpty || this.#socket.writableNeedDrain) this.#socket.destroy()
    else this.#handOver(this.#rest.takeBack())
  }

  readonly #onDrain = (): void => {
    if (this.#isBusy) return
    const rest = this.#rest.takeBack()
    this.#socket.resume()
    this.#serve(rest, true)
  }

  readonly #onClose = (): void => {
    if (this.#rest.bodySinceMs !== null) this.#options.onRefused(incomplete(), this.#socket)
    this.#leave()
  }

  // What came together is published together and answered in one write. Behind others a request may end in the next segment
  // without its client being slow.
  #serve(bytes: Buffer, isBehindOthers = false): void {
    const { publisher, drafts, end, next } = this.#runs.take(bytes)
    const rest = bytes.subarray(end)
    if (publisher !== null && !this.#carryOut(publisher, drafts, rest, () => bytes)) return
    switch (next.kind) {
      case 'other':
        this.#handOver(rest)
        return
      case 'run':
        this.#serve(rest, true)
        return
      case 'stream':
        this.#leave()
        this.#options.openStream(this.#socket, rest.subarray(next.headByteCount), next.route.consumer)
        return
      case 'unfinished':
        if (next.head !== null) this.#begin(next.head, rest)
        else if (rest.length > 0) this.#wait(rest, isBehindOthers || end > 0)
    }
  }

  /** @returns True if what comes behind is to be served now, and not later or by others. */
  #carryOut(
    publisher: PlainPublisher,
    drafts: readonly Draft[],
    rest: Buffer,
    requests: () => Buffer,
  ): boolean {
    const messages = this.#publish(publisher, drafts)
    if (messages === null) this.#handOver(requests())
    else if (messages instanceof Promise) this.#await(messages, rest)
    else this.#accept(messages)
    return messages !== null && !(messages instanceof Promise)
  }

  #begin(head: Head, rest: Buffer): void {
    if (!this.#rest.beginBody(head)) {
      this.#handOver(rest)
      return
    }
    this.#setRestTimeout()
    this.#fill(rest, head.bytes.length)
  }

  #fill(bytes: Buffer, from = 0): void {
    let taken: Taken
    try {
      taken = this.#rest.takeBody(bytes, from)
    } catch {
      // HTTP finds no room either, and says so.
      this.#handOver(Buffer.concat([this.#rest.takeBack(), bytes.subarray(from)]))
      return
    }
    if (taken.whole !== null) this.#finish(taken.whole, bytes.subarray(taken.end))
    else if (performance.now() - (this.#rest.bodySinceMs ?? 0) > MAX_REST_MS)
      this.#handOver(this.#rest.takeBack())
  }

  #finish({ publisher, draft, bytes }: WholeRequest, rest: Buffer): void {
    this.#socket.setTimeout(this.#options.keepAliveMs)
    if (!this.#carryOut(publisher, [draft], rest, () => Buffer.concat([bytes(), rest]))) return
    if (this.#isClosing) this.#end('')
    else this.#serve(rest, true)
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
    // A client that takes no answers is not read either.
    if (answers !== '' && !this.#socket.write(answers, 'latin1')) this.#socket.pause()
  }

  #wait(rest: Buffer, isBehindOthers: boolean): void {
    if (!isBehindOthers) {
      this.#handOver(rest)
      return
    }
    this.#rest.beginHead(rest)
    this.#setRestTimeout()
  }

  #setRestTimeout(): void {
    // What is not read cannot come.
    if (!this.#socket.writableNeedDrain) this.#socket.setTimeout(MAX_REST_MS)
  }

  // Nothing is read any more: behind the last answer nothing is carried out.
  #end(text: string): void {
    const socket = this.#socket
    if (socket.writableEnded) return
    this.#rest.clear()
    socket.setTimeout(this.#options.keepAliveMs)
    socket.pause()
    socket.end(text)
    // A peer that never closes its side would keep the connection.
    socket.destroySoon()
  }

  #endIfDone(): void {
    if (!this.#isEnded || this.#isBusy) return
    if (this.#rest.isEmpty) {
      this.#end('')
      return
    }
    const error = incomplete()
    this.#options.onRefused(error, this.#socket)
    this.#end(refusalText(error, this.#date))
  }

  #handOver(rest: Buffer): void {
    const socket = this.#socket
    // Behind the last word of a client HTTP answers nothing, and a server that closes waits no longer for what comes slowly.
    if (this.#isEnded || this.#isClosing) {
      this.#end('')
      return
    }
    // HTTP has no deadline for the answers before its own.
    if (socket.writableNeedDrain) {
      this.#rest.beginHead(rest)
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
    this.#rest.clear()
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
