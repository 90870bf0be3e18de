// Puts the pieces of a body together as they arrive. A body in a million pieces of one byte costs its length and not a
// million objects.

const MIN_CAPACITY_BYTES = 1024

/** What an announced length is believed at once. Beyond, memory is taken as the bytes come. */
const MAX_TRUSTED_BYTES = 1024 * 1024

export class GatheredBytes {
  readonly #expectedBytes: number
  #bytes: Buffer = Buffer.alloc(0)
  #byteCount = 0

  /** @param expectedBytes How long it will be, if that is known; it may turn out otherwise. */
  constructor(expectedBytes = 0) {
    this.#expectedBytes = expectedBytes
  }

  get byteCount(): number {
    return this.#byteCount
  }

  /** The piece is kept as it is while it is the only one: most bodies are. */
  add(piece: Buffer): void {
    if (this.#byteCount === 0) {
      this.#bytes = piece
      this.#byteCount = piece.length
      return
    }
    const needed = this.#byteCount + piece.length
    if (needed > this.#bytes.length || this.#byteCount === this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(this.#capacityFor(needed))
      this.#bytes.copy(larger, 0, 0, this.#byteCount)
      this.#bytes = larger
    }
    piece.copy(this.#bytes, this.#byteCount)
    this.#byteCount = needed
  }

  #capacityFor(byteCount: number): number {
    const capacity = Math.max(2 * byteCount, MIN_CAPACITY_BYTES)
    if (byteCount > this.#expectedBytes) return capacity
    return Math.min(this.#expectedBytes, Math.max(capacity, MAX_TRUSTED_BYTES))
  }

  /** All of it. Nothing may be added afterwards. */
  toBuffer(): Buffer {
    if (this.#byteCount === this.#bytes.length) return this.#bytes
    // What was taken in advance is given back.
    const exact = Buffer.allocUnsafeSlow(this.#byteCount)
    this.#bytes.copy(exact, 0, 0, this.#byteCount)
    return exact
  }
}
