// How the value of the option `store` is read: a URL whose scheme is the kind of store and whose query says how much
// history it keeps. Nothing is opened here.

import * as v from 'valibot'
import { duration, integer, Refusal, type Schema, size, text } from './values.ts'

/** How much history a store is to keep; what is not named stays as it is by default. */
export interface StoreLimits {
  /** Messages per channel. */
  readonly maxCount?: number
  /** Bytes per channel. */
  readonly maxBytes?: number
  readonly maxAgeMs?: number
  /** Messages over all channels. */
  readonly maxTotalCount?: number
  readonly maxTotalBytes?: number
}

/** One `store` option. */
export interface StoreRequest {
  readonly kind: 'memory'
  readonly retention: StoreLimits
}

const LIMITS: ReadonlyMap<string, readonly [key: keyof StoreLimits, schema: Schema<number>]> = new Map([
  ['retain', ['maxCount', integer(0, 1_000_000)]],
  ['bytes', ['maxBytes', size('64GiB')]],
  ['age', ['maxAgeMs', duration('1s', '8760h')]],
  ['total', ['maxTotalCount', integer(0, 10_000_000)]],
  ['total-bytes', ['maxTotalBytes', size('64GiB')]],
] as const)

const NAMES = [...LIMITS.keys()].join(', ')

export const STORE: Schema<StoreRequest> = text(
  `memory: or memory:?KEY=VALUE&… with the keys ${NAMES}`,
  written => {
    const [, query] = /^memory:(?:\?(.+))?$/.exec(written) ?? []
    if (query === undefined) return written === 'memory:' ? { kind: 'memory', retention: {} } : undefined
    const retention = readLimits(query.split('&'))
    return retention instanceof Refusal ? retention : { kind: 'memory', retention }
  },
)

function readLimits(pieces: readonly string[]): StoreLimits | Refusal {
  const limits = new Map<keyof StoreLimits, number>()
  for (const piece of pieces) {
    const [, name = piece, value = ''] = /^([^=]*)=(.*)$/.exec(piece) ?? []
    const limit = LIMITS.get(name)
    if (limit === undefined) return new Refusal(`only the keys ${NAMES}`)
    const [key, schema] = limit
    if (limits.has(key)) return new Refusal(`"${name}" once`)
    const result = v.safeParse(schema, value)
    if (!result.success) return new Refusal(`${result.issues[0].message} for "${name}"`)
    limits.set(key, result.output)
  }
  return Object.fromEntries(limits)
}
