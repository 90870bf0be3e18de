// Opens endless answers and keeps them until their sockets close. A stream owns its socket: the head is written here,
// not through ServerResponse (which cannot say HTTP/1.0), and nothing else is read from or written to that connection.

import type { Socket } from 'node:net'
import type { Encoder, Sink } from '../bus/sink.ts'
import { MsgbusError } from '../errors.ts'
import type { Log } from '../log.ts'
import { assembleText, LAST_CHUNK } from './chunk.ts'
import { type Exchange, hasBody } from './exchange.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Intake } from './intake.ts'
import { resetConnection, type SlowPolicy, StreamSink } from './stream-sink.ts'

const MAX_GET_BODY_BYTES = 64 * 1024
const TCP_KEEP_ALIVE_MS = 30_000

export interface StreamsOptions {
  readonly intake: Intake
  readonly log: Log
  readonly heartbeatMs: number
  readonly maxBacklogBytes: number
  readonly writeTimeoutMs: number
}

/** The form of one stream, and what it reads. Texts are ASCII. */
export interface StreamRequest {
  readonly exchange: Exchange
  readonly contentType: string
  /** More lines of the head, name and value in turn. */
  readonly headers: readonly string[]
  /** Goes out with the head. */
  readonly opening: string
  /** Ends the stream in good order. */
  readonly closing: string
  readonly slow: SlowPolicy
  readonly encoder: Encoder
  readonly repeatsLast: boolean
  ping(count: number): string | null
  /** Called when the head is out. */
  subscribe(sink: Sink): { close(): void }
  /** Called once when the stream is over, if `subscribe` was called. */
  onClose(): void
}

/** True for a reader that understands chunks. */
export function isChunked({ req }: Exchange): boolean {
  return req.httpVersionMinor > 0
}

interface OpenStream {
  /** Tells the reader that this is the end, and closes. */
  end(): void
  readonly socket: Socket
}

export class Streams {
  readonly #options: StreamsOptions
  readonly #heartbeat: Heartbeat
  readonly #open = new Set<OpenStream>()
  readonly #sockets = new WeakSet<Socket>()
  readonly #closing = new AbortController()
  #isClosed = false
  #onEmpty: (() => void) | null = null

  constructor(options: StreamsOptions) {
    this.#options = options
    this.#heartbeat = new Heartbeat(options.heartbeatMs)
  }

  /** Aborted when the server begins to close: whoever waits for a message has to give up. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** True when the socket is or is about to be a stream: whatever else comes in on it must not be answered. */
  owns(socket: Socket): boolean {
    return this.#sockets.has(socket)
  }

  /**
   * Opens a stream, once its request is complete.
   * @param prepare Says what the stream is to be. By then the connection is known to be one.
   * @throws {MsgbusError} `MSGBUS_PIPELINED_STREAM`, `MSGBUS_CLOSED`; what {@link Intake.read} throws for a body; what
   *   `prepare` throws.
   */
  async open(exchange: Exchange, prepare: () => StreamRequest | Promise<StreamRequest>): Promise<void> {
    const { req, res } = exchange
    this.#sockets.add(req.socket)
    this.#checkOpen()
    if (res.socket === null) {
      throw new MsgbusError(
        'MSGBUS_PIPELINED_STREAM',
        'A stream cannot be asked for behind a request that is not answered yet',
      )
    }
    if (hasBody(req)) await this.#options.intake.read(exchange, MAX_GET_BODY_BYTES)
    const request = await prepare()
    this.#checkOpen()
    // Whatever else came in the same segment, a second request or junk, is met before the head goes out: then the
    // connection is gone by now, and nobody ever reads an error text in the middle of a stream.
    await nextTick()
    if (!req.socket.destroyed) this.#start(request)
  }

  /**
   * Ends all streams, over `spreadMs` at most, so that their readers do not all come back at once. Resolves when the last
   * connection is closed.
   */
  close(spreadMs: number): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    this.#heartbeat.close()
    const empty = new Promise<void>(resolve => {
      this.#onEmpty = resolve
    })
    if (this.#open.size === 0) this.#onEmpty?.()
    // What was published in this turn of the event loop still goes out first.
    setImmediate(() => {
      this.#endAll(spreadMs)
    })
    return empty
  }

  #endAll(spreadMs: number): void {
    const streams = [...this.#open]
    const stepMs = Math.min(1, spreadMs / streams.length)
    for (const [at, stream] of streams.entries()) {
      if (at * stepMs < 1) {
        stream.end()
        continue
      }
      setTimeout(() => {
        stream.end()
      }, at * stepMs)
    }
  }

  /** Cuts off every stream that is still there. */
  destroy(): void {
    for (const { socket } of this.#open) resetConnection(socket)
  }

  #checkOpen(): void {
    if (this.#isClosed)
      throw new MsgbusError('MSGBUS_CLOSED', 'Cannot subscribe: the server is shutting down')
  }

  #start(request: StreamRequest): void {
    const { exchange } = request
    const { socket } = exchange.req
    const isChunkedStream = isChunked(exchange)
    // The HTTP parser sees nothing of this connection any more.
    socket.removeAllListeners('data')
    socket.on('data', () => {
      this.#options.log.write('info', 'http.pipelined_stream', { peer: socket.remoteAddress ?? '' })
      socket.destroy()
    })
    socket.setNoDelay(true)
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
    socket.write(Buffer.concat([head(request), assembleText(request.opening, isChunkedStream)]))

    const sink = new StreamSink({
      socket,
      slow: request.slow,
      maxBacklogBytes: this.#options.maxBacklogBytes,
      writeTimeoutMs: this.#options.writeTimeoutMs,
      encoder: request.encoder,
      repeatsLast: request.repeatsLast,
      ping: count => {
        const text = request.ping(count)
        return text === null ? null : assembleText(text, isChunkedStream)
      },
      onSlow: reason => {
        this.#options.log.write('info', 'sub.slow', { peer: socket.remoteAddress ?? '', reason })
      },
    })
    // Node's own listener would close the connection in good order, behind all that waits; this one keeps it from that.
    exchange.res.on('timeout', () => {
      sink.cutOffIdle()
    })
    const subscription = request.subscribe(sink)
    const endBeating = this.#heartbeat.add(sink)
    const stream: OpenStream = {
      socket,
      end: () => {
        finish()
        const closing =
          request.closing === '' ? '' : assembleText(request.closing, isChunkedStream).toString('latin1')
        socket.end(`${closing}${isChunkedStream ? LAST_CHUNK : ''}`, 'latin1')
      },
    }
    this.#open.add(stream)
    const finish = once(() => {
      subscription.close()
      endBeating()
      request.onClose()
    })
    socket.on('end', finish)
    socket.on('close', () => {
      finish()
      this.#open.delete(stream)
      if (this.#open.size === 0) this.#onEmpty?.()
    })
    // Asked for before the end was announced, but opened after it.
    if (this.#isClosed) stream.end()
  }
}

function nextTick(): Promise<void> {
  return new Promise(resolve => {
    process.nextTick(resolve)
  })
}

function head({ exchange, contentType, headers }: StreamRequest): Buffer {
  const lines = [
    `HTTP/1.${exchange.req.httpVersionMinor} 200 OK`,
    `Content-Type: ${contentType}`,
    ...(isChunked(exchange) ? ['Transfer-Encoding: chunked'] : []),
    'Connection: close',
    `Date: ${new Date().toUTCString()}`,
  ]
  const all = [...headers, ...exchange.commonHeaders]
  for (let at = 0; at < all.length; at += 2) lines.push(`${all[at]}: ${all[at + 1]}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

function once(act: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    act()
  }
}
