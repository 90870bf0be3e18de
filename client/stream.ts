// What the ways of reading a stream have in common: what is asked for, and what comes. Runs in browsers.

import { type Access, ask, encodePath, identify } from './access.ts'
import type { Incoming } from './message.ts'
import { inTime } from './reading.ts'

export type SlowPolicy = 'drop' | 'latest' | 'close'

/** What a connection reads. */
export interface StreamRequest {
  /** Of a matcher: `a/b`, `a/`, or the empty string for everything. */
  readonly paths: readonly string[]
  readonly type?: string | undefined
  readonly sender?: string | undefined
  readonly slow?: SlowPolicy | undefined
  /** Where to begin, in any spelling that the server knows; null for what comes from now on. */
  readonly since: string | null
}

/** An answer that has begun. */
export interface Stream {
  /** The place that it starts from; null if the server does not say. */
  readonly position: string | null
  /** Messages lost between `since` and that place; null for some of which nobody knows how many. */
  readonly lost: number | null
  /** What the server asks to wait for before the next attempt; 0 if it does not. */
  retryMs: number
  /**
   * What came together; ends when the server ends it in good order. Has to be read to its end or aborted.
   * @throws {MsgbusError} `MSGBUS_STREAM_CUT`, `MSGBUS_MULTIPART`, `MSGBUS_BODY_TOO_LARGE`, `MSGBUS_NOT_MSGBUS`.
   */
  readonly batches: AsyncIterable<readonly Incoming[]>
}

/**
 * Opens a stream, and resolves when the server has begun to answer.
 * @param controller Ends it when aborted, and is aborted by it when the server falls silent.
 * @throws {MsgbusError} As `ask`.
 */
export type OpenStream = (
  access: Access,
  request: StreamRequest,
  controller: AbortController,
) => Promise<Stream>

/** URL of a stream. @param form What says which form it is to have, in the query. */
export function streamUrl({ url }: Access, { paths, ...query }: StreamRequest, form: string): string {
  const pairs = Object.entries(query).map(([name, value]) =>
    typeof value === 'string' ? `&${name}=${encodeURIComponent(value)}` : '',
  )
  return `${url}${paths.map(encodePath).join(',')}?${form}${pairs.join('')}`
}

/** Asks for a stream. @throws {MsgbusError} As `ask`; `MSGBUS_STREAM_CUT` if there is no answer in time. */
export function get(access: Access, url: string, controller: AbortController): Promise<Response> {
  const { signal } = controller
  return inTime(ask(access, url, { headers: identify(access), signal }), controller)
}

/** What the head of an answer says about its place in the sequence. */
export function readPlace({ headers }: Response, since: string | null): Pick<Stream, 'position' | 'lost'> {
  const resume = headers.get('msgbus-resume') ?? ''
  const [, missed] = /missed=(\d+)/.exec(resume) ?? []
  const lost = since === null || resume === 'ok' ? 0 : missed === undefined ? null : Number(missed)
  return { position: headers.get('msgbus-position'), lost }
}

/** Whether an id stands behind a place; if they cannot be compared, it does. */
export function isBehind(id: string, place: string): boolean {
  const [epoch, seq] = place.split('-')
  const [ownEpoch, ownSeq] = id.split('-')
  return epoch !== ownEpoch || !(Number(ownSeq) <= Number(seq))
}
