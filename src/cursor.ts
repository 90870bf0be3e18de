// A place in the sequence of a bus, and how it is written: the id of the message that it stands behind. Every resume token
// of every protocol maps to one. Runs in browsers.

/** Behind message `seq` of this epoch; behind nothing when `seq` is 0. */
export interface Cursor {
  /** Names one unbroken sequence: 1 to 32 lower-case hexadecimal digits. */
  readonly epoch: string
  /** Whole number from 0. */
  readonly seq: number
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
