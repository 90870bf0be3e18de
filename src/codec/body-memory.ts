// Memory for the bodies that a reader of parts hands out. Each becomes the property of whoever receives it: nothing
// here writes to it again, and it does not keep the piece alive in which it came. Runs in browsers.

import { NO_BYTES } from './bytes.ts'

/** Bodies up to this length share their memory with others. */
const MAX_SHARED_BYTES = 1024

// To allocate 100 bytes costs as much as all the rest of reading a part, so small bodies lie side by side in blocks.
// One that is kept keeps its block, not the 64 KiB that the socket was read with.
const BLOCK_BYTES = 8 * 1024

/** What a length announced by a peer is believed at once. Beyond, memory is taken as the bytes come. */
const FIRST_BYTES = 1024 * 1024

// Up to here a loop is done before the built-in copy has begun.
const MAX_LOOPED_BYTES = 32

/** Makes bodies from bytes that will not stay as they are. */
export class BodyMemory {
  #block: Uint8Array<ArrayBuffer> = NO_BYTES
  #usedBytes = 0

  /** A copy of what lies between `from` and `end`. */
  copy(bytes: Uint8Array, from: number, end: number): Uint8Array<ArrayBuffer> {
    const byteCount = end - from
    if (byteCount > MAX_SHARED_BYTES) return bytes.slice(from, end)
    if (this.#usedBytes + byteCount > this.#block.length) {
      this.#block = new Uint8Array(BLOCK_BYTES)
      this.#usedBytes = 0
    }
    const block = this.#block
    const start = this.#usedBytes
    this.#usedBytes += byteCount
    if (byteCount > MAX_LOOPED_BYTES) block.set(bytes.subarray(from, end), start)
    else for (let i = 0; i < byteCount; i++) block[start + i] = bytes[from + i] as number
    return new Uint8Array(block.buffer, start, byteCount)
  }
}

/** A body of known length that comes in several pieces. */
export class GatheredBody {
  readonly #byteCount: number
  #bytes: Uint8Array<ArrayBuffer>
  /** To be read, not written, from outside. */
  filledByteCount = 0

  /** @param byteCount Length as announced, already found to be allowed; memory grows with what really comes. */
  constructor(byteCount: number) {
    this.#byteCount = byteCount
    this.#bytes = new Uint8Array(Math.min(byteCount, FIRST_BYTES))
  }

  /** Takes what is missing and no more; returns the position of the first byte that was not taken. */
  fill(bytes: Uint8Array, from: number, end: number): number {
    const next = Math.min(end, from + this.#byteCount - this.filledByteCount)
    const filledBytes = this.filledByteCount + next - from
    if (filledBytes > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#byteCount, Math.max(filledBytes, this.#bytes.length * 2)))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes.set(bytes.subarray(from, next), this.filledByteCount)
    this.filledByteCount = filledBytes
    return next
  }

  /** The body, or null as long as some of it is missing. */
  get body(): Uint8Array<ArrayBuffer> | null {
    return this.filledByteCount === this.#byteCount ? this.#bytes : null
  }
}
