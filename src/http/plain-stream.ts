// One endless body of a plain publish, from behind its head to its answer: a camera, a log, a bridge from another bus. Reads it from
// its connection without Node's HTTP server, and then gives the connection back. What the body means is its consumer's business.

import type { Socket } from 'node:net'
import { acceptedText, type DateLine, refusalText } from './answer-text.ts'
import { ChunkedBody } from './chunked-body.ts'
import { bodyIncomplete, type BodyWatch, type Consumer, type Hold, type Progress } from './intake.ts'

/** Takes a body in, and says in the end what became of it. */
export interface StreamConsumer extends Consumer {
  readonly heldByteCount: number
  progress(): Progress | null
  ready(): Promise<void> | null
  /**
   * Called when the body arrived whole.
   * @returns Headers of the answer, name and value in turn.
   */
  end(): Promise<readonly string[]>
  /** What a peer is to be told of an error, which may have had something before it. */
  explain(error: unknown): unknown
}

export interface PlainStreamOptions {
  /** For the connection behind it. */
  readonly keepAliveMs: number
  /** Looks after the body until it is let go of, see {@link BodyWatch}. */
  readonly watch: BodyWatch
  /** Makes room for what is not published yet. */
  readonly hold: () => Hold
  /** Told why it was not carried out, or not all of it. */
  readonly onRefused: (error: unknown, socket: Socket) => void
  /** Given the connection behind the answer, paused and without listeners of this side. What was not read of it is put back. */
  readonly giveBack: (socket: Socket) => void
  /** Called once it is over. */
  readonly onLeave: (stream: PlainStream) => void
}

export class PlainStream {
  readonly #socket: Socket
  readonly #consumer: StreamConsumer
  readonly #date: DateLine
  readonly #options: PlainStreamOptions
  readonly #body = new ChunkedBody()
  readonly #hold: Hold
  #unwatch: (() => void) | null = null
  #isClosing = false
  #isOver = false

  constructor(socket: Socket, consumer: StreamConsumer, date: DateLine, options: PlainStreamOptions) {
    this.#socket = socket
    this.#consumer = consumer
    this.#date = date
    this.#options = options
    this.#hold = options.hold()
    socket.setTimeout(0)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
  }

  /**
   * Begins. It may be over at once.
   * @param first What was read behind the head.
   */
  read(first: Buffer): void {
    const consumer = this.#consumer
    try {
      this.#unwatch = this.#options.watch({
        isEndless: true,
        progress: () => consumer.progress(),
        fail: this.#fail,
      })
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#socket.resume()
    if (first.length > 0) this.#onData(first)
  }

  /** The answer will be the last one. Whoever looks after bodies ends those that are not whole. */
  close(): void {
    this.#isClosing = true
  }

  readonly #onData = (bytes: Buffer): void => {
    let end: number
    try {
      const taken = this.#body.take(bytes)
      end = taken.end
      this.#consumer.onBytes(bytes.subarray(0, taken.byteCount))
      this.#hold.set(this.#consumer.heldByteCount)
      this.#body.check()
    } catch (error) {
      this.#fail(error)
      return
    }
    if (this.#body.isComplete) this.#finish(bytes.subarray(end))
    else this.#awaitReady(this.#consumer.ready())
  }

  #awaitReady(isReady: Promise<void> | null): void {
    if (isReady === null) return
    this.#socket.pause()
    isReady.then(() => {
      if (!this.#isOver) this.#socket.resume()
    }, this.#fail)
  }

  readonly #onEnd = (): void => {
    this.#fail(bodyIncomplete())
  }

  #finish(rest: Buffer): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('close', this.#onEnd)
    socket.pause()
    this.#release()
    this.#consumer.end().then(headers => {
      this.#accept(headers, rest)
    }, this.#fail)
  }

  #accept(headers: readonly string[], rest: Buffer): void {
    const socket = this.#socket
    const answer = acceptedText(headers, this.#date, this.#isClosing ? null : this.#options.keepAliveMs)
    this.#leave()
    if (this.#isClosing || socket.readableEnded || socket.destroyed) {
      this.#endWith(answer)
      return
    }
    socket.write(answer, 'latin1')
    if (rest.length > 0) socket.unshift(rest)
    this.#options.giveBack(socket)
  }

  readonly #fail = (error: unknown): void => {
    if (this.#isOver) return
    this.#release()
    this.#leave()
    const explained = this.#consumer.explain(error)
    this.#options.onRefused(explained, this.#socket)
    this.#endWith(refusalText(explained, this.#date))
  }

  // What comes until the answer is out is read and forgotten.
  #endWith(answer: string): void {
    const socket = this.#socket
    if (socket.destroyed) return
    socket.resume()
    // A peer that takes no answer, or never closes its side, would keep the connection.
    socket.setTimeout(this.#options.keepAliveMs, () => {
      socket.destroy()
    })
    socket.end(answer)
    socket.destroySoon()
  }

  #release(): void {
    this.#unwatch?.()
    this.#unwatch = null
    this.#hold.set(0)
  }

  #leave(): void {
    const socket = this.#socket
    this.#isOver = true
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('close', this.#onEnd)
    this.#options.onLeave(this)
  }
}
