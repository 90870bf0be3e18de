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
  /** Called when a lane takes it in, which writes to what it lends, until {@link detach}. It is in one lane at a time. */
  attach?(borrower: Borrower): void
  detach?(): void
  /** Called after a write to its outlet that was more than that should hold. */
  onFull?(): void
}

/** Where bytes go as they are, such as a socket. Returns false when that was more than it should hold. */
export interface Outlet {
  write(bytes: Uint8Array): boolean
}

/**
 * Writes to the outlets of sinks that have nothing else to do with a batch for now. With thousands of readers, not to look
 * at a sink is a part of what a delivery costs.
 */
export interface Borrower {
  /** From the next batches on their bytes go to the outlet, and the sink is not asked. */
  lend(sink: Sink, outlet: Outlet): void
  /** From the next batch on the sink is asked again. */
  withdraw(sink: Sink, outlet: Outlet): void
}

/** Lets history wait for a slow reader. */
export interface Pace {
  /** True while so much waits that more would only wait behind it. */
  readonly isBusy: boolean
  /** Calls back once, when a sink that is busy is so no more; never, if its reader goes away before. */
  onceReady(callback: () => void): void
}
