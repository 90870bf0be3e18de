// What a GET asks for: its channels, filters, form and place, read from URL and headers. Nothing is opened here.

import { MsgbusError } from '../../errors.ts'
import { Filter } from '../../filter.ts'
import type { Exchange } from '../../http/exchange.ts'
import { SLOW_POLICIES, type SlowPolicy } from '../../http/stream-sink.ts'
import { hasWord, parseQuery } from '../../http/target.ts'
import { type Matcher, parseMatcher } from '../../matcher.ts'
import type { Start } from '../../store/store.ts'
import { readDuration, readStart } from './position.ts'
import { chooseReader, type Reader } from './reader.ts'
import { asksForWebSocket } from './websocket.ts'

const MAX_WAIT_MS = 300_000

export interface Reading {
  readonly reader: Reader
  readonly matcher: Matcher
  readonly filter: Filter
  readonly slow: SlowPolicy
  readonly start: Start | null
  /** How long an answer that has an end may wait for its first message; null for an endless one. */
  readonly waitMs: number | null
}

/**
 * @param rest The path behind the prefix.
 * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME`, `MSGBUS_FILTER`, `MSGBUS_QUERY`, `MSGBUS_CURSOR`.
 */
export function readRequest(exchange: Exchange, rest: string, framing: 'standard' | '2008'): Reading {
  const { target, req } = exchange
  const query = parseQuery(target.query)
  const lastEventId = req.headers['last-event-id']
  const form = chooseReader(req.headers, query, framing)
  const reader = asksForWebSocket(req) ? socketReader(query) : form
  return {
    matcher: parseMatcher(rest),
    filter: new Filter({ type: query.get('type'), sender: query.get('sender') }),
    reader,
    slow: slowPolicy(query.get('slow'), reader),
    start: readStart(query.get('since'), lastEventId?.toString(), Date.now()),
    waitMs: readWait(query.get('wait'), query.has('poll') || hasWord(target.query, 'poll')),
  }
}

function socketReader(query: ReadonlyMap<string, string>): Reader {
  return query.has('envelope') ? 'envelope frames' : 'frames'
}

// Of a picture only the newest counts. Anything else is worth keeping in order, and a loss is told with the next part.
function slowPolicy(text: string | undefined, reader: Reader): SlowPolicy {
  if (text === undefined) return reader === 'picture' ? 'latest' : 'drop'
  const policy = SLOW_POLICIES.find(known => known === text)
  if (policy === undefined)
    throw new MsgbusError('MSGBUS_QUERY', `Cannot read "slow" in the query: expected drop, latest or close`)
  return policy
}

function readWait(text: string | undefined, isPoll: boolean): number | null {
  if (text === undefined) return isPoll ? 0 : null
  const waitMs = readDuration(text)
  if (waitMs === null || waitMs > MAX_WAIT_MS)
    throw new MsgbusError(
      'MSGBUS_QUERY',
      'Cannot read "wait" in the query: expected a duration up to 5m, such as 30s',
    )
  return waitMs
}
