// The option `locations`: the places of the hbpush protocol, as a configuration file of hbpush says them. What is done there
// stands elsewhere.

import { type Given, structure } from './given.ts'
import { PATH_EXPRESSION, PATH_PREFIX } from './url-pattern.ts'
import { choice, OLD_SWITCH, type Schema, text } from './values.ts'

/** One place of the hbpush protocol. */
export type LocationRequest =
  | {
      readonly kind: 'publisher'
      /** Of whole paths, percent-encoded; its one group is the channel. */
      readonly pattern: RegExp
      /** Name of the store. */
      readonly store: string
      readonly createsOnPost: boolean
    }
  | {
      readonly kind: 'subscriber'
      readonly pattern: RegExp
      readonly store: string
      /** Whether a request waits for the next message. */
      readonly isLong: boolean
      readonly createsOnGet: boolean
    }

/** A location whose store may not be there. */
export interface UncheckedLocation {
  readonly location: LocationRequest
  /** What names its store. */
  readonly given: Given
}

/** The store of a location that names none, and of everything else. */
export const DEFAULT_STORE = 'default'

const KIND = choice('publisher', 'subscriber')
const POLLING = choice('long', 'interval')

const KEYS = {
  publisher: ['type', 'store', 'prefix', 'url', 'create_on_post'],
  subscriber: ['type', 'store', 'prefix', 'url', 'polling', 'create_on_get'],
}

const LOCATION_EXPECTED = 'a mapping with type, and prefix or url'
const NAME: Schema<string> = text('the name of a store', name => name)
// hbpush wants a prefix even where it does not use it, so there may be anything.
const UNUSED: Schema<string> = text('a text', written => written)

export const LOCATIONS: Schema<readonly UncheckedLocation[]> = structure('a list of locations', given =>
  given.items('a list of locations').map(readLocation),
)

function readLocation(given: Given): UncheckedLocation {
  const type = given.record(LOCATION_EXPECTED).get('type')
  if (type === undefined) throw given.refusal(LOCATION_EXPECTED, 'none with type')
  const kind = type.check(KIND)
  const fields = given.record(LOCATION_EXPECTED, KEYS[kind])
  const store = fields.get('store')
  const shared = { pattern: readPattern(given, fields), store: store?.check(NAME) ?? DEFAULT_STORE }
  const isOn = (key: string, byDefault: boolean) => fields.get(key)?.check(OLD_SWITCH) ?? byDefault
  const location: LocationRequest =
    kind === 'publisher'
      ? { kind, ...shared, createsOnPost: isOn('create_on_post', true) }
      : {
          ...{ kind, ...shared, isLong: (fields.get('polling')?.check(POLLING) ?? 'long') === 'long' },
          createsOnGet: isOn('create_on_get', false),
        }
  return { location, given: store ?? given }
}

function readPattern(given: Given, fields: ReadonlyMap<string, Given>): RegExp {
  const url = fields.get('url')
  const prefix = fields.get('prefix')
  if (url !== undefined) {
    prefix?.check(UNUSED)
    return url.check(PATH_EXPRESSION)
  }
  if (prefix === undefined) throw given.refusal(LOCATION_EXPECTED, 'neither prefix nor url')
  return prefix.check(PATH_PREFIX)
}
