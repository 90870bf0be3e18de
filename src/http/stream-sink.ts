// Writes batches to one subscriber's socket, and decides what a slow reader loses. What waits is bounded in bytes; the
// publisher and the other readers never notice. Hot path: `write` neither allocates nor awaits while the reader keeps
// up. It knows no protocol: notices and repeats are asked of the encoder and the stream's form.

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Batch, Borrower, Encoder, Pace, Sink } from '../bus/sink.ts'
import type { Log } from '../log.ts'
import type { Message } from '../message.ts'
import { assembleText } from './chunk.ts'

/**
 * What a reader that falls behind by the backlog bound loses: `drop` the newest messages, until it has caught up some;
 * `latest` everything but the newest, from the first moment it lags; `close` its connection.
 */
export type SlowPolicy = 'drop' | 'latest' | 'close'

export const SLOW_POLICIES: readonly SlowPolicy[] = ['drop', 'latest', 'close']

export interface StreamSinkOptions {
  readonly socket: Socket
  readonly slow: SlowPolicy
  /** Encodes anew what follows a loss, with the notice of it. */
  readonly encoder: Encoder
  /** What keeps an idle reader alive after `count` others in a row, or null for nothing. */
  readonly ping: (count: number) => string | null
  /** True when the last message is sent again instead of a ping. */
  readonly repeatsLast: boolean
  readonly isChunked: boolean
  readonly host: SinkHost
}

/** What all sinks of a server share. */
export interface SinkHost {
  /** Bytes that may wait for a reader before `slow` decides. One batch more may be taken. */
  readonly maxBacklogBytes: number
  /** A reader that takes no byte for this long, while some wait, is cut off. Counts from when the wait is noticed. */
  readonly writeTimeoutMs: number
  /** Told when a reader is cut off. */
  readonly log: Log
}

const EMPTY = new Uint8Array(0)

// A socket takes so much without a word (Node 20: 16 KiB).
const MAX_UNNOTICED_BYTES = 64 * 1024

export class StreamSink implements Sink, Pace {
  readonly #socket: Socket
  readonly #options: StreamSinkOptions
  #borrower: Borrower | null = null
  // While whatever comes is just written, and the socket says when that was too much.
  #hasLent = false
  #isLagging = false
  #skippedCount = 0
  #latest: Message | null = null
  #last: Message | null = null
  #pingCount = 0
  #bytesAtBeat = 0
  #hasPinged = false
  #isCutOff = false

  constructor(options: StreamSinkOptions) {
    this.#socket = options.socket
    this.#options = options
  }

  attach(borrower: Borrower): void {
    this.#borrower = borrower
    this.#settle()
  }

  detach(): void {
    this.#takeBack()
    this.#borrower = null
  }

  get pace(): Pace {
    return this
  }

  get isBusy(): boolean {
    return this.#socket.writableNeedDrain
  }

  onceReady(callback: () => void): void {
    this.#socket.once('drain', callback)
  }

  skip(count: number): void {
    this.#skippedCount += count
    this.#takeBack()
  }

  write(batch: Batch): void {
    if (this.#socket.writableLength !== 0 && !this.#takes(batch)) return
    this.#put(this.#skippedCount === 0 ? batch.bytes : this.#withNotice(batch))
    if (this.#options.repeatsLast) this.#last = batch.messages.at(-1) ?? null
    this.#settle()
  }

  // Only what the socket takes for more than it should hold is looked after at once. The rest may be under way already
  // (over TLS it always is), and is met by the next message or beat.
  onFull(): void {
    if (this.#socket.writableLength !== 0) this.#watch()
  }

  #settle(): void {
    const { slow, repeatsLast, host } = this.#options
    const isSimple = slow !== 'latest' && !repeatsLast && host.maxBacklogBytes >= MAX_UNNOTICED_BYTES
    if (this.#hasLent || this.#borrower === null || !isSimple) return
    if (this.#isLagging || this.#skippedCount > 0) return
    this.#hasLent = true
    this.#borrower.lend(this, this.#socket)
  }

  #takeBack(): void {
    if (!this.#hasLent) return
    this.#hasLent = false
    this.#borrower?.withdraw(this, this.#socket)
  }

  /**
   * Called twice per heartbeat period: writes something if nothing was written for at least half of it, and then not
   * again before a whole one is over.
   */
  beat(): void {
    const { bytesWritten, writableLength } = this.#socket
    if (writableLength > 0) {
      this.#watch()
      return
    }
    const isActive = bytesWritten !== this.#bytesAtBeat
    const hasPinged = this.#hasPinged
    this.#bytesAtBeat = bytesWritten
    this.#hasPinged = false
    if (isActive) this.#pingCount = 0
    if (isActive || hasPinged) return
    const bytes = this.#options.repeatsLast ? this.#lastBytes() : this.#pingBytes()
    if (bytes === null) return
    this.#put(bytes)
    this.#hasPinged = true
    this.#bytesAtBeat = this.#socket.bytesWritten
  }

  #pingBytes(): Uint8Array | null {
    const { ping, isChunked } = this.#options
    const text = ping(++this.#pingCount)
    return text === null ? null : assembleText(text, isChunked)
  }

  // Encoded anew: a batch may hold older messages before it, which an idle reader must not be shown again.
  #lastBytes(): Uint8Array | null {
    return this.#last === null ? null : this.#options.encoder.encode(this.#last, 0)
  }

  /** Ends the connection at once: what this reader is to get next cannot be had. */
  abandon(): void {
    this.#isCutOff = true
    resetConnection(this.#socket)
  }

  /** The socket had no activity for a while: the end of a reader that takes nothing although something waits. */
  cutOffIdle(): void {
    if (this.#isLagging) this.#cutOff('timeout')
  }

  #put(bytes: Uint8Array): void {
    if (!this.#socket.write(bytes)) this.onFull()
  }

  #takes(batch: Batch): boolean {
    const { slow, host } = this.#options
    if (this.#isCutOff) return false
    this.#watch()
    if (slow === 'latest') {
      this.#skippedCount += batch.messages.length - (this.#latest === null ? 1 : 0)
      this.#latest = batch.messages.at(-1) ?? null
      return false
    }
    if (this.#socket.writableLength < host.maxBacklogBytes) return true
    if (slow === 'drop') this.#skippedCount += batch.messages.length
    else this.#cutOff('backlog')
    return false
  }

  #withNotice(batch: Batch): Uint8Array {
    const [first] = batch.messages
    const head = first === undefined ? null : this.#options.encoder.encode(first, this.#skippedCount)
    this.#skippedCount = 0
    return head === null ? batch.bytes : Buffer.concat([head, batch.bytes.subarray(batch.firstByteCount)])
  }

  // Node's idle timer of a socket is restarted by every byte the kernel takes, which nothing else public shows; its
  // first expiry after a write only looks for such progress, hence half the time.
  #watch(): void {
    if (this.#isLagging) return
    this.#isLagging = true
    this.#takeBack()
    this.#socket.setTimeout(this.#options.host.writeTimeoutMs / 2)
    this.#awaitDrain()
  }

  #awaitDrain(): void {
    this.#socket.write(EMPTY, () => {
      this.#onDrained()
    })
  }

  #onDrained(): void {
    if (this.#socket.destroyed) return
    if (this.#socket.writableLength > 0) {
      this.#awaitDrain()
      return
    }
    this.#isLagging = false
    this.#socket.setTimeout(0)
    this.#settle()
    const latest = this.#latest
    if (latest === null) return
    this.#latest = null
    if (this.#options.repeatsLast) this.#last = latest
    const bytes = this.#options.encoder.encode(latest, this.#skippedCount)
    this.#skippedCount = 0
    if (bytes !== null) this.#put(bytes)
  }

  #cutOff(reason: 'backlog' | 'timeout'): void {
    this.#isCutOff = true
    const { host } = this.#options
    host.log.write('info', 'sub.slow', { peer: this.#socket.remoteAddress ?? '', reason })
    // A plain close would leave what the kernel still holds, megabytes, in its send queue.
    resetConnection(this.#socket)
  }
}

/** Ends a connection at once, with a RST where the transport has one (plain TCP). */
export function resetConnection(socket: Socket): void {
  // While the kernel is being told that the stream has ended, libuv refuses a reset and Node 20 then never closes the
  // handle. Nothing waits in this process by then.
  const isShuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (isShuttingDown || socket.remoteFamily === undefined || socket instanceof TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
}
