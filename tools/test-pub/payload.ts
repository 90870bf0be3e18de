// The bytes of messages behind their stamps: those of a file, or characters without order.

import { readFileSync } from 'node:fs'
import { UsageError } from '../run-error.ts'
import { STAMP_BYTES } from '../stamp.ts'

const DEFAULT_BODY_BYTES = 100

// Each payload begins somewhere in these first bytes of the pattern, so that no two in a row are alike.
const PATTERN_SHIFT = 4093
const PATTERN_STEP = 61
const FIRST_PRINTABLE = 0x21
const PRINTABLE_COUNT = 94

/** What the options say of it. */
export interface PayloadValues {
  readonly bodyBytes: number | null
  readonly file: string | null
  readonly isUnstamped: boolean
}

/**
 * Makes what the options ask for.
 * @throws {UsageError} for lengths that do not go together, and a file that cannot be read.
 */
export function payloadOf({ bodyBytes, file, isUnstamped }: PayloadValues): Payload {
  const isStamped = !isUnstamped
  if (file !== null) {
    if (bodyBytes !== null) {
      throw new UsageError(
        'command line: "bytes": expected nothing beside "file", which has its own length, found both',
      )
    }
    return Payload.of(readFile(file), isStamped)
  }
  const wantedBytes = bodyBytes ?? DEFAULT_BODY_BYTES
  const stampBytes = isStamped ? STAMP_BYTES : 0
  if (wantedBytes < stampBytes) {
    throw new UsageError(
      `command line: "bytes": expected at least the ${STAMP_BYTES} of a stamp, or "no-stamp", found "${wantedBytes}"`,
    )
  }
  return Payload.pattern(wantedBytes - stampBytes, isStamped)
}

/** What follows the stamp in each message, or is the whole of it. Hot path: `copy`. */
export class Payload {
  readonly isStamped: boolean
  /** Length of a whole message, with its stamp. */
  readonly bodyBytes: number
  readonly #bytes: Buffer
  readonly #shift: number
  readonly #byteCount: number

  private constructor(bytes: Buffer, byteCount: number, isStamped: boolean, shift: number) {
    this.isStamped = isStamped
    this.bodyBytes = byteCount + (isStamped ? STAMP_BYTES : 0)
    this.#bytes = bytes
    this.#byteCount = byteCount
    this.#shift = shift
  }

  /** The same bytes in each message. */
  static of(bytes: Buffer, isStamped: boolean): Payload {
    return new Payload(bytes, bytes.length, isStamped, 1)
  }

  /** Visible characters without order, beginning elsewhere in each message: a piece of another one would not fit in. */
  static pattern(byteCount: number, isStamped: boolean): Payload {
    const bytes = Buffer.allocUnsafe(byteCount + PATTERN_SHIFT)
    let state = 1
    for (let at = 0; at < bytes.length; at++) {
      // [Numerical Recipes, ranqd1]
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      bytes[at] = FIRST_PRINTABLE + ((state >>> 16) % PRINTABLE_COUNT)
    }
    return new Payload(bytes, byteCount, isStamped, PATTERN_SHIFT)
  }

  /** Copies the payload of message `number` to `at`. */
  copy(target: Buffer, at: number, number: number): void {
    const from = (number * PATTERN_STEP) % this.#shift
    this.#bytes.copy(target, at, from, from + this.#byteCount)
  }
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'no reason given'
    throw new UsageError(
      `command line: "file": expected a file that can be read, found ${JSON.stringify(path)} (${reason})`,
    )
  }
}
