// Every option of msgbus, once: flags, keys of the configuration file, help text, documentation and defaults are all
// derived from this table. What a value may look like is decided in values.ts; nothing here reads a command line or a
// file, see flags.ts and load.ts.

import type * as v from 'valibot'
import { LOCATIONS, type LocationRequest } from './locations.ts'
import { MAIN_STORE, STORES } from './named-stores.ts'
import { RETAIN, type StoreRequest } from './store-url.ts'
import {
  ADDRESS,
  ADDRESS_IN_FILE,
  choice,
  duration,
  FILE_NAME,
  HOST,
  integer,
  LISTEN,
  type ListenerProtocol,
  ORIGIN,
  PASSWORD,
  PORT,
  path,
  type Schema,
  SWITCH,
  size,
  USER,
} from './values.ts'

/** One row of the table. */
export interface Option {
  /** Long name: the flag after `--` and the key in a file. */
  readonly name: string
  /** Letters that stand for it after one dash. */
  readonly short?: readonly string[]
  readonly group: 'Listening' | 'Access' | 'Content' | 'Limits' | 'Times' | 'Process'
  /** What the value is called in the help text; a flag without it takes no value. */
  readonly placeholder?: string
  readonly schema: Schema<unknown>
  /** What a file may hold, if that is more than `schema` says: other values, or structures. */
  readonly fileSchema?: Schema<unknown>
  /** As a user would write it. */
  readonly default?: string
  readonly unit?: string
  /** Other options are named without dashes, so that the help text holds each flag once. */
  readonly help: string
  readonly isList?: true
  /** Is a value by name: a later place replaces those that it names. */
  readonly isByName?: true
  /** Never shown, neither in an error nor as a default. */
  readonly isSecret?: true
  /** Has no meaning in a file. */
  readonly isCommandLineOnly?: true
  /** Has no flag, because its value is a structure. */
  readonly isFileOnly?: true
  /** Environment variable that stands between the file and the command line. */
  readonly variable?: string
}

/** The table. Its keys are those of {@link Config}; numbers carry their units there. */
export const OPTIONS = {
  address: {
    name: 'address',
    short: ['l'],
    group: 'Listening',
    placeholder: 'ADDR',
    schema: ADDRESS,
    fileSchema: ADDRESS_IN_FILE,
    default: '127.0.0.1',
    help: 'Address to listen on: IPv4, IPv6 or localhost, which is 127.0.0.1. No other name is looked up.',
  },
  port: {
    name: 'port',
    short: ['p'],
    group: 'Listening',
    placeholder: 'PORT',
    schema: PORT,
    default: '8888',
    help: 'Port for plain HTTP; 0 picks a free one.',
  },
  tlsPort: {
    name: 'tls-port',
    short: ['P'],
    group: 'Listening',
    placeholder: 'PORT',
    schema: PORT,
    default: '4444',
    help: 'Port for HTTPS, used when "cert" is given; 0 picks a free one.',
  },
  certFile: {
    name: 'cert',
    short: ['c'],
    group: 'Listening',
    placeholder: 'FILE',
    schema: path('a file with certificate and key in PEM', stats => stats.isFile()),
    help: 'PEM file with certificate and private key; turns the HTTPS listener on.',
  },
  listen: {
    name: 'listen',
    group: 'Listening',
    placeholder: '[ADDR:]PORT[=PROTOCOL]',
    schema: LISTEN,
    help:
      'A further plain listener; may be repeated. IPv6 is written [::1]:8080. Without ADDR it is the one of ' +
      '"address". PROTOCOL (native) owns the listener; without it the default mounts are there. When this is ' +
      'given and neither "port" nor "address" is, the default listener is not opened.',
    isList: true,
  },
  password: {
    name: 'password',
    short: ['s'],
    group: 'Access',
    placeholder: 'TEXT',
    schema: PASSWORD,
    help: 'Server password. Better given in MSGBUS_PASSWORD: other users of the machine can see a command line.',
    isSecret: true,
    variable: 'MSGBUS_PASSWORD',
  },
  allowedOrigins: {
    name: 'allow-origin',
    group: 'Access',
    placeholder: 'ORIGIN',
    schema: ORIGIN,
    help: 'Origin whose pages may read and publish, such as https://example.com; may be repeated.',
    isList: true,
  },
  allowedHosts: {
    name: 'host',
    group: 'Access',
    placeholder: 'NAME',
    schema: HOST,
    help: 'Further name accepted in the Host header, without a port; "*" accepts any; may be repeated.',
    isList: true,
  },
  rootDir: {
    name: 'root',
    short: ['d'],
    group: 'Content',
    placeholder: 'DIR',
    schema: path('a directory', stats => stats.isDirectory()),
    help: 'Directory of static files to serve.',
  },
  noConsole: {
    name: 'no-console',
    group: 'Content',
    schema: SWITCH,
    help: 'Do not serve the live console, its statistics and the client library at /_/.',
  },
  framing: {
    name: 'framing',
    group: 'Content',
    placeholder: 'standard|2008',
    schema: choice('standard', '2008'),
    default: 'standard',
    help: 'Byte form of multipart streams; 2008 writes that of the 2008 server to everyone.',
  },
  store: {
    name: 'store',
    group: 'Content',
    placeholder: 'URL',
    schema: MAIN_STORE,
    fileSchema: STORES,
    isByName: true,
    default: 'memory:',
    help:
      'Where history is kept, and how much of it: memory: or file:DIRECTORY, then ?retain=COUNT&bytes=SIZE&' +
      'age=DURATION for each channel, total=COUNT and total-bytes=SIZE for all of them. The oldest goes first; ' +
      'retain=0 keeps none. In a directory each message is on disk before it is acknowledged, unless ' +
      'fsync=interval:DURATION says how much later it may be. A file may ' +
      'name further stores, for "locations".',
  },
  retain: {
    name: 'retain',
    group: 'Content',
    placeholder: 'PATTERN?LIMITS',
    schema: RETAIN,
    help:
      'How much is kept of some channels, in every store: a name, or NAME/ for all below it, then ?retain=COUNT&' +
      'bytes=SIZE&age=DURATION, such as cam/?retain=1. The longest that fits counts, what it does not name is as ' +
      'in "store"; may be repeated.',
    isList: true,
  },
  locations: {
    name: 'locations',
    group: 'Content',
    schema: LOCATIONS,
    help: 'Where the hbpush protocol is, as in a configuration file of hbpush; by default at /publisher/ and /subscriber/.',
    isFileOnly: true,
  },
  maxBodyBytes: {
    name: 'max-body',
    group: 'Limits',
    placeholder: 'SIZE',
    schema: size('1GiB'),
    default: '1MiB',
    unit: 'bytes',
    help: 'Size of one message.',
  },
  maxFormBytes: {
    name: 'max-form',
    group: 'Limits',
    placeholder: 'SIZE',
    schema: size('1GiB'),
    default: '16MiB',
    unit: 'bytes',
    help: 'Size of one form upload.',
  },
  maxBodiesTotalBytes: {
    name: 'max-bodies-total',
    group: 'Limits',
    placeholder: 'SIZE',
    schema: size('64GiB'),
    default: '64MiB',
    unit: 'bytes',
    help: 'Size of all request bodies in flight.',
  },
  maxBacklogBytes: {
    name: 'max-backlog',
    group: 'Limits',
    placeholder: 'SIZE',
    schema: size('1GiB'),
    default: '1000000',
    unit: 'bytes',
    help: 'What may wait for one slow reader before its slow= decides.',
  },
  maxConnections: {
    name: 'max-connections',
    group: 'Limits',
    placeholder: 'COUNT',
    schema: integer(1, 1_000_000),
    default: '16384',
    unit: 'connections',
    help: 'Connections at once; lowered to what the limit of open files allows.',
  },
  writeTimeoutMs: {
    name: 'write-timeout',
    group: 'Times',
    placeholder: 'DURATION',
    schema: duration('100ms', '1h'),
    default: '30s',
    unit: 'ms, s, m or h',
    help: 'A reader is cut off if the system takes nothing for it for this long while some waits.',
  },
  heartbeatMs: {
    name: 'heartbeat',
    group: 'Times',
    placeholder: 'DURATION',
    schema: duration('100ms', '1h'),
    default: '25s',
    unit: 'ms, s, m or h',
    help: 'Time between signs of life on a silent stream.',
  },
  headersTimeoutMs: {
    name: 'headers-timeout',
    group: 'Times',
    placeholder: 'DURATION',
    schema: duration('100ms', '1h'),
    default: '10s',
    unit: 'ms, s, m or h',
    help: 'Time for a TLS handshake, and for the headers of a request to arrive.',
  },
  keepAliveMs: {
    name: 'keep-alive',
    group: 'Times',
    placeholder: 'DURATION',
    schema: duration('100ms', '1h'),
    default: '65s',
    unit: 'ms, s, m or h',
    help: 'How long a connection may idle between requests.',
  },
  drainMs: {
    name: 'drain',
    group: 'Times',
    placeholder: 'DURATION',
    schema: duration('0s', '1h'),
    default: '10s',
    unit: 'ms, s, m or h',
    help: 'How long a stop may take.',
  },
  configFile: {
    name: 'config',
    group: 'Process',
    placeholder: 'FILE',
    // As written, because it is part of every place in it.
    schema: FILE_NAME,
    help: 'YAML or JSON file with the long names as keys, lists for what may be repeated. Flags win over it.',
    isCommandLineOnly: true,
  },
  user: {
    name: 'user',
    short: ['u'],
    group: 'Process',
    placeholder: 'NAME|UID',
    schema: USER,
    help: 'User to become once the ports are bound.',
  },
  workers: {
    name: 'workers',
    group: 'Process',
    placeholder: 'COUNT',
    schema: integer(1, 256),
    default: '1',
    unit: 'processes',
    help:
      'Processes that have the connections, beside the one that then has the store; 1 is one process for everything. ' +
      'More than the machine has cores only cost memory.',
  },
  verbosity: {
    name: 'verbose',
    short: ['v'],
    group: 'Process',
    schema: integer(0, 3),
    default: '0',
    help: 'Log more; up to three times. In a file: a number from 0 to 3.',
  },
  help: {
    name: 'help',
    short: ['h', '?'],
    group: 'Process',
    schema: SWITCH,
    help: 'Print this text and stop.',
    isCommandLineOnly: true,
  },
  version: {
    name: 'version',
    group: 'Process',
    schema: SWITCH,
    help: 'Print the version and stop.',
    isCommandLineOnly: true,
  },
} as const satisfies Record<string, Option>

/** Key of an option in the table and in {@link Config}. */
export type OptionKey = keyof typeof OPTIONS

type ValueOf<Row extends Option> = Row extends { readonly isList: true }
  ? readonly v.InferOutput<Row['schema']>[]
  : v.InferOutput<Row['schema']> | (Row extends { readonly default: string } ? never : null)

type Values = { readonly [Key in OptionKey]: ValueOf<(typeof OPTIONS)[Key]> }

/** A place to listen. */
export interface Listener {
  /** IPv4 or IPv6 address, without brackets. */
  readonly address: string
  /** 0 lets the system pick. */
  readonly port: number
  readonly isTls: boolean
  /** The protocol at `/`, or null for the default mounts. */
  readonly protocol: ListenerProtocol | null
}

/**
 * The whole configuration, checked. Options without a value are null, those that may be repeated are lists. Paths are
 * absolute except `configFile`; `allowedHosts` are in lower case.
 */
export interface Config extends Omit<Values, 'help' | 'version' | 'listen' | 'store' | 'locations'> {
  readonly store: StoreRequest
  /** Further stores, by name. */
  readonly stores: ReadonlyMap<string, StoreRequest>
  /** Null for the default ones. Each names `default` or one of the further stores. */
  readonly locations: readonly LocationRequest[] | null
  /** What to open, made of `address`, `port`, `tls-port`, `cert` and `listen`. */
  readonly listeners: readonly Listener[]
}
