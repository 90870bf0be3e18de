// A place in the sequence of a bus, and how it is written: the id of the message that it stands behind; and a moment, which
// is a place on one channel by the clock. Every resume token of every protocol maps to one of them. Runs in browsers.

/** Behind message `seq` of this epoch; behind nothing when `seq` is 0. */
export interface Cursor {
  /** Names one unbroken sequence: 1 to 32 lower-case hexadecimal digits. */
  readonly epoch: string
  /** Whole number from 0. */
  readonly seq: number
}

/** Behind the message of one channel that has this second and this ordinal; -1 is before the first of that second. */
export interface Moment {
  /** Since 1970. */
  readonly second: number
  readonly ordinal: number
}

const WRITTEN = /^([0-9a-f]{1,32})-(0|[1-9]\d{0,15})$/

/** Writes `epoch-seq`, which for a message is its id. */
export function formatCursor({ epoch, seq }: Cursor): string {
  return `${epoch}-${seq}`
}

/** Reads `epoch-seq`; null for anything else. */
export function parseCursor(text: string): Cursor | null {
  const [, epoch, digits] = WRITTEN.exec(text) ?? []
  const seq = Number(digits)
  return epoch === undefined || !Number.isSafeInteger(seq) ? null : { epoch, seq }
}

/** Whole seconds of a time in milliseconds. */
export function secondOf(timeMs: number): number {
  return Math.floor(timeMs / 1000)
}

/** True for a moment that comes after another one. */
export function isAfter({ second, ordinal }: Moment, other: Moment): boolean {
  return second > other.second || (second === other.second && ordinal > other.ordinal)
}

/** The later one of two moments. */
export function later(one: Moment, other: Moment): Moment {
  const { second, ordinal } = isAfter(one, other) ? one : other
  return { second, ordinal }
}

/** True for a message that comes after a moment of its channel. */
export function isMessageAfter(
  { time, ordinal }: { readonly time: number; readonly ordinal: number },
  moment: Moment,
): boolean {
  return isAfter({ second: secondOf(time), ordinal }, moment)
}

/** How a reader is told whether it goes on where it wanted to. */
export function formatResume({
  missedCount,
  isReset,
}: {
  readonly missedCount: number
  readonly isReset: boolean
}): string {
  if (isReset) return 'reset'
  return missedCount > 0 ? `gap; missed=${missedCount}` : 'ok'
}
