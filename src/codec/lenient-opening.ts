// The first delimiter of what cameras and bridges send: not always with the boundary that the Content-Type names, if it
// names one at all. What a msgbus sends needs none of this. Runs in browsers.

import { CR, DASH, indexOfByte, LF, latin1Text } from './bytes.ts'
import { Delimiter, MAX_DELIMITER_BYTES, multipartFault, NO_DELIMITER, UNDECIDED } from './delimiter.ts'
import type { Opening } from './preamble.ts'

/** Takes the boundary as it is named, without the dashes that cameras name with it, or from the first line. */
export class LenientOpening implements Opening {
  #delimiter: Delimiter | null
  // Cameras name the boundary with the dashes that go before it; their delimiter is then the name itself.
  readonly #cameraDelimiter: Delimiter | null

  /**
   * @param boundary As the Content-Type names it, or null to take it from the first line that is not empty.
   * @throws {MsgbusError} `MSGBUS_MULTIPART` for a boundary that cannot be one.
   */
  constructor(boundary: string | null) {
    this.#delimiter = boundary === null ? null : new Delimiter(boundary)
    const hasDashes = boundary !== null && boundary.length > 2 && boundary.startsWith('--')
    this.#cameraDelimiter = hasDashes ? new Delimiter(boundary.slice(2)) : null
  }

  get delimiter(): Delimiter | null {
    return this.#delimiter
  }

  /** @throws {MsgbusError} `MSGBUS_MULTIPART` if the boundary is to be taken from a line that has none. */
  readAt(bytes: Uint8Array, at: number, end: number): number {
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
