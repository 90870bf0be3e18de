// The server put together: one bus, its protocols, the gate before them and the listeners that feed it. Usable on its
// own or inside somebody else's `node:http` server. It reads no configuration file, no arguments and no signals.

import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Bus } from './bus/bus.ts'
import { defaultConfig } from './config/load.ts'
import type { Config } from './config/schema.ts'
import type { ListenerProtocol } from './config/values.ts'
import { MsgbusError } from './errors.ts'
import { ConnectionLimit } from './http/connection-limit.ts'
import { type Exchange, retryAfter } from './http/exchange.ts'
import { Gate } from './http/gate.ts'
import { Intake } from './http/intake.ts'
import { type Listener, openListener } from './http/listener.ts'
import { Router } from './http/router.ts'
import { openStaticFiles } from './http/static-files.ts'
import { Streams } from './http/streams.ts'
import { describeFault, type Log, rationed, silentLog } from './log.ts'
import { createNative } from './protocols/native/native.ts'

type Settings = Pick<
  Config,
  | 'allowedHosts'
  | 'allowedOrigins'
  | 'framing'
  | 'headersTimeoutMs'
  | 'heartbeatMs'
  | 'keepAliveMs'
  | 'maxBacklogBytes'
  | 'maxBodiesTotalBytes'
  | 'maxBodyBytes'
  | 'maxConnections'
  | 'maxFormBytes'
  | 'password'
  | 'rootDir'
  | 'writeTimeoutMs'
>

/** What a server may be told; the settings and their defaults are those of `doc/config.md`. */
export interface ServerOptions extends Partial<Settings> {
  /** The bus to serve; a new one by default. */
  readonly bus?: Bus
  /** Where the native protocol lives, with a slash at both ends. Default `/msgbus/`. */
  readonly prefix?: string
  /** Where events go; nowhere by default. */
  readonly log?: Log
}

export interface ListenOptions {
  /** IPv4 or IPv6 address, default 127.0.0.1. */
  readonly address?: string
  /** Default 0, which picks a free one. */
  readonly port?: number
  /** PEM text with certificate and key, for HTTPS. */
  readonly pem?: string | null
  /** The protocol that owns this listener at `/`; by default it has all mounts. */
  readonly protocol?: ListenerProtocol | null
}

/** Makes a server; it opens nothing until {@link Server.listen}. Misuse throws `TypeError` or `RangeError`. */
export function createServer(options: ServerOptions = {}): Server {
  return new Server(options)
}

export class Server {
  readonly bus: Bus
  readonly #ownsBus: boolean
  readonly #settings: Settings
  readonly #log: Log
  readonly #gate: Gate
  readonly #streams: Streams
  readonly #connections: ConnectionLimit
  readonly #mounts: Router
  readonly #nativeOnly: Router
  readonly #listeners: Listener[] = []
  readonly #lastAnswers = new WeakMap<Socket, ServerResponse>()

  constructor({ bus: givenBus, prefix = '/msgbus/', log = silentLog, ...given }: ServerOptions) {
    const bus = givenBus ?? new Bus()
    this.#ownsBus = givenBus === undefined
    const settings: Settings = { ...defaultConfig(), ...given }
    this.bus = bus
    this.#settings = settings
    this.#log = rationed(log)
    this.#gate = new Gate({ ...settings, log: this.#log })
    this.#connections = new ConnectionLimit(settings.maxConnections)
    const intake = new Intake(settings.maxBodiesTotalBytes)
    this.#streams = new Streams({ ...settings, intake, log: this.#log })
    const native = createNative({ ...settings, bus, intake, streams: this.#streams, log })
    const files = settings.rootDir === null ? null : this.#openFiles(settings.rootDir, log)
    this.#mounts = new Router([{ prefix, handle: native.handle }], files)
    this.#nativeOnly = new Router([{ prefix: '/', handle: native.handle }], null)
  }

  /**
   * Serves a request that somebody else's `node:http` server received. What is below no prefix of this server gets a
   * 404, or a file if there is a document root.
   */
  readonly handle: RequestListener = (req, res) => {
    this.#handle(this.#mounts, req, res, false)
  }

  /**
   * Opens a listener.
   * @returns Its URL, without a slash at the end.
   * @throws {Error} what the system says (`EADDRINUSE`, `EACCES`), or what is wrong with the certificate.
   */
  async listen({
    address = '127.0.0.1',
    port = 0,
    pem = null,
    protocol = null,
  }: ListenOptions = {}): Promise<string> {
    const router = protocol === null ? this.#mounts : this.#nativeOnly
    const listener = await openListener({
      ...this.#settings,
      address,
      port,
      pem,
      connections: this.#connections,
      handle: (req, res, expectsContinue) => {
        if (this.#refusesSurplus(req, res)) return
        this.#handle(router, req, res, expectsContinue)
      },
    })
    this.#listeners.push(listener)
    return listener.url
  }

  /** Uses another certificate for new TLS connections; open ones keep theirs. */
  setCertificate(pem: string): void {
    for (const listener of this.#listeners) listener.setCertificate(pem)
  }

  /**
   * Stops: accepts nothing new, lets requests finish, ends the streams in good order, and after `drainMs` cuts off
   * whatever is left. Closing twice is allowed. A bus that was given stays open.
   */
  async close(drainMs = 0): Promise<void> {
    const closed = Promise.all(this.#listeners.map(listener => listener.close()))
    this.#streams.close(drainMs / 2)
    const deadline = setTimeout(() => {
      this.#streams.destroy()
      for (const listener of this.#listeners) listener.destroy()
    }, drainMs)
    await closed
    clearTimeout(deadline)
    this.#streams.destroy()
    if (this.#ownsBus) this.bus.close()
  }

  #openFiles(rootDir: string, log: Log): RequestListener {
    const files = openStaticFiles(rootDir, {
      onFault: error => {
        this.#log.write('error', 'file.fault', { error: describeFault(error) })
      },
    })
    return (req, res) => {
      if (log.isEnabled('debug')) {
        const fields = { peer: req.socket.remoteAddress ?? '', method: req.method ?? '', path: req.url ?? '' }
        res.once('close', () => {
          log.write('debug', 'doc', { ...fields, status: res.statusCode })
        })
      }
      files(req, res)
    }
  }

  #handle(router: Router, req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    // A second request on a stream's connection could never be answered, but would be carried out.
    if (this.#streams.owns(req.socket)) {
      this.#log.write('info', 'http.pipelined_stream', { peer: req.socket.remoteAddress ?? '' })
      req.socket.destroy()
      return
    }
    // Behind an answer that closes the connection nothing is carried out [RFC 9112 §9.6]: if the request before was
    // refused, what looks like the next one may be bytes that somebody smuggled in.
    if (this.#lastAnswers.get(req.socket)?.shouldKeepAlive === false) {
      req.resume()
      return
    }
    this.#lastAnswers.set(req.socket, res)
    const exchange = this.#gate.admit(req, res, expectsContinue)
    if (exchange === null) return
    router.route(exchange).catch((error: unknown) => {
      this.#refuse(exchange, error)
    })
  }

  #refuse(exchange: Exchange, error: unknown): void {
    if (error instanceof MsgbusError) {
      this.#log.write('info', 'http.refused', {
        peer: exchange.req.socket.remoteAddress ?? '',
        code: error.code,
      })
      exchange.refuse(error)
      return
    }
    // A fault of ours: told to the operator in full, to the peer only as such.
    this.#log.write('error', 'http.fault', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    if (exchange.res.headersSent) exchange.req.socket.destroy()
    else exchange.answer(500, ['Connection', 'close'], STATUS_CODES[500] ?? '')
  }

  #refusesSurplus(req: IncomingMessage, res: ServerResponse): boolean {
    if (!this.#connections.isSurplus(req.socket)) return false
    this.#log.write('warn', 'conn.limit', { maxConnections: this.#settings.maxConnections })
    const text = 'MSGBUS_BUSY: Too many connections: try again later\n'
    res.writeHead(503, [
      ...['Retry-After', retryAfter(), 'Connection', 'close'],
      ...['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', `${text.length}`],
    ])
    res.end(text)
    return true
  }
}
