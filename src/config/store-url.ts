// How the values of the options `store` and `retain` are read: a URL whose scheme is the kind of store, or a pattern of
// channels, and a query that says how much history is kept. Nothing is opened here.

import { resolve } from 'node:path'
import * as v from 'valibot'
import { MsgbusError } from '../errors.ts'
import { parseMatcher } from '../matcher.ts'
import { duration, integer, Refusal, type Schema, size, text } from './values.ts'

/** How much is to be kept of one channel; what is not named stays as it is by default. */
export interface ChannelLimits {
  /** Messages per channel. */
  readonly maxCount?: number
  /** Bytes per channel. */
  readonly maxBytes?: number
  readonly maxAgeMs?: number
}

/** How much history a store is to keep. */
export interface StoreLimits extends ChannelLimits {
  /** Messages over all channels. */
  readonly maxTotalCount?: number
  readonly maxTotalBytes?: number
}

/** One `retain` option. */
export interface RetainRequest extends ChannelLimits {
  /** Of a matcher. */
  readonly paths: readonly string[]
}

/** One `store` option. */
export type StoreRequest =
  | { readonly kind: 'memory'; readonly retention: StoreLimits }
  | {
      readonly kind: 'file'
      /** Absolute. */
      readonly path: string
      /** Null if messages are to be on disk before they are acknowledged, else how soon after that. */
      readonly syncIntervalMs: number | null
      readonly retention: StoreLimits
    }

type Limits = ReadonlyMap<string, readonly [key: keyof StoreLimits, schema: Schema<number>]>

const CHANNEL_LIMITS: Limits = new Map([
  ['retain', ['maxCount', integer(0, 1_000_000)]],
  ['bytes', ['maxBytes', size('64GiB')]],
  ['age', ['maxAgeMs', duration('1s', '8760h')]],
] as const)

const STORE_LIMITS: Limits = new Map([
  ...CHANNEL_LIMITS,
  ['total', ['maxTotalCount', integer(0, 10_000_000)]],
  ['total-bytes', ['maxTotalBytes', size('64GiB')]],
] as const)

const CHANNEL_NAMES = [...CHANNEL_LIMITS.keys()].join(', ')
const NAMES = [...STORE_LIMITS.keys()].join(', ')

const FSYNC_EXPECTED = 'always or interval:DURATION, such as interval:1s'
const SYNC_INTERVAL = duration('10ms', '1h')

export const STORE: Schema<StoreRequest> = text(
  `memory: or file:DIRECTORY, with or without ?KEY=VALUE&… behind it (keys ${NAMES}; for a file also fsync)`,
  written => {
    const [, kind, place = '', query] = /^(memory|file):([^?]*)(?:\?(.+))?$/.exec(written) ?? []
    if (kind === undefined || (query === undefined && written.endsWith('?'))) return undefined
    const pieces = query?.split('&') ?? []
    return kind === 'memory' ? readMemory(place, pieces) : readFile(place, pieces)
  },
)

function readMemory(place: string, pieces: readonly string[]): StoreRequest | Refusal | undefined {
  if (place !== '') return undefined
  const retention = readLimits(pieces, STORE_LIMITS, NAMES)
  return retention instanceof Refusal ? retention : { kind: 'memory', retention }
}

function readFile(place: string, pieces: readonly string[]): StoreRequest | Refusal | undefined {
  // [RFC 8089] file:///a/b is file:/a/b.
  const path = place.replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.startsWith('//')) return undefined
  const syncs = pieces.filter(piece => /^fsync(?:=|$)/.test(piece))
  const retention = readLimits(
    pieces.filter(piece => !syncs.includes(piece)),
    STORE_LIMITS,
    `${NAMES}, fsync`,
  )
  if (retention instanceof Refusal) return retention
  if (syncs.length > 1) return new Refusal('"fsync" once')
  const syncIntervalMs = readSync(syncs[0] ?? 'fsync=always')
  if (syncIntervalMs === undefined) return new Refusal(`${FSYNC_EXPECTED} for "fsync"`)
  return { kind: 'file', path: resolve(path), syncIntervalMs, retention }
}

function readSync(piece: string): number | null | undefined {
  if (piece === 'fsync=always') return null
  const [, interval] = /^fsync=interval:(.+)$/.exec(piece) ?? []
  const result = v.safeParse(SYNC_INTERVAL, interval)
  return result.success ? result.output : undefined
}

const RETAIN_EXPECTED = `PATTERN?KEY=VALUE&… (keys ${CHANNEL_NAMES}), the pattern a channel, or NAME/ for all below it`

export const RETAIN: Schema<RetainRequest> = text(RETAIN_EXPECTED, written => {
  const [, pattern = '', query] = /^([^?]+)\?(.+)$/.exec(written) ?? []
  if (query === undefined) return undefined
  const paths = readPaths(pattern)
  if (paths instanceof Refusal) return paths
  const limits = readLimits(query.split('&'), CHANNEL_LIMITS, CHANNEL_NAMES)
  return limits instanceof Refusal ? limits : { paths, ...limits }
})

function readPaths(pattern: string): readonly string[] | Refusal {
  try {
    return parseMatcher(pattern).paths
  } catch (error) {
    if (!(error instanceof MsgbusError)) throw error
    const [, reason = ''] = /: (.*)/.exec(error.message) ?? []
    return new Refusal(`channels as they stand in a URL (${reason})`)
  }
}

function readLimits(pieces: readonly string[], known: Limits, names: string): StoreLimits | Refusal {
  const limits = new Map<keyof StoreLimits, number>()
  for (const piece of pieces) {
    const [, name = piece, value = ''] = /^([^=]*)=(.*)$/.exec(piece) ?? []
    const limit = known.get(name)
    if (limit === undefined) return new Refusal(`only the keys ${names}`)
    const [key, schema] = limit
    if (limits.has(key)) return new Refusal(`"${name}" once`)
    const result = v.safeParse(schema, value)
    if (!result.success) return new Refusal(`${result.issues[0].message} for "${name}"`)
    limits.set(key, result.output)
  }
  return Object.fromEntries(limits)
}
