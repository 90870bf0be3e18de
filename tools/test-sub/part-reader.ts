// Reads the parts of a msgbus stream as the server writes them, to the byte: lines end in CRLF, every part has a
// Content-Length, and the boundary follows each body at once. Anything else is an error, because this is a test. Bodies
// are handed on in pieces as they come, so that a connection holds next to nothing. Hot path. For any other multipart
// there is the parser in src/codec.

import { RunError } from '../run-error.ts'

const CR = 0x0d
const LF = 0x0a
const DASH = 0x2d
const COLON = 0x3a
const BLANK = 0x20
const DIGIT_ZERO = 0x30

const PING = Buffer.from('msgbus-ping')
const SKIPPED = Buffer.from('msgbus-skipped')
const CONTENT_LENGTH = Buffer.from('content-length')
const LOCATION = Buffer.from('content-location')

const MAX_LINE_CHARACTERS = 16 * 1024
const MAX_DIGITS = 15

export interface PartConsumer {
  /**
   * A body begins.
   * @param skippedCount Messages that the server says this reader has lost right before this one.
   * @param location Content-Location, if there is one.
   */
  onPart(byteCount: number, skippedCount: number, location: string | null): void
  /** The next bytes of the body; all of an empty one are none, and last. */
  onBytes(bytes: Buffer, from: number, to: number, isLast: boolean): void
}

type State = 'delimiter' | 'headers' | 'body' | 'closed'

export class PartReader {
  readonly #consumer: PartConsumer
  // CRLF, two dashes, boundary, CRLF.
  readonly #delimiter: Buffer
  #state: State = 'delimiter'
  // How much of the delimiter was seen. The first one has no line end before it.
  #matchedBytes = 2
  #line = ''
  #hasBegun = false
  #length = -1
  #skippedCount = 0
  #location: string | null = null
  #leftBytes = 0

  constructor(boundary: string, consumer: PartConsumer) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}\r\n`, 'latin1')
    this.#consumer = consumer
  }

  /** True when the stream must not end here. */
  get isInsidePart(): boolean {
    if (this.#state === 'headers') return this.#hasBegun || this.#line !== ''
    return this.#state !== 'closed'
  }

  /** True behind the closing delimiter. */
  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  /**
   * Takes the next bytes.
   * @throws {RunError} for what msgbus does not write.
   */
  push(bytes: Buffer, from: number, end: number): void {
    let at = from
    while (at < end) {
      switch (this.#state) {
        case 'delimiter':
          at = this.#matchDelimiter(bytes, at, end)
          break
        case 'headers':
          at = this.#readLine(bytes, at, end)
          break
        case 'body':
          at = this.#readBody(bytes, at, end)
          break
        case 'closed':
          at = this.#matchEnd(bytes, at)
          break
      }
    }
  }

  #matchDelimiter(bytes: Buffer, from: number, end: number): number {
    const delimiter = this.#delimiter
    let at = from
    let matched = this.#matchedBytes
    while (at < end && matched < delimiter.length && bytes[at] === delimiter[matched]) {
      at++
      matched++
    }
    this.#matchedBytes = matched
    if (matched === delimiter.length) this.#beginHeaders()
    else if (at < end) throw broken('no boundary follows the bytes that Content-Length tells')
    return at
  }

  #beginHeaders(): void {
    this.#state = 'headers'
    this.#hasBegun = false
    this.#length = -1
    this.#skippedCount = 0
    this.#location = null
  }

  #readLine(bytes: Buffer, from: number, end: number): number {
    let lineFeed = from
    while (lineFeed < end && bytes[lineFeed] !== LF) lineFeed++
    const isComplete = lineFeed < end
    if (isComplete && this.#line === '') {
      this.#takeLine(bytes, from, lineFeed)
      return lineFeed + 1
    }
    this.#line += bytes.toString('latin1', from, lineFeed)
    if (this.#line.length > MAX_LINE_CHARACTERS) throw broken('a header line does not end')
    if (!isComplete) return end
    const line = Buffer.from(`${this.#line}\n`, 'latin1')
    this.#line = ''
    this.#takeLine(line, 0, line.length - 1)
    return lineFeed + 1
  }

  /** @param lineFeed Where the line ends. */
  #takeLine(bytes: Buffer, at: number, lineFeed: number): void {
    const end = lineFeed - 1
    if (bytes[end] !== CR || end < at) throw broken('a line ends in LF alone')
    if (end === at) {
      this.#beginBody(bytes, at)
    } else if (bytes[at] === DASH && !this.#hasBegun) {
      this.#takeBoundaryLine(bytes.toString('latin1', at, end))
    } else {
      this.#takeHeader(bytes, at, end)
    }
  }

  // The boundary is sent ahead, so it stands here again when the server closes the stream.
  #takeBoundaryLine(line: string): void {
    const boundary = this.#delimiter.toString('latin1', 2, this.#delimiter.length - 2)
    if (line !== `${boundary}--`) throw broken('a header line begins with a dash')
    this.#state = 'closed'
  }

  #takeHeader(bytes: Buffer, at: number, end: number): void {
    let colon = at
    while (colon < end && bytes[colon] !== COLON) colon++
    if (colon === end || colon === at) throw broken('a header line has no name or no colon')
    if (isName(bytes, at, colon, PING)) return
    this.#hasBegun = true
    if (isName(bytes, at, colon, CONTENT_LENGTH)) {
      if (this.#length !== -1) throw broken('a part has two lengths')
      this.#length = numberIn(bytes, colon + 1, end)
    } else if (isName(bytes, at, colon, SKIPPED)) {
      this.#skippedCount = numberIn(bytes, colon + 1, end)
    } else if (isName(bytes, at, colon, LOCATION)) {
      this.#location = bytes.toString('latin1', colon + 1, end).trim()
    }
  }

  #beginBody(bytes: Buffer, at: number): void {
    if (this.#length === -1) throw broken('a part has no Content-Length')
    this.#consumer.onPart(this.#length, this.#skippedCount, this.#location)
    this.#leftBytes = this.#length
    this.#state = 'body'
    if (this.#length === 0) this.#endBody(bytes, at, at)
  }

  #readBody(bytes: Buffer, at: number, end: number): number {
    if (this.#leftBytes <= end - at) {
      const bodyEnd = at + this.#leftBytes
      this.#endBody(bytes, at, bodyEnd)
      return bodyEnd
    }
    this.#leftBytes -= end - at
    this.#consumer.onBytes(bytes, at, end, false)
    return end
  }

  #endBody(bytes: Buffer, at: number, end: number): void {
    this.#state = 'delimiter'
    this.#matchedBytes = 0
    this.#consumer.onBytes(bytes, at, end, true)
  }

  #matchEnd(bytes: Buffer, at: number): number {
    if (bytes[at] !== CR && bytes[at] !== LF) throw broken('something follows the closing boundary')
    return at + 1
  }
}

/** @param name In lower case. */
function isName(bytes: Buffer, at: number, colon: number, name: Buffer): boolean {
  if (colon - at !== name.length) return false
  // Setting this bit makes letters small and changes nothing else that stands in a name.
  for (let i = 0; i < name.length; i++) if (((bytes[at + i] ?? 0) | 0x20) !== name[i]) return false
  return true
}

function numberIn(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && bytes[at] === BLANK) at++
  let value = 0
  let isNumber = at < end && end - at <= MAX_DIGITS
  for (; at < end; at++) {
    const digit = (bytes[at] ?? 0) - DIGIT_ZERO
    isNumber &&= digit >= 0 && digit <= 9
    value = value * 10 + digit
  }
  if (!isNumber) throw broken('a header that tells a number tells none')
  return value
}

function broken(text: string): RunError {
  return new RunError(`the stream is broken: ${text}`)
}
