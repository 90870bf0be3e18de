// Takes the framing of chunks off a body as it arrives [RFC 9112 §7.1]. Extensions and trailers are read over, whatever they say.
// What the body means is not looked at here.

import { MsgbusError } from '../errors.ts'

const LF = 10
const CR = 13
const COLON = 58
const SEMICOLON = 59

// What is read next. Numbers, since it is asked for at every byte that is not of the body.
const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
/** At the begin of a line: a trailer, or nothing more. */
const TRAILER = 6
const TRAILER_NAME = 7
const TRAILER_VALUE = 8
const TRAILER_LF = 9
const LAST_LF = 10
const COMPLETE = 11
/** Nothing: what came is no chunk. */
const FAULTY = 12
type State = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12

// Zeros in front are not counted.
const MAX_SIZE_DIGITS = 12

// Of what means nothing here: an extension, and all trailers together. As much as Node's HTTP server reads over.
const MAX_EXTENSION_BYTES = 16 * 1024
const MAX_TRAILER_BYTES = 16 * 1024

export class ChunkedBody {
  #state: State = SIZE
  #sizeDigitCount = 0
  // While the size is read: what it is so far.
  #missingBytes = 0
  #ignoredBytes = 0

  /** True behind the last chunk and its trailers. */
  get isComplete(): boolean {
    return this.#state === COMPLETE
  }

  /**
   * Moves what is of the body to the front of `bytes`, in order, up to its end or to what is no chunk.
   * @returns How many bytes that are, and the position behind what was looked at.
   */
  take(bytes: Buffer): { readonly byteCount: number; readonly end: number } {
    let byteCount = 0
    let at = 0
    while (at < bytes.length && this.#state < COMPLETE) {
      if (this.#state !== DATA) {
        this.#state = this.#step(bytes[at++] ?? 0)
        continue
      }
      const end = Math.min(bytes.length, at + this.#missingBytes)
      bytes.copyWithin(byteCount, at, end)
      byteCount += end - at
      this.#missingBytes -= end - at
      at = end
      if (this.#missingBytes === 0) this.#state = DATA_CR
    }
    return { byteCount, end: at }
  }

  /** @throws {MsgbusError} `MSGBUS_CHUNK` for what is no chunk, behind which nothing can be read. */
  check(): void {
    if (this.#state !== FAULTY) return
    throw new MsgbusError('MSGBUS_CHUNK', 'The body cannot be read: it is not in the chunks of HTTP/1.1')
  }

  #step(byte: number): State {
    switch (this.#state) {
      case SIZE:
        return this.#readSize(byte)
      case EXTENSION:
        if (byte === CR) return SIZE_LF
        return this.#isText(byte, MAX_EXTENSION_BYTES) ? EXTENSION : FAULTY
      case SIZE_LF:
        this.#sizeDigitCount = 0
        this.#ignoredBytes = 0
        if (byte !== LF) return FAULTY
        return this.#missingBytes === 0 ? TRAILER : DATA
      case DATA_CR:
        return byte === CR ? DATA_LF : FAULTY
      case DATA_LF:
        return byte === LF ? SIZE : FAULTY
      case TRAILER:
        if (byte === CR) return LAST_LF
        return this.#isName(byte) ? TRAILER_NAME : FAULTY
      case TRAILER_NAME:
        if (byte === COLON) return TRAILER_VALUE
        return this.#isName(byte) ? TRAILER_NAME : FAULTY
      case TRAILER_VALUE:
        if (byte === CR) return TRAILER_LF
        return this.#isText(byte, MAX_TRAILER_BYTES) ? TRAILER_VALUE : FAULTY
      case TRAILER_LF:
        return byte === LF ? TRAILER : FAULTY
      case LAST_LF:
        return byte === LF ? COMPLETE : FAULTY
      default:
        return this.#state
    }
  }

  #readSize(byte: number): State {
    const digit = digitOf(byte)
    if (digit >= 0) {
      this.#missingBytes = this.#missingBytes * 16 + digit
      this.#sizeDigitCount = this.#missingBytes === 0 ? 1 : this.#sizeDigitCount + 1
      return this.#sizeDigitCount > MAX_SIZE_DIGITS ? FAULTY : SIZE
    }
    if (this.#sizeDigitCount === 0) return FAULTY
    if (byte === CR) return SIZE_LF
    return byte === SEMICOLON ? EXTENSION : FAULTY
  }

  #isText(byte: number, maxBytes: number): boolean {
    return ((byte >= 32 && byte < 127) || byte === 9) && ++this.#ignoredBytes <= maxBytes
  }

  /** [RFC 9110 §5.6.2] Of a field name: a token. */
  #isName(byte: number): boolean {
    return TOKEN.test(String.fromCharCode(byte)) && ++this.#ignoredBytes <= MAX_TRAILER_BYTES
  }
}

const TOKEN = /[\w!#$%&'*+.^`|~-]/

/** Of a hex digit; -1 for anything else. */
function digitOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  // Upper and lower case alike.
  const letter = byte | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
