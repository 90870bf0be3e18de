// Puts parts of one format into memory, one behind the other, each as one HTTP chunk or as it is (see `chunk.ts`). Parts that were
// made one after the other so lie side by side, and nothing has to be copied to write them at once.

import { partEnd, partStart } from './chunk.ts'

// Longer parts have memory of their own: one that is kept keeps its block.
const MAX_SHARED_BYTES = 16 * 1024
const BLOCK_BYTES = 64 * 1024

export class PartRow {
  readonly #isChunked: boolean
  readonly #tailByteCount: number
  readonly #end: Buffer
  #block = Buffer.alloc(0)
  #usedBytes = 0
  #size = ''
  #sizedByteCount = -1

  /** @param tail ASCII; ends every part. */
  constructor(tail: string, isChunked: boolean) {
    this.#isChunked = isChunked
    this.#tailByteCount = tail.length
    this.#end = Buffer.from(partEnd(tail, isChunked), 'latin1')
  }

  /** @param head ASCII. */
  add(head: string, body: Uint8Array): Buffer {
    const start = this.#sizeOf(head.length + body.length + this.#tailByteCount) + head
    const part = this.#take(start.length + body.length + this.#end.length)
    part.write(start, 0, 'latin1')
    part.set(body, start.length)
    part.set(this.#end, start.length + body.length)
    return part
  }

  // Parts of one channel are often of one size.
  #sizeOf(byteCount: number): string {
    if (byteCount !== this.#sizedByteCount) {
      this.#size = partStart('', byteCount, this.#isChunked)
      this.#sizedByteCount = byteCount
    }
    return this.#size
  }

  #take(byteCount: number): Buffer {
    if (byteCount > MAX_SHARED_BYTES) return Buffer.allocUnsafeSlow(byteCount)
    if (this.#usedBytes + byteCount > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
      this.#usedBytes = 0
    }
    const from = this.#usedBytes
    this.#usedBytes += byteCount
    return this.#block.subarray(from, this.#usedBytes)
  }
}
