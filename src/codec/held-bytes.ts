// Bytes that came too early: the beginning of something whose end is still to come. Appending costs the same per byte
// whatever the size of the pieces, and memory follows what is held, not the most that ever was. Runs in browsers.

import { NO_BYTES } from './bytes.ts'

const MIN_CAPACITY_BYTES = 1024

// More than this is given back when an eighth of it would do.
const MAX_IDLE_BYTES = 128 * 1024

/** A queue of bytes in one block: appended at `end`, consumed from `start`. */
export class HeldBytes {
  // To be read, not written, from outside.
  bytes: Uint8Array = NO_BYTES
  start = 0
  end = 0

  get isEmpty(): boolean {
    return this.start === this.end
  }

  /** Copies what lies between `from` and `to`. Positions in `bytes` from before the call are void. */
  append(bytes: Uint8Array, from: number, to: number): void {
    if (from === to) return
    this.#makeRoom(to - from)
    this.bytes.set(bytes.subarray(from, to), this.end)
    this.end += to - from
  }

  /** Forgets what lies before `position`. */
  consume(position: number): void {
    this.start = position
    if (position < this.end) return
    this.start = 0
    this.end = 0
    if (this.bytes.length > MAX_IDLE_BYTES) this.bytes = NO_BYTES
  }

  clear(): void {
    this.bytes = NO_BYTES
    this.start = 0
    this.end = 0
  }

  #makeRoom(byteCount: number): void {
    const capacity = this.bytes.length
    const needed = this.end - this.start + byteCount
    const isWasteful = capacity > MAX_IDLE_BYTES && needed * 8 < capacity
    if (this.end + byteCount <= capacity && !isWasteful) return
    // What is moved is at most half the block, so that as much must be appended before it is moved again.
    const isRoomy = needed * 2 <= capacity && !isWasteful
    const block = isRoomy ? this.bytes : new Uint8Array(Math.max(needed * 2, MIN_CAPACITY_BYTES))
    block.set(this.bytes.subarray(this.start, this.end))
    this.bytes = block
    this.end -= this.start
    this.start = 0
  }
}
