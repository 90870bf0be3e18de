// Reads a multipart body piece by piece and hands out each part as soon as it is complete: what publishers push to
// the server, and what a stream of msgbus sends to its readers. Holds no more than one part and has no clock: whether
// a peer is too slow is for the caller to say. Hot path: parts are many and small, so nothing is searched for that a
// Content-Length tells. Runs in browsers.

import { MsgbusError } from '../errors.ts'
import { BodyMemory, GatheredBody } from './body-memory.ts'
import { CR, DASH, LF } from './bytes.ts'
import { CLOSING, type Delimiter, multipartFault, NO_DELIMITER, UNDECIDED } from './delimiter.ts'
import { beginsPing, HeaderBlock, NO_HEADER_LINE } from './header-block.ts'
import { HeldBytes } from './held-bytes.ts'
import { NO_BOUNDARY, type Opening, Preamble } from './preamble.ts'

export { boundaryOf } from './delimiter.ts'

/** One complete part. */
export interface Part {
  /**
   * Names in lower case, values without the blanks around them, one character per byte (U+0000 to U+00FF).
   * Of lines with one name the first counts; `Msgbus-Ping` lines belong to no part and are left out.
   */
  readonly headers: ReadonlyMap<string, string>
  /**
   * The caller's to keep: nothing writes to it again. Small ones are views into a block of 8 KiB that holds other
   * bodies too, so `body.buffer` must not be transferred to a worker.
   */
  readonly body: Uint8Array<ArrayBuffer>
}

/** What a parser must know before the first byte. */
export interface MultipartParserOptions {
  /**
   * As the Content-Type names it (see `boundaryOf`), without the two dashes that go before it in the body; or what
   * learns it from the body, as `LenientOpening`.
   */
  readonly boundary: string | Opening
  /** The longest body of one part. */
  readonly maxBodyBytes: number
  /** Called within `push`, in order. What it throws ends the parser like an error of its own. */
  onPart(part: Part): void
}

// What is read next. Numbers, since it is asked for at every step.
const HEADERS = 0
/** A body without Content-Length. */
const OPEN_BODY = 1
const COUNTED_BODY = 2
/** From the end of a counted body to the end of the delimiter. */
const AFTER_BODY = 3
const ENDED = 4
type State = 0 | 1 | 2 | 3 | 4

/**
 * Reads one multipart body.
 *
 * A part with a Content-Length is handed out when so many bytes are there; a delimiter must follow them. One without is
 * handed out when the delimiter after it is complete. Lines may end in LF alone. Anything may stand before the first
 * delimiter (at most 64 KiB) and after the closing one. Header lines that come again and again add up to nothing.
 */
export class MultipartParser {
  readonly #options: MultipartParserOptions
  readonly #preamble: Preamble
  readonly #headers = new HeaderBlock()
  readonly #memory = new BodyMemory()
  readonly #held = new HeldBytes()
  #state: State = HEADERS
  // How much of the line or open body at the head of what is held was searched before.
  #searchedBytes = 0
  // A line end must go before the delimiter, unless the body is empty and the one of the empty line does for it.
  #isLineEndDue = false
  // A counted body that comes in more than one piece.
  #gathered: GatheredBody | null = null
  #failure: { readonly error: unknown } | null = null

  /**
   * @throws {MsgbusError} `MSGBUS_MULTIPART` for a boundary that cannot be one.
   * @throws {RangeError} For a `maxBodyBytes` that is below zero or no number.
   */
  constructor(options: MultipartParserOptions) {
    const { boundary, maxBodyBytes } = options
    if (!(maxBodyBytes >= 0)) throw new RangeError(`Cannot set "maxBodyBytes" to ${maxBodyBytes}`)
    this.#options = options
    this.#preamble = new Preamble(boundary)
  }

  /** Whether a part has begun and is not complete, so that the body must not end here. A ping does not begin one. */
  get isInsidePart(): boolean {
    if (this.#state === OPEN_BODY || this.#state === COUNTED_BODY) return true
    return this.#state === HEADERS && (this.#headers.hasBegun || this.#holdsHeaderText())
  }

  /** Whether the first delimiter has been seen. */
  get hasBegun(): boolean {
    return this.#preamble.delimiter !== null
  }

  /** Whether the closing delimiter has been seen: nothing can be missing behind it. */
  get isClosed(): boolean {
    return this.#state === ENDED
  }

  /** Bytes taken of the part that is not complete, for whoever judges how fast it comes. */
  get bufferedByteCount(): number {
    const gatheredBytes = this.#gathered?.filledByteCount ?? 0
    return this.#headers.keptByteCount + gatheredBytes + this.#held.end - this.#held.start
  }

  /**
   * Takes the next bytes, however cut. What is needed of them is copied: the caller may use their memory again.
   * @throws {MsgbusError} `MSGBUS_MULTIPART` or `MSGBUS_BODY_TOO_LARGE` as soon as it is known, and the same error in
   *   every call after that. The parts before have been handed out.
   */
  push(bytes: Uint8Array): void {
    this.#guard(() => {
      // A plain view of a Buffer: code that sees one class of array only is the faster.
      const input = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const from = this.#gathered === null ? 0 : this.#gather(this.#gathered, input, 0, input.length)
      const held = this.#held
      if (held.isEmpty) {
        held.append(input, this.#parse(input, from, input.length), input.length)
      } else {
        held.append(input, from, input.length)
        held.consume(this.#parse(held.bytes, held.start, held.end))
      }
    })
  }

  /**
   * Says that the body is over. That is fine after a complete part, a delimiter line or a ping, with or without the
   * closing delimiter.
   * @throws {MsgbusError} `MSGBUS_MULTIPART` in the middle of a part, and when there was text but no boundary.
   */
  end(): void {
    this.#guard(() => {
      if (this.isInsidePart) throw multipartFault('the stream ended in the middle of a part')
      if (this.#preamble.delimiter === null && (this.#preamble.hasText || !this.#held.isEmpty)) {
        throw multipartFault(NO_BOUNDARY)
      }
    })
  }

  #guard(step: () => void): void {
    if (this.#failure !== null) throw this.#failure.error
    try {
      step()
    } catch (error) {
      this.#failure = { error }
      this.#held.clear()
      this.#gathered = null
      throw error
    }
  }

  /** Reads as far as possible; returns the position of the first byte that has to wait for more. */
  #parse(bytes: Uint8Array, from: number, end: number): number {
    let at = from
    if (this.#preamble.delimiter === null) {
      at = this.#preamble.read(bytes, at, end)
      if (this.#preamble.isClosed) this.#state = ENDED
    }
    const delimiter = this.#preamble.delimiter
    while (delimiter !== null && at < end) {
      const state = this.#state
      const next = this.#step(delimiter, bytes, at, end)
      if (next === at && state === this.#state) break
      at = next
    }
    return at
  }

  #step(delimiter: Delimiter, bytes: Uint8Array, at: number, end: number): number {
    switch (this.#state) {
      case HEADERS:
        return this.#readHeaders(delimiter, bytes, at, end)
      case OPEN_BODY:
        return this.#readOpenBody(delimiter, bytes, at, end)
      case COUNTED_BODY:
        return this.#readCountedBody(bytes, at, end)
      case AFTER_BODY:
        return this.#readAfterBody(delimiter, bytes, at, end)
      case ENDED:
        return end
    }
  }

  #readHeaders(delimiter: Delimiter, bytes: Uint8Array, from: number, end: number): number {
    const headers = this.#headers
    let at = from
    while (at < end && this.#state === HEADERS) {
      const first = bytes[at]
      if (first === LF || first === CR) return this.#readEmptyLine(bytes, at, end)
      // The delimiter may come again: the closing one after one that was sent ahead of a part, or that of a stream
      // which was begun anew behind a bridge.
      if (first === DASH && !headers.hasBegun) {
        const next = delimiter.readAt(bytes, at, end)
        if (next === UNDECIDED) return at
        if (next !== NO_DELIMITER) {
          at = this.#leaveDelimiter(next, end)
          continue
        }
      }
      const next = headers.readLine(bytes, at, end, at + this.#searchedBytes)
      if (next === -1) {
        this.#searchedBytes = end - at
        return at
      }
      this.#searchedBytes = 0
      if (headers.contentLength > this.#options.maxBodyBytes) throw this.#tooLarge()
      at = next
    }
    return at
  }

  #readEmptyLine(bytes: Uint8Array, at: number, end: number): number {
    let lineFeed = at
    if (bytes[at] === CR) {
      if (++lineFeed === end) return at
      if (bytes[lineFeed] !== LF) throw multipartFault(NO_HEADER_LINE)
    }
    const length = this.#headers.contentLength
    this.#state = length === -1 ? OPEN_BODY : COUNTED_BODY
    // The delimiter of an empty body may use the line end of the empty line, so an open body keeps it.
    if (length === -1) return lineFeed
    if (length === 0) this.#deliver(this.#memory.copy(bytes, at, at), AFTER_BODY)
    return lineFeed + 1
  }

  /** Reads a body that begins behind the line feed at `at`. */
  #readOpenBody(delimiter: Delimiter, bytes: Uint8Array, at: number, end: number): number {
    const start = at + 1
    let from = at + this.#searchedBytes
    for (;;) {
      const found = delimiter.indexIn(bytes, from, end)
      const begin = found === -1 ? delimiter.beginningIn(bytes, from, end) : found
      const next = found === -1 ? UNDECIDED : delimiter.readAt(bytes, delimiter.lineAt(found), end)
      if (next === NO_DELIMITER) {
        from = found + 1
        continue
      }
      // [RFC 2046 §5.1.1] the line end before a delimiter belongs to the delimiter.
      const hasCr = !delimiter.isBare && bytes[begin - 1] === CR
      const bodyEnd = Math.max(start, hasCr ? begin - 1 : begin)
      if (bodyEnd - start > this.#options.maxBodyBytes) throw this.#tooLarge()
      if (next === UNDECIDED) {
        this.#searchedBytes = begin - at
        return at
      }
      this.#searchedBytes = 0
      this.#deliver(this.#memory.copy(bytes, start, bodyEnd), HEADERS)
      return this.#leaveDelimiter(next, end)
    }
  }

  #readCountedBody(bytes: Uint8Array, at: number, end: number): number {
    const length = this.#headers.contentLength
    const next = at + length
    if (next > end) {
      this.#gathered = new GatheredBody(length)
      return this.#gather(this.#gathered, bytes, at, end)
    }
    this.#deliver(this.#memory.copy(bytes, at, next), AFTER_BODY)
    return next
  }

  #gather(gathered: GatheredBody, bytes: Uint8Array, at: number, end: number): number {
    const next = gathered.fill(bytes, at, end)
    const body = gathered.body
    if (body === null) return next
    this.#gathered = null
    this.#deliver(body, AFTER_BODY)
    return next
  }

  #readAfterBody(delimiter: Delimiter, bytes: Uint8Array, at: number, end: number): number {
    let line = at
    if (bytes[line] === CR && ++line === end) return at
    if (bytes[line] === LF) line++
    else if (line > at || (this.#isLineEndDue && !delimiter.isBare)) throw wrongLength()
    const next = delimiter.readAt(bytes, line, end)
    if (next === UNDECIDED) return at
    if (next === NO_DELIMITER) throw wrongLength()
    return this.#leaveDelimiter(next, end)
  }

  #deliver(body: Uint8Array<ArrayBuffer>, state: State): void {
    this.#state = state
    this.#isLineEndDue = body.length > 0
    this.#options.onPart({ headers: this.#headers.take(), body })
  }

  #leaveDelimiter(next: number, end: number): number {
    this.#state = next === CLOSING ? ENDED : HEADERS
    return next === CLOSING ? end : next
  }

  #holdsHeaderText(): boolean {
    const delimiter = this.#preamble.delimiter
    const { bytes, start, end, isEmpty } = this.#held
    if (delimiter === null || isEmpty) return false
    if (bytes[start] === DASH && delimiter.readAt(bytes, start, end) === UNDECIDED) return false
    return !beginsPing(bytes, start, end)
  }

  #tooLarge(): MsgbusError {
    const { maxBodyBytes } = this.#options
    return new MsgbusError(
      'MSGBUS_BODY_TOO_LARGE',
      `Cannot read multipart body: a part is longer than ${maxBodyBytes} bytes`,
    )
  }
}

function wrongLength(): MsgbusError {
  return multipartFault('Content-Length is wrong')
}
