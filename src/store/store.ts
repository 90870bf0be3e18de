// What keeps messages: it gives them their order and their ids, and reads them again from any place. Interface only; who
// drives it is the bus. A store knows no subscription, no protocol and no wire format.

import type { Cursor, Moment } from '../cursor.ts'
import type { Draft, Message } from '../message.ts'

/** Something that is there at once, or soon. */
export type Awaitable<Value> = Value | Promise<Value>

/**
 * What not every store can do. `durable`: what `append` has returned survives the end of the process. `shared`: other
 * processes append to it too.
 */
export type Capability = 'durable' | 'shared'

/** Where a reader wants to begin. */
export type Start =
  | { readonly kind: 'now' }
  /** The oldest message that is kept. */
  | { readonly kind: 'all' }
  /** What follows this place. */
  | { readonly kind: 'after'; readonly cursor: Cursor }
  /** What follows this moment of each channel. */
  | { readonly kind: 'moment'; readonly moment: Moment }
  /** Messages of this time or later, in milliseconds since 1970. Best effort for trees: a clock may have been set. */
  | { readonly kind: 'time'; readonly timeMs: number }
  /** So many of the newest messages, over all channels that are read. */
  | { readonly kind: 'last'; readonly count: number }

/** Where a reader can begin. */
export interface Place {
  /** It gets every message that is kept and whose number is greater. */
  readonly seq: number
  /** Messages between where it wanted to begin and the first it gets: so many are gone. */
  readonly missedCount: number
  /** True when nobody can tell what is gone: the cursor is of another epoch, or what was kept about it is gone too. */
  readonly isReset: boolean
  /** The store's own note of what is gone by now, for the first page that is read from here. */
  readonly mark: number
}

/** A message that is kept: what is always at hand, which of its body is the length alone. */
export interface KeptMessage extends Omit<Message, 'body'> {
  readonly body: { readonly length: number }
}

/** A piece of history, in order. */
export interface Page<Kept extends KeptMessage = Message> {
  readonly messages: readonly Kept[]
  /**
   * All that was asked for up to this number is in this page. It is the store's `lastSeq` for a reader that has caught up,
   * never more, and for others more than `afterSeq`.
   */
  readonly seq: number
  /** Messages behind `afterSeq` that have gone since the mark of the request: lost to this reader. Null when nobody knows. */
  readonly lostCount: number | null
  /** The store's own note of what is gone by now, for the next page of the same reader. */
  readonly mark: number
}

export interface PageRequest {
  /** Of a matcher. */
  readonly paths: readonly string[]
  readonly afterSeq: number
  /** At least 1. A page may hold less all the same. */
  readonly maxCount: number
  /** Of the page before this one, or of the place; without it nothing is lost. */
  readonly mark?: number
}

export interface Store {
  readonly supports: ReadonlySet<Capability>
  /** Of the messages that are appended now. Constant for as long as the store is open. */
  readonly epoch: string
  /** Number of the newest message that the follower was given, 0 before any. Never falls. */
  readonly lastSeq: number

  /**
   * Names who gets every appended message, by whichever process, once and in order: not before it is kept, and before
   * whoever appended it is told its id. Called once.
   */
  follow(onMessage: (message: Message) => void): void

  /**
   * Keeps all of the drafts or none, in order and without another one between them. Drafts are checked by whoever calls.
   * A store that keeps them at once returns them at once. Each is the very object that the follower is given. It also gives
   * each its time and its ordinal, which together never fall on a channel, nor come twice, also over a restart.
   * @throws {MsgbusError} `MSGBUS_CLOSED`, or why they could not be kept.
   */
  append(drafts: readonly Draft[]): Awaitable<readonly Message[]>

  /**
   * Finds the place to begin from for a reader of these paths.
   * @throws {MsgbusError} `MSGBUS_CLOSED`, or why it cannot be found.
   */
  locate(paths: readonly string[], start: Start): Awaitable<Place>

  /**
   * Reads what is kept. A store answers at once for the newest messages, so that a reader that has caught up can go on
   * live without a hole; for older ones it may answer later. No page holds what the follower was not given yet.
   * @throws {MsgbusError} `MSGBUS_CLOSED`, or why it cannot be read.
   */
  read(request: PageRequest): Awaitable<Page>

  /** What is known about channels that had messages, in no order; nothing once it is closed. */
  channels(): Awaitable<Iterable<ChannelRecord>>

  /** What several processes know together; a store that only this one uses has none. */
  readonly notes?: Notes

  /** Takes no more messages and lets go of everything. Twice is allowed. */
  close(): Awaitable<void>
}

/**
 * Numbers by name, of which whoever uses the store may set some. Kept as long as the store is open; when there are too many,
 * the one that was set longest ago is forgotten.
 */
export interface Notes {
  get(name: string): Awaitable<number | undefined>
  set(name: string, value: number): Awaitable<void>
}

/** One channel since the store was opened. */
export interface ChannelRecord {
  readonly name: string
  /** Messages ever, whether they are still kept or not. */
  readonly messageCount: number
  /** Of their bodies. */
  readonly byteCount: number
  readonly keptCount: number
  /** The last one, if it is still kept. */
  readonly newest: KeptMessage | undefined
}
