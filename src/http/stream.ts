// One stream, from its first word to its last. A stream owns its socket: nothing but its conversation and its sink reads from
// or writes to that connection. It keeps nothing of its request, because an idle stream should cost little more than its
// socket.

import type { Socket } from 'node:net'
import type { Encoder } from '../bus/sink.ts'
import { Carrier } from './carrier.ts'
import type { Conversation } from './conversation.ts'
import type { Exchange } from './exchange.ts'
import type { Heartbeat } from './heartbeat.ts'
import { resetConnection, type SinkHost, type SlowPolicy, StreamSink } from './stream-sink.ts'

const TCP_KEEP_ALIVE_MS = 30_000

/**
 * What one stream says, and what it reads. What its functions hold is kept as long as the stream, which is why nothing of
 * the HTTP request is in here.
 */
export interface StreamRequest {
  readonly conversation: Conversation
  readonly slow: SlowPolicy
  readonly encoder: Encoder
  readonly repeatsLast: boolean
  /** What keeps an idle reader alive after `count` others in a row, or null for nothing. */
  readonly ping: (count: number) => string | null
  /** Called when the first words are out. */
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
  readonly #conversation: Conversation
  readonly #sink: StreamSink
  readonly #subscription: { close(): void }
  readonly #endBeating: () => void
  readonly #onClose: () => void
  #isOver = false

  /** Takes the connection, and begins the conversation. */
  constructor(exchange: Exchange, request: StreamRequest, host: StreamHost) {
    const { conversation, slow, encoder, repeatsLast, ping, onClose } = request
    const { isChunked } = conversation
    const socket = takeSocket(exchange)
    this.#socket = socket
    this.#host = host
    this.#conversation = conversation
    this.#onClose = onClose
    socket.setNoDelay(true)
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
    conversation.begin(socket)
    this.#sink = new StreamSink({ socket, slow, encoder, repeatsLast, ping, isChunked, host })
    this.#subscription = request.subscribe(this.#sink)
    this.#endBeating = host.heartbeat.add(this.#sink)
    this.#listen()
    socket.resume()
  }

  #listen(): void {
    const { onClose } = this.#host
    const socket = this.#socket
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
    this.#conversation.end(this.#socket)
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
