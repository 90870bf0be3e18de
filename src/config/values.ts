// The kinds of values that options have: what each looks like on a command line and in a file, and what it means. One
// written value at a time; which option has which kind stands in schema.ts.

import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import * as v from 'valibot'

/** Checks a written value and turns it into what the program works with. The message of a refusal says what is wanted. */
export type Schema<Value> = v.GenericSchema<unknown, Value>

/** What a reader returns that refuses with words of its own instead of those of its kind. */
export class Refusal {
  readonly expected: string
  constructor(expected: string) {
    this.expected = expected
  }
}

type Read<Value> = (text: string) => Value | Refusal | undefined

/** A text that a file has to quote if it looks like a number. */
export function text<Value>(expected: string, read: Read<Value>): Schema<Value> {
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

/** A flag without a value; in a file, a key with one of two. */
export const SWITCH: Schema<boolean> = v.boolean('true or false')

const YAML_1_1_SWITCH: ReadonlyMap<string, boolean> = new Map([
  ['yes', true],
  ['on', true],
  ['no', false],
  ['off', false],
])

/** A switch in a file that was written for YAML 1.1, where more words are true or false. */
export const OLD_SWITCH: Schema<boolean> = v.lazy(value =>
  typeof value === 'string' ? text('true or false', word => YAML_1_1_SWITCH.get(word.toLowerCase())) : SWITCH,
)

/** One of a few words. */
export function choice<Word extends string>(...words: readonly Word[]): Schema<Word> {
  return textOrInteger(words.join(' or '), written => words.find(word => word === written))
}

/** @param min At least 0. */
export function integer(min: number, max: number): Schema<number> {
  return textOrInteger(`an integer from ${min} to ${max}`, digits => {
    // A leading zero means octal to some readers of YAML and nothing to others.
    const value = /^(?:0|[1-9]\d{0,9})$/.test(digits) ? Number(digits) : -1
    return value >= min && value <= max ? value : undefined
  })
}

const SCALE = {
  size: { '': 1, B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  duration: { ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
}

function amount(scale: Readonly<Record<string, number>>, written: string): number {
  const [, digits = '', unit = ''] = /^(0|[1-9]\d{0,11})([a-z]*)$/i.exec(written) ?? []
  if (digits === '' || !Object.hasOwn(scale, unit)) return NaN
  return Number(digits) * (scale[unit] ?? NaN)
}

/** Bytes, at least one. */
export function size(max: string): Schema<number> {
  return textOrInteger(`a size from 1B to ${max}, such as 1000000, 64KiB or 10MB`, written => {
    const bytes = amount(SCALE.size, written)
    return bytes >= 1 && bytes <= amount(SCALE.size, max) ? bytes : undefined
  })
}

/** Milliseconds. A bare number is refused: nobody knows whether it means seconds. */
export function duration(min: string, max: string): Schema<number> {
  return textOrInteger(`a duration from ${min} to ${max} with its unit (ms, s, m or h)`, written => {
    const ms = amount(SCALE.duration, written)
    return ms >= amount(SCALE.duration, min) && ms <= amount(SCALE.duration, max) ? ms : undefined
  })
}

/** Something in the file system that `isWanted`. Becomes absolute. */
export function path(
  expected: string,
  isWanted: (stats: { isFile(): boolean; isDirectory(): boolean }) => boolean,
): Schema<string> {
  return text(expected, written => {
    try {
      const stats = statSync(written, { throwIfNoEntry: false })
      return stats !== undefined && isWanted(stats) ? resolve(written) : undefined
    } catch (error) {
      return new Refusal(`${expected} (${(error as NodeJS.ErrnoException).code ?? 'it cannot be read'})`)
    }
  })
}

/** A file that is opened, and refused with its reason, where it is read. Kept as written. */
export const FILE_NAME: Schema<string> = text('a file name', written =>
  written === '' ? undefined : written,
)

/** [RFC 7617 §2] Basic credentials cannot hold control characters: such a password would match nobody. */
export const PASSWORD: Schema<string> = text('1 to 256 characters, no control characters', written =>
  /^\P{Cc}{1,256}$/u.test(written) ? written : undefined,
)

const MAX_UID = 2 ** 32 - 2 // [setuid(2)] the largest 32-bit value means "unchanged"

/** A user of this machine, whether or not there is one of that name. */
export const USER: Schema<string | number> = textOrInteger(
  `a user name, or a uid from 0 to ${MAX_UID}`,
  written => {
    if (/^(?:0|[1-9]\d{0,9})$/.test(written)) {
      return Number(written) <= MAX_UID ? Number(written) : undefined
    }
    return /^[a-z_][a-z0-9_.-]{0,30}\$?$/i.test(written) ? written : undefined
  },
)

export const PORT = integer(0, 65535)

/** An IP address. No name is looked up: what is listened on must not depend on a resolver. */
export const ADDRESS: Schema<string> = text('an IPv4 or IPv6 address or localhost', readAddress)

function readAddress(written: string): string | undefined {
  if (written === 'localhost') return '127.0.0.1'
  return isIP(written) === 0 ? undefined : written
}

/** In a file also nothing between quotes: all IPv4 addresses, as hbpush has it. */
export const ADDRESS_IN_FILE: Schema<string> = text(
  "an IPv4 or IPv6 address or localhost, or '' for all IPv4 addresses",
  written => (written === '' ? '0.0.0.0' : readAddress(written)),
)

/** Protocols that may own a listener. */
export type ListenerProtocol = 'native'

/** One `listen` option. An address of null means the one of the `address` option. */
export interface ListenRequest {
  readonly address: string | null
  readonly port: number
  readonly protocol: ListenerProtocol | null
}

const LISTEN_SYNTAX = /^(?:(?:\[([^\]]+)\]|([^:[\]=]+)):)?(\d+)(?:=(.+))?$/

export const LISTEN: Schema<ListenRequest> = textOrInteger(
  '[ADDRESS:]PORT[=PROTOCOL] with a port from 0 to 65535, the protocol native, an IPv6 address as [::1]:8080',
  written => {
    const [, ipv6, name, digits, protocol = null] = LISTEN_SYNTAX.exec(written) ?? []
    const port = v.safeParse(PORT, digits)
    if (!port.success || (protocol !== null && protocol !== 'native')) return undefined
    if (ipv6 === undefined && name === undefined) return { address: null, port: port.output, protocol }
    const address = ipv6 === undefined ? readAddress(name ?? '') : isIP(ipv6) === 6 ? ipv6 : undefined
    return address === undefined ? undefined : { address, port: port.output, protocol }
  },
)

const ORIGIN_EXPECTED = 'an exact http or https origin such as https://example.com (no path, no "*", no null)'

/** Compared with the Origin header byte by byte, so it must be spelled as browsers spell it. */
export const ORIGIN: Schema<string> = text(ORIGIN_EXPECTED, written => {
  if (!/^https?:\/\/[^/]/i.test(written) || !URL.canParse(written)) return undefined
  const { origin } = new URL(written)
  return origin === written ? origin : new Refusal(`${ORIGIN_EXPECTED} (did you mean "${origin}"?)`)
})

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/

/** Becomes lower case. */
export const HOST: Schema<string> = text('a host name or address without a port, or "*"', written => {
  const host = written.toLowerCase()
  const isAddress = isIP(host) === 4 || (/^\[.*\]$/.test(host) && isIP(host.slice(1, -1)) === 6)
  return host === '*' || isAddress || HOST_NAME.test(host) ? host : undefined
})
