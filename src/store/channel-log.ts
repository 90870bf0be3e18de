// The history of one channel in memory, oldest first, and how much of its past is gone. It decides nothing about what is to
// go or to be forgotten.

import { isAfter, isMessageAfter, type Moment, secondOf } from '../cursor.ts'
import type { Message } from '../message.ts'
import { type Gone, GoneRow, laterGone, NOT_GONE, type Writable } from './gone.ts'
import { Queue } from './queue.ts'
import type { ChannelRetention } from './retention.ts'
import type { KeptMessage } from './store.ts'

/** What a kept message costs beside its body, roughly: its object, its id, its places in two lists. */
const MESSAGE_BYTES = 256

/** The message of a channel that the next one has to come behind, kept or not. */
export type Last = Pick<Message, 'seq' | 'time' | 'ordinal'>

/** Time of the message behind another one of its channel: that of the clock, unless it was set back. */
export function timeBehind(last: Last, nowMs: number): number {
  return nowMs > last.time ? nowMs : last.time
}

/** Ordinal of the message behind another one of its channel. */
export function ordinalBehind(last: Last, timeMs: number): number {
  return secondOf(timeMs) === secondOf(last.time) ? last.ordinal + 1 : 0
}

export function costOf({ body }: Pick<KeptMessage, 'body'>): number {
  return body.length + MESSAGE_BYTES
}

export class ChannelLog<Kept extends KeptMessage = Message> {
  readonly name: string
  /** What is to be kept of it. */
  readonly limits: ChannelRetention
  readonly #kept = new Queue<Kept>()
  // To count exactly what a reader missed, the numbers of messages are kept longer than the messages.
  readonly #gone = new GoneRow()
  // Changed in place: at full speed one is forgotten per publish.
  #newestForgotten: Writable<Gone>
  // Changed in place: there is one per publish.
  readonly #last: { seq: number; time: number; ordinal: number }
  #costBytes = 0
  #messageCount = 0
  #byteCount = 0

  /** @param floor Up to here it may have had messages that nobody remembers: its first one comes behind. */
  constructor(name: string, limits: ChannelRetention, floor: Gone = NOT_GONE) {
    this.name = name
    this.limits = limits
    this.#newestForgotten = { ...floor }
    this.#last = { seq: floor.seq, time: floor.second * 1000, ordinal: floor.ordinal }
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

  /** All of it that is gone, in one: nothing of the channel that is not kept is behind this. */
  get allGone(): Gone {
    const { seq, time, ordinal } = this.#last
    const { mark } = this.#gone.last ?? NOT_GONE
    return laterGone({ seq, mark, second: secondOf(time), ordinal }, this.#newestForgotten)
  }

  /** The last message, kept or not, or the place behind which the first one has to come. */
  get latest(): Last {
    return this.#last
  }

  push(message: Kept): void {
    this.#kept.push(message)
    this.#last.seq = message.seq
    this.#last.time = message.time
    this.#last.ordinal = message.ordinal
    this.#costBytes += costOf(message)
    this.#messageCount++
    this.#byteCount += message.body.length
  }

  /** Lets go of the oldest message and remembers that there was one. */
  shift(mark: number): Kept | undefined {
    const message = this.#kept.shift()
    if (message === undefined) return undefined
    this.#costBytes -= costOf(message)
    const { seq, time, ordinal } = message
    this.#gone.push(seq, mark, secondOf(time), ordinal)
    return message
  }

  /** Forgets the one that has been gone for longest: nobody who wanted it can be told how many it missed. */
  forget(): void {
    this.#gone.shiftTo(this.#newestForgotten)
  }

  /** Says that an unknown number of messages up to this one has gone. */
  forgetTo(gone: Gone): void {
    this.#newestForgotten = laterGone(gone, this.#newestForgotten)
  }

  /**
   * Says that it went on up to here behind what was pushed, and that nobody knows how many of these messages have gone.
   * @returns False if it is known to go on for as long or longer.
   */
  endAt({ seq, time, ordinal }: Last, mark: number): boolean {
    const last = this.#last
    if (seq <= last.seq) return false
    this.forgetTo({ seq, mark, second: secondOf(time), ordinal })
    if (isMessageAfter({ time, ordinal }, { second: secondOf(last.time), ordinal: last.ordinal })) {
      last.time = Math.max(time, last.time)
      last.ordinal = ordinal
    }
    last.seq = seq
    return true
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
    return this.#gone.countFrom(isMissed)
  }

  /** Messages of this channel after a moment that have gone; null when that is not known any more. */
  missedCountAfter(moment: Moment): number | null {
    if (isAfter(this.#newestForgotten, moment)) return null
    return this.#gone.countFrom(gone => isAfter(gone, moment))
  }

  /** The first kept message after a moment. */
  firstAfter(moment: Moment): Kept | undefined {
    return this.#kept.at(this.#kept.search(kept => isMessageAfter(kept, moment)))
  }

  /** The first kept message of this time or later. */
  firstFrom(timeMs: number): Kept | undefined {
    return this.#kept.at(this.#kept.search(({ time }) => time >= timeMs))
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
