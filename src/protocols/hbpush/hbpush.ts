// The hbpush protocol (doc/protocol/hbpush.md): publisher and subscriber locations, chosen by pattern. It has no prefix of
// its own: it says itself which paths are its own.

import type { Bus } from '../../bus/bus.ts'
import { type Census, waitingKey } from '../../bus/census.ts'
import { MsgbusError } from '../../errors.ts'
import { type Exchange, hasBody } from '../../http/exchange.ts'
import type { PatternMount } from '../../http/router.ts'
import { answerError } from './answers.ts'
import type { HbpushLocation } from './location.ts'
import { Publisher, type PublisherOptions } from './publisher.ts'
import { createRealm, type Realm } from './realm.ts'
import { subscribe } from './subscriber.ts'

export interface HbpushOptions extends PublisherOptions {
  /** In the order in which they are tried. */
  readonly locations: readonly HbpushLocation[]
  /** By name of their store. */
  readonly buses: ReadonlyMap<string, Bus>
  /** Aborted when the server begins to close. */
  readonly closing: AbortSignal
  /** Of the other processes that serve these buses. */
  readonly census: () => Census
}

export interface Hbpush extends PatternMount {
  /** Subscribers that wait in this process, by `waitingKey`. */
  countWaiting(): ReadonlyMap<string, number>
}

/** What a poller is told over and over, and goes on behind. */
const PASSING_CODES: ReadonlySet<string> = new Set(['MSGBUS_CURSOR', 'MSGBUS_GONE', 'MSGBUS_NOT_FOUND'])

/** @throws {RangeError} for a location whose store is not there. */
export function createHbpush(options: HbpushOptions): Hbpush {
  const publisher = new Publisher(options)
  const realms = createRealms(options)
  const places = options.locations.map(location => ({ location, realm: realmOf(location, realms) }))
  const serve = async (exchange: Exchange, { location, realm }: Place, id: string): Promise<void> => {
    try {
      if (location.kind === 'publisher') await publisher.handle(exchange, realm, location, id)
      else await subscribe(exchange, realm, location, id)
    } catch (error) {
      if (!(error instanceof MsgbusError) || !PASSING_CODES.has(error.code) || hasBody(exchange.req))
        throw error
      answerError(exchange, error)
    }
  }
  return {
    match: path => {
      for (const place of places) {
        const found = place.location.pattern.exec(path)
        if (found !== null) return exchange => serve(exchange, place, found[1] ?? '')
      }
      return null
    },
    countWaiting: () =>
      new Map(
        [...realms].flatMap(([store, { waiters }]) =>
          [...waiters.counts].map(([channel, count]) => [waitingKey(store, channel), count] as const),
        ),
      ),
  }
}

interface Place {
  readonly location: HbpushLocation
  readonly realm: Realm
}

function createRealms({ buses, closing, locations, census }: HbpushOptions): ReadonlyMap<string, Realm> {
  const names = new Set(locations.map(({ store }) => store))
  return new Map(
    [...buses]
      .filter(([name]) => names.has(name))
      .map(([name, bus]) => {
        const countElsewhere = (channel: string): number => {
          const { waiting } = census().others
          return waiting.size === 0 ? 0 : (waiting.get(waitingKey(name, channel)) ?? 0)
        }
        return [name, createRealm(bus, closing, countElsewhere)]
      }),
  )
}

function realmOf({ store, pattern }: HbpushLocation, realms: ReadonlyMap<string, Realm>): Realm {
  const realm = realms.get(store)
  if (realm === undefined) {
    throw new RangeError(`Cannot serve ${String(pattern)}: there is no store "${store}"`)
  }
  return realm
}
