// Takes in the body of a plain publish that comes in several pieces. It gives back what it was made of, so that HTTP can have the
// request after all.

import type { Draft } from '../message.ts'
import { GatheredBytes } from './gathered-bytes.ts'
import type { Hold } from './intake.ts'
import type { Head } from './plain-runs.ts'

/** Longer bodies are not plain. */
export const MAX_PLAIN_BODY_BYTES = 1024 * 1024

export class PlainBody {
  readonly head: Head
  readonly #hold: Hold
  readonly #gathered: GatheredBytes

  /** @param hold Counts what is taken in, until the end. */
  constructor(head: Head, hold: Hold) {
    this.head = head
    this.#hold = hold
    this.#gathered = new GatheredBytes(head.bodyByteCount)
  }

  /**
   * Takes what is missing and no more.
   * @returns The position of the first byte that was not taken.
   * @throws {MsgbusError} `MSGBUS_BUSY`, when nothing of these bytes was taken.
   */
  take(bytes: Buffer, from: number): number {
    const { byteCount } = this.#gathered
    const end = Math.min(bytes.length, from + this.head.bodyByteCount - byteCount)
    this.#hold.set(byteCount + end - from)
    const piece = bytes.subarray(from, end)
    // One that is all of the body would keep whatever it was read with.
    const isWhole = piece.length === this.head.bodyByteCount && piece.length < bytes.length
    this.#gathered.add(isWhole ? Buffer.from(piece) : piece)
    return end
  }

  /** The message, or null as long as some of it is missing. */
  get draft(): Draft | null {
    const { head } = this
    return this.#gathered.byteCount < head.bodyByteCount
      ? null
      : head.route.draftOf(this.#gathered.toBuffer())
  }

  /** The request as far as it came. */
  get request(): Buffer {
    return Buffer.concat([this.head.bytes, this.#gathered.toBuffer()])
  }

  /** Nothing of it is held any more. */
  end(): void {
    this.#hold.set(0)
  }
}
