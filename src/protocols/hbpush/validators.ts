// The position of a subscriber, as its own answers gave it: `Last-Modified` and `Etag`, which come back as `If-Modified-Since`
// and `If-None-Match`. On one channel they are the second of a message and its ordinal; over several the `Etag` is an id.

import type { IncomingHttpHeaders } from 'node:http'
import { encodeChannel } from '../../channel.ts'
import { isMessageAfter, parseCursor, secondOf } from '../../cursor.ts'
import { MsgbusError } from '../../errors.ts'
import { parseHttpDate } from '../../http/http-date.ts'
import type { Message } from '../../message.ts'
import type { Start } from '../../store/store.ts'

// Bare, as hbpush writes them, or as HTTP would have them.
const ORDINAL = /^(?:W\/)?("?)(-1|\d{1,15})\1$/
const ID = /^(?:W\/)?("?)([0-9a-f]+-\d+)\1$/

/** For every answer to a GET: caches must not take one position for another. */
export const VARY = ['Vary', 'If-Modified-Since, If-None-Match'] as const

/**
 * Reads the position on one channel. Without a date it is before the oldest message [hbpush quirk 20].
 * @throws {MsgbusError} `MSGBUS_CURSOR`.
 */
export function readMoment(headers: IncomingHttpHeaders): Start {
  const { 'if-none-match': etag, 'if-modified-since': date } = headers
  const [, , digits] = etag === undefined ? [] : (ORDINAL.exec(etag) ?? [])
  if (etag !== undefined && digits === undefined) throw unreadable('If-None-Match', 'the Etag of a message')
  const second = readSecond(date)
  return second === null
    ? { kind: 'all' }
    : { kind: 'moment', moment: { second, ordinal: Number(digits ?? -1) } }
}

/**
 * Reads the position in several channels: an id, or else a date.
 * @throws {MsgbusError} `MSGBUS_CURSOR`.
 */
export function readId(headers: IncomingHttpHeaders): Start {
  const { 'if-none-match': etag, 'if-modified-since': date } = headers
  const second = readSecond(date)
  if (etag !== undefined) {
    const cursor = parseCursor(ID.exec(etag)?.[2] ?? '')
    if (cursor === null) throw unreadable('If-None-Match', 'the Etag of an answer to such a request')
    return { kind: 'after', cursor }
  }
  return second === null ? { kind: 'all' } : { kind: 'moment', moment: { second, ordinal: -1 } }
}

function readSecond(date: string | undefined): number | null {
  if (date === undefined) return null
  const second = parseHttpDate(date)
  if (second === null) throw unreadable('If-Modified-Since', 'an HTTP date')
  return second
}

function unreadable(name: string, wanted: string): MsgbusError {
  return new MsgbusError('MSGBUS_CURSOR', `Cannot read "${name}": expected ${wanted}`)
}

/** True for a message that a reader of this position wants: it may be one that is yet to come. */
export function isWanted(message: Message, start: Start): boolean {
  return start.kind !== 'moment' || isMessageAfter(message, start.moment)
}

/**
 * Headers of an answer that is a message, name and value in turn.
 * @param isWide Whether the request names its channels one by one.
 */
export function headersOf({ id, channel, time, ordinal, type }: Message, isWide: boolean): readonly string[] {
  const etag = isWide ? `"${id}"` : `${ordinal}`
  const headers = ['Content-Type', type, 'Last-Modified', dateOf(time), 'Etag', etag, ...VARY]
  return isWide ? [...headers, 'Content-Location', `/msgbus/${encodeChannel(channel)}`] : headers
}

function dateOf(timeMs: number): string {
  return new Date(secondOf(timeMs) * 1000).toUTCString()
}
