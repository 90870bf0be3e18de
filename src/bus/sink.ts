// What the bus needs of whoever reads from it: a way to turn messages into bytes, shared by many readers, and a place
// to put those bytes, one per reader. Interfaces only; the bus implements neither.

import type { Message } from '../message.ts'

/**
 * Turns messages into the bytes of one wire format.
 *
 * One encoder object serves every reader that is to see the same bytes: the bus encodes each message once per encoder
 * and hands the same bytes to all of them.
 */
export interface Encoder {
  /**
   * @param skippedCount Messages that this one reader lost right before this one; 0 for everybody else.
   * Never throws.
   * @returns The bytes, or null when this format leaves the message out.
   */
  encode(message: Message, skippedCount: number): Uint8Array | null
}

/** What became ready for a reader within one turn of the event loop; at least one message. Shared: never change it. */
export interface Batch {
  /** In order. All of them are in `bytes`. */
  readonly messages: readonly Message[]
  /** All messages encoded, one after the other. */
  readonly bytes: Uint8Array
  /** How many of `bytes` belong to the first message. */
  readonly firstByteCount: number
}

/** Where one subscription writes. It owns backpressure: the bus never waits for it and never asks how it fares. */
export interface Sink {
  /** Takes a batch, or decides to lose it; never throws. Called in order, on the hot path: no promise, timer or copy. */
  write(batch: Batch): void
  /** Says that this reader lost so many messages of its history right before the next batch: they went while it was slow. */
  skip?(count: number): void
  /** How fast history may come; a sink without it takes all that there is at once. What is live never waits. */
  readonly pace?: Pace
}

/** Lets history wait for a slow reader. */
export interface Pace {
  /** True while so much waits that more would only wait behind it. */
  readonly isBusy: boolean
  /** Calls back once, when a sink that is busy is so no more; never, if its reader goes away before. */
  onceReady(callback: () => void): void
}
