// Bytes as the codecs need them: exact search, and text of one byte per character. Plain Uint8Array throughout, no
// character sets: what the bytes mean is for the callers to say. Runs in browsers.

/** Hyphen, two of which begin a delimiter. */
export const DASH = 0x2d
/** Line feed, the last byte of every line. */
export const LF = 0x0a
/** Carriage return. */
export const CR = 0x0d

/** Shared: there is nothing in it to change. */
export const NO_BYTES = new Uint8Array(0)

/** Finds one fixed sequence of bytes again and again; what can be worked out beforehand is, once (Horspool). */
export class ByteSearch {
  readonly #needle: Uint8Array
  // How far the window may move when it ends in a given byte; never more than 255, so that a byte holds it.
  readonly #skips: Uint8Array

  /**
   * @param needle What to look for, one byte or more; kept, not copied.
   */
  constructor(needle: Uint8Array) {
    const last = needle.length - 1
    this.#needle = needle
    this.#skips = new Uint8Array(256).fill(Math.min(needle.length, 255))
    for (let i = 0; i < last; i++) this.#skips[needle[i] as number] = Math.min(last - i, 255)
  }

  /**
   * Position of the first occurrence that lies between `from` and `end`, or -1.
   *
   * About one step per needle length on most bytes. The comparison runs forward: for a needle whose first byte occurs
   * in it once (a line end ahead of a boundary), no input makes the search slower than one step per byte.
   */
  indexIn(bytes: Uint8Array, from: number, end: number): number {
    const needle = this.#needle
    const skips = this.#skips
    const last = needle.length - 1
    const lastByte = needle[last]
    for (let at = from + last; at < end;) {
      const byte = bytes[at] as number
      if (byte === lastByte && startsAt(bytes, at - last, needle, last)) return at - last
      at += skips[byte] as number
    }
    return -1
  }
}

/** Whether the first `count` bytes of `expected` stand at `at`. The caller has checked that so many bytes are there. */
export function startsAt(bytes: Uint8Array, at: number, expected: Uint8Array, count: number): boolean {
  for (let i = 0; i < count; i++) {
    if (bytes[at + i] !== expected[i]) return false
  }
  return true
}

/** Position of the first `byte` between `from` and `end`, or -1. For near bytes: the built-in search costs a call. */
export function indexOfByte(bytes: Uint8Array, byte: number, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] === byte) return at
  }
  return -1
}

/** Whether a byte is a space or a tab. */
export function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09
}

/**
 * Text of one character per byte, U+0000 to U+00FF. For header lines: short, and mostly ASCII.
 *
 * TextDecoder has no such encoding (its "latin1" is windows-1252) and costs more than this for a short text.
 */
export function latin1Text(bytes: Uint8Array, from: number, end: number): string {
  let text = ''
  for (let at = from; at < end; at++) text += String.fromCharCode(bytes[at] as number)
  return text
}

/**
 * Bytes of a text of one byte per character; the reverse of `latin1Text`.
 * @throws {RangeError} For a character above U+00FF.
 */
export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0xff) throw new RangeError(`Cannot write text as bytes: character ${i} is above U+00FF`)
    bytes[i] = code
  }
  return bytes
}
