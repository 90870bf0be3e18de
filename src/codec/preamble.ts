// What stands before the first part of a multipart body, up to and including the first delimiter line, and with it the
// question of what the delimiter is. Keeps no text. Runs in browsers.

import { CR, DASH, indexOfByte, LF, latin1Text } from './bytes.ts'
import {
  CLOSING,
  Delimiter,
  MAX_DELIMITER_BYTES,
  multipartFault,
  NO_DELIMITER,
  UNDECIDED,
} from './delimiter.ts'

// A publisher that named the wrong boundary learns it after this much, instead of never.
const MAX_PREAMBLE_BYTES = 64 * 1024

/** Looks for the first delimiter line. */
export class Preamble {
  /** True when the first delimiter is the closing one: a body without parts. */
  isClosed = false
  /** True when there was anything but empty lines. */
  hasText = false
  #delimiter: Delimiter | null
  #isFound = false
  // Cameras name the boundary with the dashes that go before it; their delimiter is then the name itself.
  readonly #cameraDelimiter: Delimiter | null
  #byteCount = 0
  #isLineStart = true

  /**
   * @param boundary As the Content-Type names it, or null to take it from the first line that is not empty.
   * @throws {MsgbusError} `MSGBUS_MULTIPART` for a boundary that cannot be one.
   */
  constructor(boundary: string | null) {
    this.#delimiter = boundary === null ? null : new Delimiter(boundary)
    const hasDashes = boundary !== null && boundary.length > 2 && boundary.startsWith('--')
    this.#cameraDelimiter = hasDashes ? new Delimiter(boundary.slice(2)) : null
  }

  /** The one that was found, or null as long as none was. */
  get delimiter(): Delimiter | null {
    return this.#isFound ? this.#delimiter : null
  }

  /**
   * Reads on, up to the end of the first delimiter line.
   * @returns Position of the first byte that was not used.
   * @throws {MsgbusError} `MSGBUS_MULTIPART` after 64 KiB without a delimiter, and if the boundary is to be taken from
   *   the first line and that line has none.
   */
  read(bytes: Uint8Array, from: number, end: number): number {
    let at = from
    while (at < end) {
      if (this.#isLineStart) {
        const next = this.#readDelimiter(bytes, at, end)
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

  #readDelimiter(bytes: Uint8Array, at: number, end: number): number {
    if (this.#delimiter === null) {
      if (bytes[at] === CR || bytes[at] === LF) return NO_DELIMITER
      const boundary = readBoundary(bytes, at, end)
      if (boundary === null) return UNDECIDED
      this.#delimiter = new Delimiter(boundary)
    }
    const next = this.#delimiter.readAt(bytes, at, end)
    if (next !== NO_DELIMITER || this.#cameraDelimiter === null) return next
    const cameraNext = this.#cameraDelimiter.readAt(bytes, at, end)
    if (cameraNext !== NO_DELIMITER && cameraNext !== UNDECIDED) this.#delimiter = this.#cameraDelimiter
    return cameraNext
  }

  #skipLine(bytes: Uint8Array, at: number, end: number): number {
    const lineFeed = indexOfByte(bytes, LF, at, end)
    const next = lineFeed === -1 ? end : lineFeed + 1
    this.#byteCount += next - at
    if (this.#byteCount > MAX_PREAMBLE_BYTES) {
      throw multipartFault(`no line with the boundary was found in the first ${MAX_PREAMBLE_BYTES} bytes`)
    }
    for (let i = at; i < next && !this.hasText; i++) this.hasText = bytes[i] !== CR && bytes[i] !== LF
    this.#isLineStart = lineFeed !== -1
    return next
  }
}

/** Takes the boundary from a first line, `--` and then the boundary; null if the line is not complete. */
function readBoundary(bytes: Uint8Array, at: number, end: number): string | null {
  const lineFeed = indexOfByte(bytes, LF, at, Math.min(end, at + MAX_DELIMITER_BYTES))
  const isFirstDash = bytes[at] === DASH && (at + 1 === end || bytes[at + 1] === DASH)
  if (!isFirstDash || (lineFeed === -1 && end - at >= MAX_DELIMITER_BYTES)) {
    throw multipartFault('the first line is not two dashes and a boundary')
  }
  if (lineFeed === -1) return null
  const line = latin1Text(bytes, at + 2, lineFeed).replace(/[ \t\r]+$/, '')
  return line.endsWith('--') ? line.slice(0, -2) : line
}
