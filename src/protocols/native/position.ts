// Where a reader wants to begin, from `since=` and `Last-Event-ID`, and how it is told where it does (doc/protocol/native.md,
// "Resume").

import { formatCursor, formatResume, parseCursor } from '../../cursor.ts'
import { MsgbusError } from '../../errors.ts'
import type { Place, Start } from '../../store/store.ts'

const MS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

const DURATION = /^(\d{1,12})(ms|s|m|h|d)$/
const SECONDS = /^\d{1,11}(?:\.\d{1,6})?$/
const DATE_TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/
const LAST = /^-\d{1,9}$/

const EXPECTED = 'expected an id, a time, a duration such as 10m, -N or all'

/**
 * @param since Decides, if given: an id, seconds since 1970, a date and time [RFC 3339], a duration back, `-N` or `all`.
 * @param lastEventId Only an id; an empty one says nothing [WHATWG HTML §9.2.3].
 * @returns null when nothing was asked for.
 * @throws {MsgbusError} `MSGBUS_QUERY`, `MSGBUS_CURSOR`.
 */
export function readStart(
  since: string | undefined,
  lastEventId: string | undefined,
  nowMs: number,
): Start | null {
  if (since !== undefined) return readSince(since, nowMs)
  if (lastEventId === undefined || lastEventId === '') return null
  const cursor = parseCursor(lastEventId)
  if (cursor === null) {
    throw new MsgbusError('MSGBUS_CURSOR', 'Cannot read "Last-Event-ID": expected the id of a message')
  }
  return { kind: 'after', cursor }
}

function readSince(text: string, nowMs: number): Start {
  if (text === 'all') return { kind: 'all' }
  if (LAST.test(text)) return { kind: 'last', count: Number(text.slice(1)) }
  if (SECONDS.test(text)) return { kind: 'time', timeMs: Number(text) * 1_000 }
  const durationMs = readDuration(text)
  if (durationMs !== null) return { kind: 'time', timeMs: nowMs - durationMs }
  const timeMs = DATE_TIME.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : NaN
  if (!Number.isNaN(timeMs)) return { kind: 'time', timeMs }
  const cursor = parseCursor(text)
  if (cursor === null) throw new MsgbusError('MSGBUS_QUERY', `Cannot read "since" in the query: ${EXPECTED}`)
  return { kind: 'after', cursor }
}

// What no month has, such as February 30, would be read as a day of the next one.
function isDay(date: string): boolean {
  const timeMs = Date.parse(date)
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString().startsWith(date)
}

/** Milliseconds of `10m` and the like, null for what is no duration. */
export function readDuration(text: string): number | null {
  const [, digits, unit = ''] = DURATION.exec(text) ?? []
  const scale = MS_PER_UNIT.get(unit)
  return digits === undefined || scale === undefined ? null : Number(digits) * scale
}

/** Lines of the response head: where it begins, and whether that is where the reader wanted to. */
export function placeHeaders(epoch: string, { seq, missedCount, isReset }: Place, start: Start | null) {
  const position = ['Msgbus-Position', formatCursor({ epoch, seq })]
  if (start === null) return position
  return [...position, 'Msgbus-Resume', formatResume({ missedCount, isReset })]
}
