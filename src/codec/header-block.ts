// The header lines of one part, read one by one. Strict about what a line may be, because what is read here is written
// to other readers later. Does not find the delimiter and does not judge what a header says, but for the length.
// Hot path: lines mostly repeat from part to part, so each is first compared with the one of the part before.
// Runs in browsers.

import type { MsgbusError } from '../errors.ts'
import { CR, indexOfByte, isBlank, LF, latin1Text, startsAt } from './bytes.ts'
import { multipartFault } from './delimiter.ts'

/** Sum of the lines kept of one part, in bytes, and the longest single line. */
export const MAX_HEADER_BYTES = 16 * 1024

/** What a line fails with that is no header line. */
export const NO_HEADER_LINE = 'a header line is not "name: value"'

/** Sent by a stream that has nothing to say. It belongs to no part. */
const PING = 'msgbus-ping'

const CONTENT_LENGTH = 'content-length'

// Lines remembered for the next part; more lines, or longer ones, are read anew each time.
const MAX_REMEMBERED_LINES = 16
const MAX_REMEMBERED_BYTES = 256

const COLON = 0x3a

// [RFC 9110 §5.6.2] what a name may be made of. A blank is not in it: neither a folded line nor a blank before the
// colon gets through, which readers disagree about.
const IS_NAME_BYTE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(/[\w!#$%&'*+.^`|~-]/.test(String.fromCharCode(byte))),
)

interface Line {
  readonly bytes: Uint8Array
  byteCount: number
  nameByteCount: number
  name: string
  value: string
  /** -1 unless the line is a Content-Length. */
  length: number
}

/** Reads the lines of one part after the other. After an error it is not to be used again. */
export class HeaderBlock {
  #headers = new Map<string, string>()
  // Both to be read, not written, from outside.
  /** Sum of the lines that were kept. */
  keptByteCount = 0
  /** Length of the body in bytes, or -1 as long as no line has told it. */
  contentLength = -1
  readonly #remembered: Line[] = []

  /** Whether the block holds anything but pings. */
  get hasBegun(): boolean {
    return this.#headers.size > 0
  }

  /**
   * Reads the line that begins at `at`; it is not an empty one.
   *
   * Of lines with one name the first counts. Repeated ones and pings are forgotten at once and may come without end.
   * @param searchFrom Where to look for the line end; not `at` when a part of the line was looked at before.
   * @returns Where the next line begins, or -1 if the line is not complete.
   * @throws {MsgbusError} `MSGBUS_MULTIPART` for what is no header line, for more than 16 KiB, and for a
   *   Content-Length that is repeated or no number.
   */
  readLine(bytes: Uint8Array, at: number, end: number, searchFrom: number): number {
    const index = this.#headers.size
    const known = this.#remembered[index]
    if (
      known !== undefined &&
      at + known.byteCount <= end &&
      startsAt(bytes, at, known.bytes, known.byteCount)
    ) {
      this.#keep(known.name, known.value, known.byteCount, known.length)
      return at + known.byteCount
    }
    const lineFeed = indexOfByte(bytes, LF, searchFrom, end)
    const next = lineFeed + 1
    if ((lineFeed === -1 ? end : next) - at > MAX_HEADER_BYTES) throw tooLong()
    if (lineFeed === -1) return -1

    const hasKnownName = known !== undefined && hasNameOf(known, bytes, at)
    const colon = hasKnownName ? at + known.nameByteCount : findColon(bytes, at, lineFeed)
    const name = hasKnownName ? known.name : latin1Text(bytes, at, colon).toLowerCase()
    const value = readValue(bytes, colon + 1, lineFeed)
    const length = name === CONTENT_LENGTH ? parseLength(value) : -1
    if (name === PING) return next
    if (this.#keep(name, value, next - at, length)) {
      this.#remember(index, bytes.subarray(at, next), colon - at, name, value, length)
    }
    return next
  }

  /** Hands out the headers and starts the block of the next part. */
  take(): ReadonlyMap<string, string> {
    const headers = this.#headers
    this.#headers = new Map()
    this.keptByteCount = 0
    this.contentLength = -1
    return headers
  }

  #keep(name: string, value: string, byteCount: number, length: number): boolean {
    if (this.#headers.has(name)) {
      // Two lengths, even equal ones, are how one part is made to look like two to somebody else.
      if (length !== -1) throw multipartFault('two Content-Length lines')
      return false
    }
    this.keptByteCount += byteCount
    if (this.keptByteCount > MAX_HEADER_BYTES) throw tooLong()
    if (length !== -1) this.contentLength = length
    this.#headers.set(name, value)
    return true
  }

  #remember(
    index: number,
    line: Uint8Array,
    nameByteCount: number,
    name: string,
    value: string,
    length: number,
  ): void {
    if (index >= MAX_REMEMBERED_LINES || line.length > MAX_REMEMBERED_BYTES) return
    const known = (this.#remembered[index] ??= {
      bytes: new Uint8Array(MAX_REMEMBERED_BYTES),
      byteCount: 0,
      nameByteCount,
      name,
      value,
      length,
    })
    known.bytes.set(line)
    known.byteCount = line.length
    known.nameByteCount = nameByteCount
    known.name = name
    known.value = value
    known.length = length
  }
}

/** Whether a line that may not be complete is a ping all the same. */
export function beginsPing(bytes: Uint8Array, at: number, end: number): boolean {
  const nameEnd = at + PING.length
  return nameEnd < end && bytes[nameEnd] === COLON && latin1Text(bytes, at, nameEnd).toLowerCase() === PING
}

function hasNameOf(known: Line, bytes: Uint8Array, at: number): boolean {
  return bytes[at + known.nameByteCount] === COLON && startsAt(bytes, at, known.bytes, known.nameByteCount)
}

function findColon(bytes: Uint8Array, at: number, lineFeed: number): number {
  let colon = at
  while (IS_NAME_BYTE[bytes[colon] as number] === 1) colon++
  if (colon === at || colon >= lineFeed || bytes[colon] !== COLON) {
    throw multipartFault(NO_HEADER_LINE)
  }
  return colon
}

function readValue(bytes: Uint8Array, from: number, lineFeed: number): string {
  let start = from
  let end = bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed
  while (start < end && isBlank(bytes[start])) start++
  while (end > start && isBlank(bytes[end - 1])) end--
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f)
      throw multipartFault('a header holds a control character')
  }
  return latin1Text(bytes, start, end)
}

function parseLength(value: string): number {
  if (!/^[0-9]+$/.test(value)) throw multipartFault('Content-Length is not a number')
  return Number(value)
}

function tooLong(): MsgbusError {
  return multipartFault(`the headers of a part are longer than ${MAX_HEADER_BYTES} bytes`)
}
