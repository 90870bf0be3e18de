// The history of one channel in memory, oldest first, and how much of its past is gone. It decides nothing about what is to
// go or to be forgotten.

import type { Message } from '../message.ts'
import { Queue } from './queue.ts'
import type { KeptMessage } from './store.ts'

/** What a kept message costs beside its body, roughly: its object, its id, its places in two lists. */
const MESSAGE_BYTES = 256

/** A message that is not kept any more. */
export interface Gone {
  readonly seq: number
  /** How many messages of the store had gone when it was gone too. */
  readonly mark: number
}

export function costOf({ body }: Pick<KeptMessage, 'body'>): number {
  return body.length + MESSAGE_BYTES
}

export class ChannelLog<Kept extends KeptMessage = Message> {
  readonly name: string
  readonly #kept = new Queue<Kept>()
  // To count exactly what a reader missed, the numbers of messages are kept longer than the messages.
  readonly #gone = new Queue<Gone>()
  #newestForgotten: Gone = { seq: 0, mark: 0 }
  #costBytes = 0
  #messageCount = 0
  #byteCount = 0
  #lastSeq = 0

  constructor(name: string) {
    this.name = name
  }

  get keptCount(): number {
    return this.#kept.length
  }

  get costBytes(): number {
    return this.#costBytes
  }

  get messageCount(): number {
    return this.#messageCount
  }

  get byteCount(): number {
    return this.#byteCount
  }

  get newest(): Kept | undefined {
    return this.#kept.at(this.#kept.length - 1)
  }

  get oldest(): Kept | undefined {
    return this.#kept.at(0)
  }

  /** How many of the messages that are gone are remembered. */
  get rememberedCount(): number {
    return this.#gone.length
  }

  get newestGone(): Gone {
    return this.#gone.at(this.#gone.length - 1) ?? this.#newestForgotten
  }

  /** Number of the last message, kept or not. */
  get lastSeq(): number {
    return this.#lastSeq
  }

  push(message: Kept): void {
    this.#kept.push(message)
    this.#lastSeq = message.seq
    this.#costBytes += costOf(message)
    this.#messageCount++
    this.#byteCount += message.body.length
  }

  /** Lets go of the oldest message and remembers that there was one. */
  shift(mark: number): Kept | undefined {
    const message = this.#kept.shift()
    if (message === undefined) return undefined
    this.#costBytes -= costOf(message)
    this.#gone.push({ seq: message.seq, mark })
    return message
  }

  /** Forgets the one that has been gone for longest: nobody who wanted it can be told how many it missed. */
  forget(): void {
    this.#newestForgotten = this.#gone.shift() ?? this.#newestForgotten
  }

  /** Says that an unknown number of messages up to this one has gone long ago. */
  forgetTo(seq: number): void {
    this.#newestForgotten = {
      seq: Math.max(seq, this.#newestForgotten.seq),
      mark: Math.max(1, this.#newestForgotten.mark),
    }
  }

  /** Takes out a message that cannot be given to anybody. Whoever does so remembers it. */
  remove(seq: number): Kept | undefined {
    const message = this.#kept.at(this.#kept.search(kept => kept.seq >= seq))
    if (message?.seq !== seq) return undefined
    this.#kept.keepOnly(kept => kept !== message)
    this.#costBytes -= costOf(message)
    return message
  }

  holds({ seq }: Pick<Kept, 'seq'>): boolean {
    return seq >= (this.oldest?.seq ?? Infinity)
  }

  /** Messages of this channel behind `seq` that have gone since `mark`; null when that is not known any more. */
  missedCount(seq: number, mark: number): number | null {
    const isMissed = (gone: Gone): boolean => gone.seq > seq && gone.mark > mark
    if (isMissed(this.#newestForgotten)) return null
    return this.#gone.length - this.#gone.search(isMissed)
  }

  /** Kept messages behind `seq`, oldest first. */
  after(seq: number, maxCount: number): readonly Kept[] {
    return this.#slice(
      this.#kept.search(kept => kept.seq > seq),
      maxCount,
    )
  }

  /** The newest of the kept messages, oldest first. */
  last(maxCount: number): readonly Kept[] {
    return this.#slice(Math.max(0, this.#kept.length - maxCount), maxCount)
  }

  #slice(start: number, maxCount: number): readonly Kept[] {
    const messages: Kept[] = []
    for (let at = start; messages.length < maxCount; at++) {
      const message = this.#kept.at(at)
      if (message === undefined) break
      messages.push(message)
    }
    return messages
  }
}
