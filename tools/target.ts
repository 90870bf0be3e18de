// Where the server is, from the options that both tools have for it, and the request lines that reach it. Opens nothing.

import { checkChannel, encodeChannel } from '../src/channel.ts'
import { MsgbusError } from '../src/errors.ts'
import { type Option, quote } from './options.ts'
import { UsageError } from './run-error.ts'
import { ANY_TEXT, DURATION, PORT, TEXT } from './values.ts'

const DEFAULT_PORT = 8888
const DEFAULT_TLS_PORT = 4444
const DEFAULT_PREFIX = '/msgbus/'

const HOST_NAME = /^[A-Za-z0-9._-]+$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?$/

/** The rows of the options that say where the server is. */
export const TARGET_OPTIONS = {
  address: {
    name: 'address',
    short: 'l',
    placeholder: 'HOST|URL',
    kind: TEXT,
    default: '127.0.0.1',
    help: 'Server: a host name or address, or a URL such as https://user:password@host:4444, whose path, if any, is used instead of /msgbus/.',
  },
  port: {
    name: 'port',
    short: 'p',
    placeholder: 'PORT',
    kind: PORT,
    help: 'Port of the server: 8888, or 4444 over TLS, if it is not given.',
  },
  isTls: { name: 'tls', short: 's', help: 'Connect over TLS.' },
  isInsecure: { name: 'insecure', short: 'k', help: 'Take any certificate.' },
  user: {
    name: 'user',
    short: 'u',
    placeholder: 'NAME[:PASSWORD]',
    kind: ANY_TEXT,
    help: 'Basic credentials. A password that is left out is taken from MSGBUS_PASSWORD.',
    isSecret: true,
  },
  timeoutMs: {
    name: 'timeout',
    placeholder: 'TIME',
    kind: DURATION,
    default: '10s',
    help: 'How long to wait for an answer of the server.',
  },
} as const satisfies Readonly<Record<string, Option>>

/** What those options said. */
export interface TargetValues {
  readonly address: string
  readonly port: number | null
  readonly isTls: boolean
  readonly isInsecure: boolean
  readonly user: string | null
}

export interface Target {
  /** Without brackets. */
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  readonly isInsecure: boolean
  /** What goes before a channel in a path; ends in a slash. */
  readonly prefix: string
  /** Scheme, host and port, for people: it holds no credentials. */
  readonly origin: string
  /** `Host`, and `Authorization` if there are credentials, each with its line end. */
  readonly headerLines: string
}

/**
 * Makes a target of the options.
 * @param password Of MSGBUS_PASSWORD.
 * @throws {UsageError} for an address that is none, and for options that contradict a URL.
 */
export function readTarget(values: TargetValues, password: string | undefined): Target {
  const { address } = values
  if (address.includes('://')) return targetOfUrl(values, password)
  if (!HOST_NAME.test(address)) throw wrongAddress(address, 'a host name, an address or an http or https URL')
  const { isTls, isInsecure } = values
  const port = values.port ?? (isTls ? DEFAULT_TLS_PORT : DEFAULT_PORT)
  const credentials = credentialsOf(values.user, password)
  return build({ host: address, port, isTls, isInsecure, prefix: DEFAULT_PREFIX }, credentials)
}

function targetOfUrl(values: TargetValues, password: string | undefined): Target {
  const { address, isInsecure } = values
  const url = URL.canParse(address) ? new URL(address) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw wrongAddress(address, 'an http or https URL')
  }
  if (values.port !== null || values.isTls) {
    throw wrongAddress(address, 'a host name beside "port" or "tls", since a URL names both')
  }
  if (url.search !== '' || url.hash !== '' || !url.pathname.endsWith('/')) {
    throw wrongAddress(address, 'a URL without a query that ends in a host or in "/"')
  }
  const isTls = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port)
  const prefix = url.pathname === '/' ? DEFAULT_PREFIX : url.pathname
  const own = url.username === '' && url.password === '' ? null : decodeCredentials(url)
  return build({ host, port, isTls, isInsecure, prefix }, credentialsOf(values.user ?? own, password))
}

function decodeCredentials({ username, password }: URL): string {
  const user = decode(username)
  return password === '' ? user : `${user}:${decode(password)}`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new UsageError('command line: "address": expected credentials in percent-encoding, found others')
  }
}

function credentialsOf(user: string | null, password: string | undefined): string | null {
  if (user === null) return password === undefined ? null : `:${password}`
  return user.includes(':') ? user : `${user}:${password ?? ''}`
}

function build(place: Omit<Target, 'origin' | 'headerLines'>, credentials: string | null): Target {
  const { host, port, isTls } = place
  const authority = `${host.includes(':') ? `[${host.replace(/%.*/, '')}]` : host}:${port}`
  const basic = credentials === null ? '' : Buffer.from(credentials).toString('base64')
  return {
    ...place,
    origin: `${isTls ? 'https' : 'http'}://${authority}`,
    headerLines: `Host: ${authority}\r\n${basic === '' ? '' : `Authorization: Basic ${basic}\r\n`}`,
  }
}

function wrongAddress(address: string, expected: string): UsageError {
  return new UsageError(`command line: "address": expected ${expected}, found ${quote(address)}`)
}

/**
 * The names `channel-0`, `channel-1` and so on, or the one name if there is only one.
 * @throws {UsageError} for what is no channel name.
 */
export function channelNames(channel: string, count: number): readonly string[] {
  const names = count === 1 ? [channel] : Array.from({ length: count }, (_, number) => `${channel}-${number}`)
  try {
    return names.map(checkChannel)
  } catch (error) {
    if (!(error instanceof MsgbusError)) throw error
    throw new UsageError(`command line: "channel": ${error.message}`)
  }
}

/** A channel as it stands in the path of a request. */
export function pathOf({ prefix }: Target, channel: string): string {
  return `${prefix}${encodeChannel(channel)}`
}
