// Takes each request from its arrival to whoever serves it, and what goes wrong on the way back to the peer and into the
// log. It decides what is not carried out at all; what a request means is decided elsewhere.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { MsgbusError } from '../errors.ts'
import { describeFault, type Log } from '../log.ts'
import type { ConnectionLimit } from './connection-limit.ts'
import { type Exchange, hasBody } from './exchange.ts'
import type { Arrival, Gate } from './gate.ts'
import { Pipelines } from './pipelines.ts'
import type { PlainHead } from './plain-head.ts'
import type { PlainRoute } from './plain-runs.ts'
import type { Router } from './router.ts'
import type { Streams } from './streams.ts'

const READING_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

export interface DispatcherOptions {
  readonly gate: Gate
  readonly streams: Streams
  readonly connections: ConnectionLimit
  readonly log: Log
}

export class Dispatcher {
  readonly #options: DispatcherOptions
  // Of each connection, the last answer that is not sent yet.
  readonly #due = new WeakMap<Socket, ServerResponse>()
  readonly #pipelines = new Pipelines()

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  /** Serves one request through the mounts of `router`, when all before it on its connection are answered. Never throws. */
  dispatch(router: Router, arrival: Arrival): void {
    const { streams, log } = this.#options
    const { req, res } = arrival
    const { socket } = req
    // A second request on a stream's connection could never be answered, but would be carried out.
    if (streams.owns(socket)) {
      log.write('info', 'http.pipelined_stream', { peer: socket.remoteAddress ?? '' })
      socket.destroy()
      return
    }
    const before = this.#due.get(socket)
    this.#due.set(socket, res)
    res.once('finish', () => {
      if (this.#due.get(socket) === res) this.#due.delete(socket)
    })
    if (before === undefined) {
      this.#serve(router, arrival)
      return
    }
    this.#pipelines.add(socket)
    before.once('finish', () => {
      this.#pipelines.delete(socket)
      this.#serve(router, arrival)
    })
  }

  /**
   * Finds what is to be done with plain publishes of this head through the mounts of `router`; null for those that have to be
   * dispatched, if only to be told what is wrong with them.
   */
  plain(router: Router, head: PlainHead, socket: Socket): PlainRoute | null {
    const { gate, connections } = this.#options
    const { localAddress = '', remoteAddress = '' } = socket
    if (connections.isSurplus(socket)) return null
    try {
      return gate.admitsPlain(head.host, localAddress) ? router.plain(head, remoteAddress) : null
    } catch {
      // The same is found again there, and said.
      return null
    }
  }

  /** Writes into the log why something was not carried out. */
  noteRefusal(error: unknown, { remoteAddress = '' }: Socket, host = '', origin = ''): void {
    const { log } = this.#options
    if (error instanceof MsgbusError) {
      // With what an operator needs who has to add a name or an origin; never with credentials.
      log.write('info', 'http.refused', { peer: remoteAddress, code: error.code, host, origin })
    } else {
      // A fault of ours: told to the operator in full, to the peer only as such.
      log.write('error', 'http.fault', { error: describeFault(error) })
    }
  }

  #serve(router: Router, arrival: Arrival): void {
    const { gate, streams, connections, log } = this.#options
    const { socket } = arrival.req
    // [RFC 9112 §9.6] Behind an answer that closes the connection nothing is carried out: if the request before was
    // refused, what looks like the next one may be bytes that somebody smuggled in.
    if (!socket.writable) return
    const { exchange, refusal } = gate.admit(arrival)
    // Nobody reads the body of such a request once it is answered, and it may never end.
    if (READING_METHODS.has(exchange.method) && hasBody(arrival.req)) arrival.res.shouldKeepAlive = false
    if (connections.isSurplus(socket)) {
      const { maxConnections } = connections
      log.write('warn', 'conn.limit', { peer: socket.remoteAddress ?? '', maxConnections })
      this.#refuse(
        exchange,
        new MsgbusError('MSGBUS_BUSY', 'Too many connections: try again later (--max-connections)'),
      )
    } else if (refusal !== null) {
      this.#refuse(exchange, refusal.error)
    } else {
      router.route(exchange).then(
        () => {
          if (streams.owns(socket)) this.#due.delete(socket)
        },
        (error: unknown) => {
          this.#refuse(exchange, error)
        },
      )
    }
  }

  #refuse(exchange: Exchange, error: unknown): void {
    const { socket, headers } = exchange.req
    this.noteRefusal(error, socket, headers.host, headers.origin)
    exchange.refuse(error)
  }
}
