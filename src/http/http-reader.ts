// Node's HTTP server as a reader of connections that somebody else accepts: it listens on nothing. It answers for itself
// only what never becomes a request; what a request means is decided elsewhere.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Carrier } from './carrier.ts'
import type { Arrival } from './gate.ts'
import type { OpenConnections } from './open-connections.ts'
import { expectationRefusal, type ParserError, parserRefusal, refuseConnection } from './refusal.ts'

const MAX_HEADER_BYTES = 16 * 1024
const CHECK_INTERVAL_MS = 1_000

export interface HttpReaderOptions {
  readonly headersTimeoutMs: number
  readonly keepAliveMs: number
  readonly handle: (arrival: Arrival) => void
}

export class HttpReader {
  readonly #options: HttpReaderOptions
  readonly #open: OpenConnections
  readonly #server: Server

  /** @param open Takes in the connections, and the answers on them. */
  constructor(options: HttpReaderOptions, open: OpenConnections) {
    this.#options = options
    this.#open = open
    this.#server = this.#createServer()
  }

  /** Reads requests from a connection as long as it lasts, or until it is released. */
  read(connection: Socket | Carrier): void {
    this.#open.addAsking(connection)
    this.#server.emit('connection', connection)
    connection.resume()
  }

  /** Looks after no deadline any more. The connections are left to those who took them in. */
  close(): void {
    this.#server.close()
  }

  #createServer(): Server {
    const { headersTimeoutMs, keepAliveMs } = this.#options
    const open = this.#open
    const server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      // A missing Host is refused with everything else that is; Node's own refusal would go out behind a stream.
      requireHostHeader: false,
      headersTimeout: headersTimeoutMs,
      keepAliveTimeout: keepAliveMs,
      // Bodies have deadlines of their own, since a published stream may last for days.
      requestTimeout: 0,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    })
    // Node's own limit hides the headers past it; they are counted as they come instead.
    server.maxHeadersCount = 0
    // What starts Node's clock for headers: a server that never listens would wait for them without end.
    server.emit('listening')
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      this.#take(req, res, false)
    })
    server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
      this.#take(req, res, true)
    })
    server.on('checkExpectation', ({ socket }: IncomingMessage) => {
      refuseConnection(socket, open.lastAnswer(socket), expectationRefusal())
    })
    server.on('clientError', (error: ParserError, socket: Socket) => {
      refuseConnection(socket, open.lastAnswer(socket), parserRefusal(error, MAX_HEADER_BYTES))
    })
    return server
  }

  #take(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    this.#open.setAnswer(req.socket, res)
    this.#options.handle({ req, res, expectsContinue })
  }
}
