// Every option of msgbus, once: flags, keys of the configuration file, help text, documentation and defaults are all
// derived from this table. Nothing here reads the command line or a configuration file; see flags.ts and load.ts.

import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import * as v from 'valibot'

// What would end the line, move the cursor or reverse the text of a terminal or a log.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** A fault in the configuration. The message is one line, names the place and the option, and holds no password. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** `command line`, `environment`, `default` or `file.yaml:3:7` (line and column, both from 1). */
  readonly place: string
  /** Long name of the option, without dashes. */
  readonly option: string

  constructor(place: string, option: string, expected: string, found: string, options?: ErrorOptions) {
    const text = `msgbus: ${place}: "${option}": expected ${expected}, found ${found}`
    super(text.replace(INVISIBLE, escapeCharacter), options)
    this.place = place
    this.option = option
  }
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

type Schema<Value> = v.GenericSchema<unknown, Value>

// A reader that refuses with words of its own instead of those of its kind.
class Refusal {
  readonly expected: string
  constructor(expected: string) {
    this.expected = expected
  }
}

type Read<Value> = (text: string) => Value | Refusal | undefined

function text<Value>(expected: string, read: Read<Value>): Schema<Value> {
  return v.pipe(v.string(expected), reading(expected, read))
}

// A file may write an integer bare. Its digits are then read as if they stood on the command line.
function textOrInteger<Value>(expected: string, read: Read<Value>): Schema<Value> {
  const isEither = (value: unknown) => typeof value === 'string' || Number.isSafeInteger(value)
  return v.pipe(v.custom<string | number>(isEither, expected), v.transform(String), reading(expected, read))
}

function reading<Value>(expected: string, read: Read<Value>) {
  return v.rawTransform<string, Value>(({ dataset, addIssue, NEVER }) => {
    const value = read(dataset.value)
    const isRefused = value instanceof Refusal
    if (value !== undefined && !isRefused) return value
    addIssue({ message: isRefused ? value.expected : expected })
    return NEVER
  })
}

function integer(min: number, max: number): Schema<number> {
  return textOrInteger(`an integer from ${min} to ${max}`, digits => {
    // A leading zero means octal to some readers of YAML and nothing to others.
    const value = /^(?:0|[1-9]\d{0,9})$/.test(digits) ? Number(digits) : -1
    return value >= min && value <= max ? value : undefined
  })
}

const PORT = integer(0, 65535)

const SCALE = {
  size: { '': 1, B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  duration: { ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
}

function amount(scale: Readonly<Record<string, number>>, written: string): number {
  const [, digits = '', unit = ''] = /^(0|[1-9]\d{0,11})([a-z]*)$/i.exec(written) ?? []
  if (digits === '' || !Object.hasOwn(scale, unit)) return NaN
  return Number(digits) * (scale[unit] ?? NaN)
}

function size(max: string): Schema<number> {
  return textOrInteger(`a size from 1B to ${max}, such as 1000000, 64KiB or 10MB`, written => {
    const bytes = amount(SCALE.size, written)
    return bytes >= 1 && bytes <= amount(SCALE.size, max) ? bytes : undefined
  })
}

function duration(min: string, max: string): Schema<number> {
  return textOrInteger(`a duration from ${min} to ${max} with its unit (ms, s, m or h)`, written => {
    const ms = amount(SCALE.duration, written)
    return ms >= amount(SCALE.duration, min) && ms <= amount(SCALE.duration, max) ? ms : undefined
  })
}

// No name is looked up: what is listened on must not depend on a resolver.
function readAddress(written: string): string | undefined {
  if (written === 'localhost') return '127.0.0.1'
  return isIP(written) === 0 ? undefined : written
}

/** Protocols that may own a listener. */
export type ListenerProtocol = 'native'

const LISTEN_SYNTAX = /^(?:(?:\[([^\]]+)\]|([^:[\]=]+)):)?(\d+)(?:=(.+))?$/
const LISTEN_EXPECTED =
  '[ADDRESS:]PORT[=PROTOCOL] with a port from 0 to 65535, the protocol native, an IPv6 address as [::1]:8080'

/** One `listen` option. An address of null means the one of the `address` option. */
export interface ListenRequest {
  readonly address: string | null
  readonly port: number
  readonly protocol: ListenerProtocol | null
}

function readListen(written: string): ListenRequest | undefined {
  const [, ipv6, name, digits, protocol = null] = LISTEN_SYNTAX.exec(written) ?? []
  const port = v.safeParse(PORT, digits)
  if (!port.success || (protocol !== null && protocol !== 'native')) return undefined
  if (ipv6 === undefined && name === undefined) return { address: null, port: port.output, protocol }
  const address = ipv6 === undefined ? readAddress(name ?? '') : isIP(ipv6) === 6 ? ipv6 : undefined
  return address === undefined ? undefined : { address, port: port.output, protocol }
}

const ORIGIN_EXPECTED = 'an exact http or https origin such as https://example.com (no path, no "*", no null)'

// Compared with the Origin header byte by byte, so it must be spelled as browsers spell it.
function readOrigin(written: string): string | Refusal | undefined {
  if (!/^https?:\/\/[^/]/i.test(written) || !URL.canParse(written)) return undefined
  const { origin } = new URL(written)
  return origin === written ? origin : new Refusal(`${ORIGIN_EXPECTED} (did you mean "${origin}"?)`)
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/

function readHost(written: string): string | undefined {
  const host = written.toLowerCase()
  const isAddress = isIP(host) === 4 || (/^\[.*\]$/.test(host) && isIP(host.slice(1, -1)) === 6)
  return host === '*' || isAddress || HOST_NAME.test(host) ? host : undefined
}

const MAX_UID = 2 ** 32 - 2 // [setuid(2)] the largest 32-bit value means "unchanged"

function readUser(written: string): string | number | undefined {
  if (/^(?:0|[1-9]\d{0,9})$/.test(written)) return Number(written) <= MAX_UID ? Number(written) : undefined
  return /^[a-z_][a-z0-9_.-]{0,30}\$?$/i.test(written) ? written : undefined
}

function path(expected: string, isWanted: (stats: { isFile(): boolean; isDirectory(): boolean }) => boolean) {
  return text(expected, written => {
    try {
      const stats = statSync(written, { throwIfNoEntry: false })
      return stats !== undefined && isWanted(stats) ? resolve(written) : undefined
    } catch (error) {
      return new Refusal(`${expected} (${(error as NodeJS.ErrnoException).code ?? 'it cannot be read'})`)
    }
  })
}

const SWITCH: Schema<boolean> = v.boolean('no value')

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
  /** As a user would write it. */
  readonly default?: string
  readonly unit?: string
  /** Other options are named without dashes, so that the help text holds each flag once. */
  readonly help: string
  readonly isList?: true
  /** Never shown, neither in an error nor as a default. */
  readonly isSecret?: true
  /** Has no meaning in a file. */
  readonly isCommandLineOnly?: true
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
    schema: text('an IPv4 or IPv6 address or localhost', readAddress),
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
    schema: textOrInteger(LISTEN_EXPECTED, readListen),
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
    // [RFC 7617 §2] Basic credentials cannot hold control characters: such a password would match nobody.
    schema: text('1 to 256 characters, no control characters', written =>
      /^\P{Cc}{1,256}$/u.test(written) ? written : undefined,
    ),
    help: 'Server password. Better given in MSGBUS_PASSWORD: other users of the machine can see a command line.',
    isSecret: true,
    variable: 'MSGBUS_PASSWORD',
  },
  allowedOrigins: {
    name: 'allow-origin',
    group: 'Access',
    placeholder: 'ORIGIN',
    schema: text(ORIGIN_EXPECTED, readOrigin),
    help: 'Origin whose pages may read and publish, such as https://example.com; may be repeated.',
    isList: true,
  },
  allowedHosts: {
    name: 'host',
    group: 'Access',
    placeholder: 'NAME',
    schema: text('a host name or address without a port, or "*"', readHost),
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
  framing: {
    name: 'framing',
    group: 'Content',
    placeholder: 'standard|2008',
    schema: textOrInteger<'standard' | '2008'>('standard or 2008', written =>
      written === 'standard' || written === '2008' ? written : undefined,
    ),
    default: 'standard',
    help: 'Byte form of multipart streams; 2008 writes that of the 2008 server to everyone.',
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
    default: '10s',
    unit: 'ms, s, m or h',
    help: 'A reader to whom no byte could be sent for this long is cut off.',
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
    help: 'Time for the headers of a request to arrive.',
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
    // Opened, and refused with its reason, where it is read; kept as written because it is part of every place in it.
    schema: text('a file name', written => (written === '' ? undefined : written)),
    help: 'YAML or JSON file with the long names as keys, lists for what may be repeated. Flags win over it.',
    isCommandLineOnly: true,
  },
  user: {
    name: 'user',
    short: ['u'],
    group: 'Process',
    placeholder: 'NAME|UID',
    schema: textOrInteger(`a user name, or a uid from 0 to ${MAX_UID}`, readUser),
    help: 'User to become once the ports are bound.',
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
export interface Config extends Omit<Values, 'help' | 'version' | 'listen'> {
  /** What to open, made of `address`, `port`, `tls-port`, `cert` and `listen`. */
  readonly listeners: readonly Listener[]
}
