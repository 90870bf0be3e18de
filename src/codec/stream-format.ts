// What the forms of a stream have in common: how messages become pieces of an endless answer. Interface only. Runs in browsers.

import type { Message } from '../message.ts'

/** One message in pieces, so that whoever sends it puts it into one buffer with one copy. The head is ASCII. */
export interface EncodedPart {
  readonly head: string
  readonly body: Uint8Array
}

/** What of a part depends on its reader. */
export interface PartOptions {
  /** True when the reader gets several channels, so that the part has to name its own. */
  readonly isWide: boolean
  /** Messages this reader lost right before this one. */
  readonly skippedCount: number
}

/** One form of the stream. */
export interface StreamFormat {
  /** Content-Type of the whole response. */
  readonly contentType: string
  /** ASCII text that goes out with the response head. */
  readonly opening: string
  /** ASCII text that ends the stream in good order; may be empty. */
  readonly closing: string
  /** True where an idle reader is kept alive by the last part, sent again, because no other byte would be harmless. */
  readonly repeatsLast: boolean
  /** Something that every reader of this form ignores, or null where there is nothing. */
  ping(count: number): string | null
  /** @returns null when this form leaves the message out. */
  part(message: Message, options: PartOptions): EncodedPart | null
  /** ASCII text behind each part. */
  readonly tail: string
  /** In place of `tail` behind the last part of an answer that has an end. Such an answer has no `closing`. */
  readonly lastTail: string
  /**
   * What a reader is told first when history is not as it thinks; empty where the response head alone says it.
   * @param missedCount Messages that are gone, null when nobody knows how many.
   */
  notice(missedCount: number | null): string
}
