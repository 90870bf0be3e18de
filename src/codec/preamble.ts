// What stands before the first part of a multipart body, up to and including the first delimiter line. Keeps no text.
// Runs in browsers.

import { CR, indexOfByte, LF } from './bytes.ts'
import { CLOSING, Delimiter, multipartFault, NO_DELIMITER, UNDECIDED } from './delimiter.ts'

// A publisher that named the wrong boundary learns it after this much, instead of never.
const MAX_PREAMBLE_BYTES = 64 * 1024

/** What a body fails with that has no delimiter. */
export const NO_BOUNDARY = 'no boundary was found'

/** Knows the first delimiter line: a `Delimiter`, or what learns from the body which one it is. */
export interface Opening {
  /** The one that was read; null as long as it is not known. */
  readonly delimiter: Delimiter | null
  /** @see Delimiter.readAt */
  readAt(bytes: Uint8Array, at: number, end: number): number
}

/** Looks for the first delimiter line. */
export class Preamble {
  /** True when the first delimiter is the closing one: a body without parts. */
  isClosed = false
  /** True when there was anything but empty lines. */
  hasText = false
  readonly #opening: Opening
  #isFound = false
  #byteCount = 0
  #isLineStart = true

  /**
   * @param opening A boundary as the Content-Type names it, or what finds out which one it is.
   * @throws {MsgbusError} `MSGBUS_MULTIPART` for a boundary that cannot be one.
   */
  constructor(opening: string | Opening) {
    this.#opening = typeof opening === 'string' ? new Delimiter(opening) : opening
  }

  /** The one that was found, or null as long as none was. */
  get delimiter(): Delimiter | null {
    return this.#isFound ? this.#opening.delimiter : null
  }

  /**
   * Reads on, up to the end of the first delimiter line.
   * @returns Position of the first byte that was not used.
   * @throws {MsgbusError} `MSGBUS_MULTIPART` after 64 KiB without a delimiter, and what the opening throws.
   */
  read(bytes: Uint8Array, from: number, end: number): number {
    let at = from
    while (at < end) {
      if (this.#isLineStart) {
        const next = this.#opening.readAt(bytes, at, end)
        if (next === UNDECIDED) return at
        if (next !== NO_DELIMITER) {
          this.#isFound = true
          this.isClosed = next === CLOSING
          return this.isClosed ? end : next
        }
      }
      at = this.#skipLine(bytes, at, end)
    }
    return at
  }

  #skipLine(bytes: Uint8Array, at: number, end: number): number {
    const lineFeed = indexOfByte(bytes, LF, at, end)
    const next = lineFeed === -1 ? end : lineFeed + 1
    this.#byteCount += next - at
    if (this.#byteCount > MAX_PREAMBLE_BYTES) {
      throw multipartFault(NO_BOUNDARY)
    }
    this.hasText ||= bytes.subarray(at, next).some(byte => byte !== CR && byte !== LF)
    this.#isLineStart = lineFeed !== -1
    return next
  }
}
