// The places of the hbpush protocol: which paths are whose, and what a location allows. Locations are tried in the order
// of their definition, and the first whose pattern matches the whole path has it, whatever the method.

/** A place of the hbpush protocol; see doc/protocol/hbpush.md. */
export type HbpushLocation = PublisherLocation | SubscriberLocation

/** Matches a whole path as it was sent, and has exactly one group, which is the channel's id. */
type Pattern = RegExp

export interface PublisherLocation {
  readonly kind: 'publisher'
  readonly pattern: Pattern
  /** Name of a store. */
  readonly store: string
  /** Whether a POST makes a channel that is not there. */
  readonly createsOnPost: boolean
}

export interface SubscriberLocation {
  readonly kind: 'subscriber'
  readonly pattern: Pattern
  /** Name of a store. */
  readonly store: string
  /** Whether a GET waits for a message if there is none; otherwise it is answered 304. */
  readonly isLong: boolean
  /** Whether a GET makes a channel that is not there. */
  readonly createsOnGet: boolean
}

/** Name of the store that all other protocols read. */
export const DEFAULT_STORE = 'default'

/** What is there unless it is told otherwise, as in hbpushd. */
export const DEFAULT_LOCATIONS: readonly HbpushLocation[] = [
  { kind: 'publisher', pattern: /^\/publisher\/(.+)$/, store: DEFAULT_STORE, createsOnPost: true },
  {
    kind: 'subscriber',
    pattern: /^\/subscriber\/(.+)$/,
    store: DEFAULT_STORE,
    isLong: true,
    createsOnGet: false,
  },
]
