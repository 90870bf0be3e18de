// Opens endless answers, takes their connections from HTTP for them, and keeps them until those close. What a stream does
// in between is its own business.

import type { Socket } from 'node:net'
import { MsgbusError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type AnswerForm, type Conversation, EndlessAnswer } from './conversation.ts'
import { type Exchange, hasBody } from './exchange.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Intake } from './intake.ts'
import { Stream, type StreamHost, type StreamRequest } from './stream.ts'

const MAX_GET_BODY_BYTES = 64 * 1024

export interface StreamsOptions {
  readonly intake: Intake
  readonly log: Log
  readonly heartbeatMs: number
  readonly maxBacklogBytes: number
  readonly writeTimeoutMs: number
}

export class Streams {
  readonly #intake: Intake
  readonly #host: StreamHost
  readonly #open = new Set<Stream>()
  readonly #sockets = new WeakSet<Socket>()
  readonly #closing = new AbortController()
  #isClosed = false
  #onEmpty: (() => void) | null = null

  constructor(options: StreamsOptions) {
    const { intake, log, heartbeatMs, maxBacklogBytes, writeTimeoutMs } = options
    this.#intake = intake
    this.#host = {
      ...{ log, maxBacklogBytes, writeTimeoutMs },
      heartbeat: new Heartbeat(heartbeatMs),
      onClose: stream => {
        this.#open.delete(stream)
        if (this.#open.size === 0) this.#onEmpty?.()
      },
    }
  }

  /** Aborted when the server begins to close: whoever waits for a message has to give up. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** True when the socket is or is about to be a stream: whatever else comes in on it must not be answered. */
  owns(socket: Socket): boolean {
    return this.#sockets.has(socket)
  }

  /** The usual conversation of a stream. */
  answer(exchange: Exchange, form: AnswerForm): Conversation {
    return new EndlessAnswer(exchange, form, this.#host.log)
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
    if (hasBody(req)) await this.#intake.read(exchange, MAX_GET_BODY_BYTES)
    const request = await prepare()
    this.#checkOpen()
    // Whatever else came in the same segment, a second request or junk, is met before the head goes out: then the
    // connection is gone by now, and nobody ever reads an error text in the middle of a stream.
    // Over TLS that is a turn later, when what the handshake leaves has gone out: Node keeps 16 KiB for as long as a
    // connection lasts if it once had more than 1 KiB under way.
    await (isSecure(req.socket) ? nextTurn() : nextTick())
    if (req.socket.writable) this.#start(exchange, request)
  }

  /**
   * Ends all streams, over `spreadMs` at most, so that their readers do not all come back at once. Resolves when the last
   * connection is closed.
   */
  close(spreadMs: number): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    this.#host.heartbeat.close()
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
    for (const stream of this.#open) stream.destroy()
  }

  #checkOpen(): void {
    if (this.#isClosed)
      throw new MsgbusError('MSGBUS_CLOSED', 'Cannot subscribe: the server is shutting down')
  }

  #start(exchange: Exchange, request: StreamRequest): void {
    const stream = new Stream(exchange, request, this.#host)
    this.#open.add(stream)
    // Asked for before the end was announced, but opened after it.
    if (this.#isClosed) stream.end()
  }
}

function isSecure(socket: Socket): boolean {
  return 'encrypted' in socket && socket.encrypted === true
}

function nextTick(): Promise<void> {
  return new Promise(resolve => {
    process.nextTick(resolve)
  })
}

function nextTurn(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}
