// A connection that publishes in the plainest way, as most publishers do: one short request after another. It is read here
// without Node's HTTP server, at a fraction of its cost. The first request that is not plain, or does not come at once, takes the
// connection to HTTP for good, with nothing of that request done. What a publish means is decided elsewhere.

import type { Socket } from 'node:net'
import { MsgbusError } from '../errors.ts'
import { type DateLine, openingText, refusalText } from './answer-text.ts'
import { MAX_PLAIN_HEAD_BYTES, parsePlainHead, type PlainHead } from './plain-head.ts'
import { timeoutRefusal } from './refusal.ts'

/**
 * Publishes the bytes between `from` and `end`, which are copied.
 * @returns The id of the message, at once or when it is kept. What it throws has published nothing; what it rejects with may
 *   have.
 */
export type PlainPublish = (bytes: Buffer, from: number, end: number) => string | Promise<string>

export interface PlainConnectionOptions {
  /** How long it may say nothing between two requests. */
  readonly keepAliveMs: number
  /** How long it may take to go on within one. */
  readonly headersTimeoutMs: number
  /** Finds where the bodies of all requests with this head go; null for what HTTP has to look at. */
  readonly resolve: (head: PlainHead, socket: Socket) => PlainPublish | null
  /** Told why something was not published, which the client is told too. */
  readonly onRefused: (error: unknown, socket: Socket) => void
  /** Takes the connection over. What was read in vain, from `firstByte` on, is read again. The socket is paused. */
  readonly handOver: (socket: Socket, firstByte: number) => void
  /** Called once it is closed, or handed over. */
  readonly onLeave: (connection: PlainConnection) => void
}

/** A head that was read, which is very often the next one too. */
interface Head {
  /** With the empty line behind it. */
  readonly bytes: Buffer
  readonly bodyByteCount: number
  readonly publish: PlainPublish
}

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1')

// Of a request whose rest is waited for.
const MAX_REST_BYTES = 16 * 1024
const NO_BYTES = Buffer.alloc(0)

const ACCEPTED = `${openingText(204)}Msgbus-Id: `
const CLOSING = 'Connection: close\r\n\r\n'

export class PlainConnection {
  readonly #socket: Socket
  readonly #options: PlainConnectionOptions
  readonly #date: DateLine
  readonly #ending: string
  #head: Head | null = null
  #rest = NO_BYTES
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
    socket.setTimeout(options.keepAliveMs)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('timeout', this.#onTimeout)
    socket.on('drain', this.#onDrain)
    socket.on('close', this.#onClose)
    socket.resume()
  }

  /** Ends it behind the answer that it waits for, at once if there is none. */
  close(): void {
    this.#isClosing = true
    if (!this.#isBusy) this.#socket.destroy()
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
    if (this.#rest.length === 0) this.#socket.destroy()
    else this.#end(timeoutRefusal())
  }

  readonly #onDrain = (): void => {
    if (!this.#isBusy) this.#socket.resume()
  }

  readonly #onClose = (): void => {
    this.#leave()
  }

  // One write for the answers to all that came together. Behind others a request may end in the next segment without its client
  // being slow.
  #serve(bytes: Buffer, isBehindOthers = false): void {
    let answers = ''
    let at = 0
    while (at < bytes.length) {
      const head = this.#headAt(bytes, at)
      const from = at + (head?.bytes.length ?? 0)
      const end = from + (head?.bodyByteCount ?? 0)
      if (head === undefined || end > bytes.length) {
        this.#write(answers)
        this.#wait(bytes.subarray(at), isBehindOthers || at > 0)
        return
      }
      const published = head === null ? null : this.#publish(head, bytes, from, end)
      if (published === null) {
        this.#write(answers)
        this.#handOver(bytes.subarray(at))
        return
      }
      if (typeof published !== 'string') {
        this.#write(answers)
        this.#await(published, bytes.subarray(end))
        return
      }
      answers += this.#accepted(published)
      at = end
    }
    this.#write(answers)
  }

  /** @returns undefined for a head that is not whole, null for one that is not plain. */
  #headAt(bytes: Buffer, at: number): Head | null | undefined {
    const known = this.#head
    if (known !== null) {
      const end = at + known.bytes.length
      if (end <= bytes.length && bytes.compare(known.bytes, 0, known.bytes.length, at, end) === 0)
        return known
    }
    const end = bytes.indexOf(HEAD_END, at)
    const byteCount = (end < 0 ? bytes.length : end) - at
    if (byteCount > MAX_PLAIN_HEAD_BYTES) return null
    if (end < 0) return undefined
    const head = parsePlainHead(bytes.toString('latin1', at, end))
    const publish = head === null ? null : this.#options.resolve(head, this.#socket)
    if (head === null || publish === null) return null
    this.#head = { bytes: Buffer.from(bytes.subarray(at, end + HEAD_END.length)), publish, ...head }
    return this.#head
  }

  #publish({ publish }: Head, bytes: Buffer, from: number, end: number): string | Promise<string> | null {
    try {
      return publish(bytes, from, end)
    } catch {
      // Nothing is published; HTTP finds the same fault again, and says what it is.
      return null
    }
  }

  #await(published: Promise<string>, rest: Buffer): void {
    const socket = this.#socket
    this.#isBusy = true
    socket.pause()
    published.then(
      id => {
        this.#isBusy = false
        this.#write(this.#accepted(id))
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

  #accepted(id: string): string {
    return `${ACCEPTED}${id}\r\n${this.#date.text}${this.#isClosing ? CLOSING : this.#ending}`
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
    this.#socket.setTimeout(this.#options.headersTimeoutMs)
  }

  #end(text: string): void {
    this.#socket.end(text)
    // A peer that never closes its side would keep the connection.
    this.#socket.destroySoon()
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
  return new MsgbusError('MSGBUS_BODY_INCOMPLETE', 'The body ended before it was complete')
}
