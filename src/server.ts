// The server put together: one bus, its protocols, the gate before them and the listeners that feed it. Usable on its
// own or inside somebody else's `node:http` server. It reads no configuration file, no arguments and no signals.

import type { RequestListener } from 'node:http'
import { Bus, makeBoundary } from './bus/bus.ts'
import { type Census, type Count, ownCosts, soloCensus } from './bus/census.ts'
import { defaultConfig } from './config/load.ts'
import type { Config } from './config/schema.ts'
import type { ListenerProtocol } from './config/values.ts'
import { ConnectionLimit } from './http/connection-limit.ts'
import { Dispatcher } from './http/dispatcher.ts'
import { Gate } from './http/gate.ts'
import { Intake } from './http/intake.ts'
import { type Listener, openListener } from './http/listener.ts'
import { type Mount, Router } from './http/router.ts'
import { openStaticFiles } from './http/static-files.ts'
import { Streams } from './http/streams.ts'
import { describeFault, type Log, rationed, silentLog } from './log.ts'
import { createConsole } from './protocols/console/console.ts'
import { createHbpush, type Hbpush } from './protocols/hbpush/hbpush.ts'
import { DEFAULT_LOCATIONS, DEFAULT_STORE, type HbpushLocation } from './protocols/hbpush/location.ts'
import { createNative } from './protocols/native/native.ts'
import type { Store } from './store/store.ts'

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
  | 'noConsole'
  | 'password'
  | 'rootDir'
  | 'writeTimeoutMs'
>

/** What a server may be told; the settings and their defaults are those of `doc/config.md`. */
export interface ServerOptions extends Partial<Settings> {
  /** The bus to serve; a new one by default. */
  readonly bus?: Bus
  /** Of all buses that it makes, see `BusOptions.boundary`. */
  readonly boundary?: string
  /** Asked what other processes have that serve the same stores; by default there are none. */
  readonly census?: () => Census
  /** What keeps the history of a new bus, and is closed with it; by default one in memory. */
  readonly store?: Store
  /**
   * Further stores by name, each with a bus of its own for the locations of hbpush that name it, and closed with the server.
   * `store` is the one named `default`.
   */
  readonly stores?: ReadonlyMap<string, Store>
  /**
   * Locations of the hbpush protocol, in the order in which they are tried; none turns it off. By default publishers at
   * `/publisher/` and subscribers that wait at `/subscriber/`.
   */
  readonly hbpush?: readonly HbpushLocation[]
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

const CONSOLE_PREFIX = '/_/'

/** Makes a server; it opens nothing until {@link Server.listen}. Misuse throws `TypeError` or `RangeError`. */
export function createServer(options: ServerOptions = {}): Server {
  return new Server(options)
}

export class Server {
  readonly bus: Bus
  readonly #ownsBus: boolean
  readonly #furtherBuses: ReadonlyMap<string, Bus>
  readonly #settings: Settings
  readonly #log: Log
  readonly #intake: Intake
  readonly #dispatcher: Dispatcher
  readonly #streams: Streams
  readonly #connections: ConnectionLimit
  readonly #hbpush: Hbpush
  readonly #mounts: Router
  readonly #nativeOnly: Router
  readonly #listeners: Listener[] = []

  constructor({
    bus: givenBus,
    store,
    stores = new Map(),
    boundary = makeBoundary(),
    census = always(soloCensus()),
    hbpush = DEFAULT_LOCATIONS,
    prefix = '/msgbus/',
    log = silentLog,
    ...given
  }: ServerOptions) {
    if (givenBus !== undefined && store !== undefined) {
      throw new TypeError('Cannot set "store": a bus is given, and it has a store')
    }
    if (stores.has(DEFAULT_STORE)) {
      throw new RangeError(`Cannot set "stores": "${DEFAULT_STORE}" is the name of "store"`)
    }
    const bus = givenBus ?? new Bus(store === undefined ? { boundary } : { boundary, store })
    this.#ownsBus = givenBus === undefined
    const settings = checkSettings(given)
    this.bus = bus
    this.#furtherBuses = new Map(
      [...stores].map(([name, further]) => [name, new Bus({ boundary, store: further })]),
    )
    this.#settings = settings
    this.#log = rationed(log)
    this.#connections = new ConnectionLimit(settings.maxConnections)
    this.#intake = new Intake(settings.maxBodiesTotalBytes)
    this.#streams = new Streams({ ...settings, intake: this.#intake, log: this.#log })
    this.#dispatcher = new Dispatcher({
      gate: new Gate(settings),
      streams: this.#streams,
      connections: this.#connections,
      log: this.#log,
    })
    const native = createNative({ ...settings, bus, intake: this.#intake, streams: this.#streams, log })
    const files = settings.rootDir === null ? null : this.#openFiles(settings.rootDir, log)
    const prefixes: Mount[] = [{ prefix, ...native }]
    if (settings.noConsole !== true) {
      const hasPassword = settings.password !== null
      const { handle } = createConsole({ bus, streams: this.#streams, census, prefix, hasPassword })
      prefixes.push({ prefix: CONSOLE_PREFIX, handle })
    }
    const locations = createHbpush({
      ...{ ...settings, intake: this.#intake, log },
      locations: hbpush,
      buses: new Map([[DEFAULT_STORE, bus], ...this.#furtherBuses]),
      closing: this.#streams.closing,
      census,
    })
    this.#hbpush = locations
    this.#mounts = new Router({ prefixes, patterns: [locations], files })
    this.#nativeOnly = new Router({ prefixes: [{ prefix: '/', ...native }] })
  }

  /**
   * Serves a request that somebody else's `node:http` server received. What is below no prefix of this server gets a
   * 404, or a file if there is a document root.
   */
  readonly handle: RequestListener = (req, res) => {
    this.#dispatcher.dispatch(this.#mounts, { req, res, expectsContinue: false })
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
      log: this.#log,
      handle: arrival => {
        this.#dispatcher.dispatch(router, arrival)
      },
      plain: {
        resolve: (head, socket) => this.#dispatcher.plain(router, head, socket),
        onRefused: (error, socket) => {
          this.#dispatcher.noteRefusal(error, socket)
        },
        hold: () => this.#intake.hold(),
        watch: this.#intake.watch,
      },
    })
    this.#listeners.push(listener)
    return listener.url
  }

  /** What this process has. */
  count(): Count {
    return {
      subscribers: this.bus.subscriberCounts(),
      waiting: this.#hbpush.countWaiting(),
      ...ownCosts(),
    }
  }

  /** Uses another certificate for new TLS connections; open ones keep theirs. */
  setCertificate(pem: string): void {
    for (const listener of this.#listeners) listener.setCertificate(pem)
  }

  /**
   * Stops: accepts nothing new, lets requests finish, ends the streams in good order, and after `drainMs` cuts off
   * whatever is left. Closing twice is allowed. A bus that was given stays open. By default it takes as long as the program.
   */
  async close(drainMs = defaultConfig().drainMs): Promise<void> {
    const closed = [...this.#listeners.map(listener => listener.close()), this.#streams.close(drainMs / 2)]
    this.#intake.close()
    const deadline = setTimeout(() => {
      this.#streams.destroy()
      for (const listener of this.#listeners) listener.destroy()
    }, drainMs)
    await Promise.all(closed)
    clearTimeout(deadline)
    if (this.#ownsBus) await this.bus.close()
    for (const bus of this.#furtherBuses.values()) await bus.close()
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
      // A download that stalls would keep its file and its connection.
      res.setTimeout(this.#settings.writeTimeoutMs, () => {
        req.socket.destroy()
      })
      files(req, res)
    }
  }
}

function always<Value>(value: Value): () => Value {
  return () => value
}

const NUMBERS = [
  ...(['headersTimeoutMs', 'heartbeatMs', 'keepAliveMs', 'writeTimeoutMs', 'maxConnections'] as const),
  ...(['maxBacklogBytes', 'maxBodiesTotalBytes', 'maxBodyBytes', 'maxFormBytes'] as const),
]

// Flags and files are checked as they are read; what code gives is checked here.
function checkSettings(given: Partial<Settings>): Settings {
  const defaults = defaultConfig()
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(defaults, name)) throw new TypeError(`Cannot set "${name}": there is no such option`)
  }
  const settings: Settings = { ...defaults, ...withoutUndefined(given) }
  for (const name of NUMBERS) {
    const value = settings[name]
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`Cannot set "${name}": current value is ${value}, whole numbers from 1 allowed`)
    }
  }
  return settings
}

function withoutUndefined(given: Partial<Settings>): Partial<Settings> {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]: [string, unknown]) => value !== undefined),
  )
}
