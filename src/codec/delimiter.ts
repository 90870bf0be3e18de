// The line that separates the parts of a multipart body: its name in the Content-Type, and how it looks in the bytes,
// in the form of RFC 2046 and in that of the first msgbus. Knows nothing of parts. Runs in browsers.

import { MsgbusError } from '../errors.ts'
import { ByteSearch, CR, DASH, isBlank, LF, startsAt } from './bytes.ts'

/**
 * Boundary of the first msgbus (2008), which put no line end between a body and the delimiter that follows it.
 * A stream with this name is read that way.
 */
export const BOUNDARY_2008 = '00MsgBus00'

/** Answer of `Delimiter.readAt`: the bytes end before it can be told. */
export const UNDECIDED = -1
/** Answer of `Delimiter.readAt`: something else stands there. */
export const NO_DELIMITER = -2
/** Answer of `Delimiter.readAt`: the delimiter that ends the whole body. */
export const CLOSING = -3

// [RFC 2046 §5.1.1] 1 to 70 characters, no blank at the end. The RFC allows fewer characters than cameras use.
const BOUNDARY = /^[\x21-\x7e](?:[\x20-\x7e]{0,68}[\x21-\x7e])?$/

// Blanks that may stand between a delimiter and its line end. The RFC sets no bound; without one, a line of blanks
// would have to be kept for as long as a peer likes to send them.
const MAX_PADDING_BYTES = 64

const UTF8 = new TextEncoder()

/** The longest first line that can be a delimiter: dashes, boundary, closing dashes, blanks, line end. */
export const MAX_DELIMITER_BYTES = 2 + 70 + 2 + MAX_PADDING_BYTES + 2

// One parameter. Each quoted value is taken whole, so that a `;boundary=` inside of one is text.
const PARAMETER = /;[ \t]*([^\s=;"]*)[ \t]*(?:=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;]*)))?/g

/**
 * Takes the boundary from a Content-Type, quoted or not, whatever the other parameters; null if there is none.
 * The first one wins. Whether it can be a boundary is checked where it is used.
 */
export function boundaryOf(contentType: string): string | null {
  for (const [, name, quoted, plain] of contentType.matchAll(PARAMETER)) {
    if (name?.toLowerCase() !== 'boundary') continue
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain?.trim() ?? ''
    return value === '' ? null : value
  }
  return null
}

/** One boundary, ready to be recognised. */
export class Delimiter {
  /** True for the form of 2008: a delimiter may stand anywhere, no line end goes before it. */
  readonly isBare: boolean
  readonly #line: Uint8Array
  readonly #search: ByteSearch

  /** @throws {MsgbusError} `MSGBUS_MULTIPART` if it is empty, longer than 70 characters or not visible ASCII. */
  constructor(boundary: string) {
    if (!BOUNDARY.test(boundary)) {
      throw multipartFault('the boundary is not 1 to 70 characters')
    }
    this.isBare = boundary === BOUNDARY_2008
    this.#line = UTF8.encode(`--${boundary}`)
    this.#search = new ByteSearch(this.isBare ? this.#line : UTF8.encode(`\n--${boundary}`))
  }

  /** Itself: as an opening, it is known beforehand. */
  get delimiter(): this {
    return this
  }

  /**
   * Reads a delimiter whose first dash stands at `at`: the boundary and then blanks and a line end, or two dashes.
   * A longer word is no delimiter.
   * @returns Where the next line begins, or `UNDECIDED`, `NO_DELIMITER`, `CLOSING`, which are all below zero.
   */
  readAt(bytes: Uint8Array, at: number, end: number): number {
    const line = this.#line
    const after = at + line.length
    if (after >= end) return startsAt(bytes, at, line, end - at) ? UNDECIDED : NO_DELIMITER
    if (!startsAt(bytes, at, line, line.length)) return NO_DELIMITER
    let next = after
    while (next < end && isBlank(bytes[next])) next++
    if (next - after > MAX_PADDING_BYTES) return NO_DELIMITER
    if (next === end) return UNDECIDED
    const first = bytes[next]
    if (first === LF) return next + 1
    const isClosing = first === DASH && next === after
    if (first !== CR && !isClosing) return NO_DELIMITER
    if (next + 1 === end) return UNDECIDED
    const second = bytes[next + 1]
    if (isClosing) return second === DASH ? CLOSING : NO_DELIMITER
    return second === LF ? next + 2 : NO_DELIMITER
  }

  /**
   * Position in a body from which a delimiter may begin: that of the line feed before it, or of its first dash in the
   * form of 2008. -1 if the bytes hold none; what stands there must still be read.
   */
  indexIn(bytes: Uint8Array, from: number, end: number): number {
    return this.#search.indexIn(bytes, from, end)
  }

  /** Position of the first dash, given one that `indexIn` found. */
  lineAt(found: number): number {
    return this.isBare ? found : found + 1
  }

  /** Position near the end from which a delimiter may have begun without being complete, or `end`. */
  beginningIn(bytes: Uint8Array, from: number, end: number): number {
    for (let at = Math.max(from, end - this.#line.length); at < end; at++) {
      if (!this.isBare && bytes[at] !== LF) continue
      if (this.readAt(bytes, this.lineAt(at), end) === UNDECIDED) return at
    }
    return end
  }
}

/** What a stream that is no multipart body, or a broken one, fails with. */
export function multipartFault(text: string): MsgbusError {
  return new MsgbusError('MSGBUS_MULTIPART', `Cannot read multipart body: ${text}`)
}
