// What has come of a plain publish that is not whole yet: the begin of its head, or its head and the begin of its body. Gives it back
// as it came, so that HTTP can have the request after all. How long is waited for the rest is for others to say.

import type { Draft } from '../message.ts'
import { GatheredBytes } from './gathered-bytes.ts'
import type { Hold } from './intake.ts'
import type { Head, PlainPublisher } from './plain-runs.ts'

// Longer bodies are not plain.
const MAX_BODY_BYTES = 1024 * 1024

const NO_BYTES = Buffer.alloc(0)

/** What became of some bytes. */
export interface Taken {
  /** The position behind the last byte that was taken. */
  readonly end: number
  /** The request, once it is whole; nothing of it is kept here any more. */
  readonly whole: WholeRequest | null
}

export interface WholeRequest {
  readonly publisher: PlainPublisher
  readonly draft: Draft
  /** All of it, as it came. */
  readonly bytes: () => Buffer
}

interface Body {
  readonly head: Head
  readonly gathered: GatheredBytes
  /** Counts what is taken in. */
  readonly hold: Hold
  readonly sinceMs: number
}

/** The unfinished request of one connection, if there is one. */
export class PlainRest {
  readonly #hold: () => Hold
  #head: Buffer = NO_BYTES
  #body: Body | null = null

  /** @param hold Makes room for a body. */
  constructor(hold: () => Hold) {
    this.#hold = hold
  }

  get isEmpty(): boolean {
    return this.#head.length === 0 && this.#body === null
  }

  /** When its body began, on the clock of `performance`; null if none has. */
  get bodySinceMs(): number | null {
    return this.#body?.sinceMs ?? null
  }

  /** Keeps what there is of a head. */
  beginHead(bytes: Buffer): void {
    // Not the 64 KiB that it came with.
    this.#head = Buffer.from(bytes)
  }

  /**
   * Begins the body behind a head.
   * @returns False for one that is too long.
   */
  beginBody(head: Head): boolean {
    if (head.bodyByteCount > MAX_BODY_BYTES) return false
    const gathered = new GatheredBytes(head.bodyByteCount)
    this.#body = { head, gathered, hold: this.#hold(), sinceMs: performance.now() }
    return true
  }

  /**
   * Takes what is missing of the body and no more.
   * @throws {MsgbusError} `MSGBUS_BUSY`, when nothing of these bytes was taken; {TypeError} if no body has begun.
   */
  takeBody(bytes: Buffer, from: number): Taken {
    if (this.#body === null) throw new TypeError('Cannot take a body: none has begun')
    const { head, gathered, hold } = this.#body
    const end = Math.min(bytes.length, from + head.bodyByteCount - gathered.byteCount)
    hold.set(gathered.byteCount + end - from)
    const piece = bytes.subarray(from, end)
    // One that is all of the body would keep whatever it was read with.
    const isOnly = piece.length === head.bodyByteCount && piece.length < bytes.length
    gathered.add(isOnly ? Buffer.from(piece) : piece)
    if (gathered.byteCount < head.bodyByteCount) return { end, whole: null }
    this.clear()
    const body = gathered.toBuffer()
    const { publisher, draftOf } = head.route
    return { end, whole: { publisher, draft: draftOf(body), bytes: () => Buffer.concat([head.bytes, body]) } }
  }

  /** Returns all that there is, as it came, and forgets it. */
  takeBack(): Buffer {
    const bytes =
      this.#body === null
        ? this.#head
        : Buffer.concat([this.#body.head.bytes, this.#body.gathered.toBuffer()])
    this.clear()
    return bytes
  }

  clear(): void {
    this.#head = NO_BYTES
    this.#body?.hold.set(0)
    this.#body = null
  }
}
