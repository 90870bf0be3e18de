// One endless answer, from its head to its end. A stream owns its socket: the head is written here, not through
// ServerResponse (which cannot say HTTP/1.0), and nothing else is read from or written to that connection. It keeps
// nothing of its request, because an idle stream should cost little more than its socket.

import type { Socket } from 'node:net'
import type { Encoder } from '../bus/sink.ts'
import { Carrier } from './carrier.ts'
import { assembleText, LAST_CHUNK } from './chunk.ts'
import { type Exchange, isChunked } from './exchange.ts'
import type { Heartbeat } from './heartbeat.ts'
import { resetConnection, type SinkHost, type SlowPolicy, StreamSink } from './stream-sink.ts'

const TCP_KEEP_ALIVE_MS = 30_000

/**
 * The form of one stream, and what it reads. Texts are ASCII. What its functions hold is kept as long as the stream, which
 * is why nothing of the HTTP request is in here.
 */
export interface StreamRequest {
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
  /** What keeps an idle reader alive after `count` others in a row, or null for nothing. */
  readonly ping: (count: number) => string | null
  /** Called when the head is out. */
  readonly subscribe: (sink: StreamSink) => { close(): void }
  /** Called once when the stream is over, if `subscribe` was called. */
  readonly onClose: () => void
}

/** What all streams of a server share. */
export interface StreamHost extends SinkHost {
  readonly heartbeat: Heartbeat
  /** Called once when the connection is closed. */
  readonly onClose: (stream: Stream) => void
}

export class Stream {
  readonly #socket: Socket
  readonly #host: StreamHost
  readonly #closing: string
  readonly #isChunked: boolean
  readonly #sink: StreamSink
  readonly #subscription: { close(): void }
  readonly #endBeating: () => void
  readonly #onClose: () => void
  #isOver = false

  /** Takes the connection, and sends the head. */
  constructor(exchange: Exchange, request: StreamRequest, host: StreamHost) {
    const { closing, opening, slow, encoder, repeatsLast, ping, onClose } = request
    const socket = takeSocket(exchange)
    this.#socket = socket
    this.#host = host
    this.#closing = closing
    this.#isChunked = isChunked(exchange)
    this.#onClose = onClose
    socket.setNoDelay(true)
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
    socket.write(Buffer.concat([head(exchange, request), assembleText(opening, this.#isChunked)]))
    this.#sink = new StreamSink({
      socket,
      slow,
      encoder,
      repeatsLast,
      ping,
      isChunked: this.#isChunked,
      host,
    })
    this.#subscription = request.subscribe(this.#sink)
    this.#endBeating = host.heartbeat.add(this.#sink)
    this.#listen()
    socket.resume()
  }

  #listen(): void {
    const { log, onClose } = this.#host
    const socket = this.#socket
    socket.on('data', () => {
      log.write('info', 'http.pipelined_stream', { peer: socket.remoteAddress ?? '' })
      socket.destroy()
    })
    socket.on('timeout', () => {
      this.#sink.cutOffIdle()
    })
    socket.on('end', () => {
      this.#finish()
      socket.end()
    })
    socket.on('close', () => {
      this.#finish()
      onClose(this)
    })
  }

  /** Tells the reader that this is the end, and closes. */
  end(): void {
    this.#finish()
    const closing = assembleText(this.#closing, this.#isChunked).toString('latin1')
    this.#socket.end(`${closing}${this.#isChunked ? LAST_CHUNK : ''}`, 'latin1')
  }

  /** Closes without a word. */
  destroy(): void {
    resetConnection(this.#socket)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#subscription.close()
    this.#endBeating()
    this.#onClose()
  }
}

/** Takes a connection from HTTP, whose parser sees nothing of it any more. */
function takeSocket({ req }: Exchange): Socket {
  const { socket } = req
  if (socket instanceof Carrier) return socket.release()
  // In somebody else's server, or behind a publish on the same connection, HTTP keeps what it has.
  socket.removeAllListeners('data')
  // Node's own listener would close the connection in good order, behind all that waits.
  socket.removeAllListeners('timeout')
  return socket
}

function head(exchange: Exchange, { contentType, headers }: StreamRequest): Buffer {
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
