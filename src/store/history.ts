// What is kept, in order, per channel and altogether: what has to go, where a reader begins and what comes next for it. It
// holds what a store gives it, with bodies or without, and neither reads nor writes anything. Hot path: one look-up per
// message, whatever the number of channels.

import { isAfter, type Moment, secondOf } from '../cursor.ts'
import { isTree, matchesChannel } from '../matcher.ts'
import { ChannelLog, costOf, type Gone, type Last, NOT_GONE } from './channel-log.ts'
import { DueQueue } from './due-queue.ts'
import { Queue } from './queue.ts'
import { type ChannelRetention, limitsByChannel, type Retention } from './retention.ts'
import type { KeptMessage, Page, PageRequest, Place, Start } from './store.ts'

const MAX_CHANNELS = 100_000

// Among so many of the oldest channels the one that has been silent for longest is looked for when there are too many.
const MAX_LOOKED_AT = 16

// Messages that are gone but still counted, of one channel and of all.
const MAX_REMEMBERED = 10_000
const MAX_REMEMBERED_TOTAL = 200_000

// What may stand in the common row although its channel has let go of it: a part of what is kept, and at least so much. It
// is swept out all at once, which costs a look at the whole row.
const MIN_STALE_BYTES = 4 * 2 ** 20
const STALE_PART = 8

// Messages that one page passes over: everybody else has their turn between two pages.
const MAX_PASSED = 20_000

export interface HistoryOptions<Kept extends KeptMessage> {
  readonly retention: Retention
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Called for each message that goes. */
  readonly onGone?: (message: Kept) => void
}

/** Up to where there were messages of channels of which nothing is kept: by number, and by the clock. */
export interface Emptied {
  seq: number
  second: number
  ordinal: number
}

/** A message that went out of its turn. */
interface Lost extends Gone {
  readonly channel: string
}

type Piece<Kept extends KeptMessage> = Pick<Page<Kept>, 'messages' | 'seq'>

export class History<Kept extends KeptMessage> {
  readonly #options: HistoryOptions<Kept>
  readonly #limitsOf: (channel: string) => ChannelRetention
  readonly #logs = new Map<string, ChannelLog<Kept>>()
  // When the oldest message of a channel may be too old: not before that, perhaps later.
  readonly #expiry = new DueQueue<ChannelLog<Kept>>()
  // All channels in one row. Some messages that their channel has let go of still stand here.
  readonly #all = new Queue<Kept>()
  readonly #lost: Lost[] = []
  #keptCount = 0
  #costBytes = 0
  #staleBytes = 0
  #goneCount = 0
  #rememberedCount = 0
  // Of channels that were forgotten altogether.
  #newestForgotten = NOT_GONE
  readonly #emptied: Emptied = { seq: 0, second: 0, ordinal: -1 }
  #lastSeq = 0

  constructor(options: HistoryOptions<Kept>) {
    this.#options = options
    this.#limitsOf = limitsByChannel(options.retention)
  }

  /** Number of the last message, kept or not. */
  get lastSeq(): number {
    return this.#lastSeq
  }

  /** What all that is kept costs, as `Retention` counts it. */
  get costBytes(): number {
    return this.#costBytes
  }

  /** Up to here there may have been messages of channels of which nothing is kept. */
  get emptied(): Emptied {
    const { seq } = this.#newestForgotten
    return { ...later(this.#emptied, this.#newestForgotten), seq: Math.max(seq, this.#emptied.seq) }
  }

  /** Takes the next message, and lets go of what is too much then. */
  push(message: Kept): void {
    const log = this.#logs.get(message.channel) ?? this.#openLog(message.channel)
    const isFirst = log.keptCount === 0
    const { maxCount, maxBytes, maxAgeMs } = log.limits
    this.#lastSeq = message.seq
    log.push(message)
    this.#all.push(message)
    this.#keptCount++
    this.#costBytes += costOf(message)
    while (log.keptCount > maxCount || log.costBytes > maxBytes) this.#drop(log)
    if (isFirst && log.oldest === message) this.#expiry.set(log, message.time + maxAgeMs)
    this.trim()
  }

  /**
   * Takes the next message of an earlier life of the store.
   * @param previousSeq Of the message before it on its channel, 0 for none. Whatever is not there is gone, nobody knows
   *   how much.
   */
  restore(message: Kept, previousSeq: number): void {
    const log = this.#logs.get(message.channel) ?? this.#openLog(message.channel)
    if (log.latest.seq !== previousSeq) {
      this.#goneCount = Math.max(this.#goneCount, 1)
      log.forgetTo(previousSeq, momentBefore(message))
    }
    this.push(message)
  }

  /** Goes on behind this number. Whatever was before it on channels that are not known is gone, nobody knows how much. */
  resume(lastSeq: number, emptied: Emptied): void {
    this.#lastSeq = Math.max(this.#lastSeq, lastSeq)
    if (emptied.seq === 0) return
    this.#goneCount = Math.max(this.#goneCount, 1)
    this.#forget({ ...emptied, mark: this.#goneCount })
  }

  #openLog(channel: string): ChannelLog<Kept> {
    if (this.#logs.size >= MAX_CHANNELS) this.#forgetChannel()
    const log = new ChannelLog<Kept>(channel, this.#limitsOf(channel), this.#newestForgotten)
    this.#logs.set(channel, log)
    return log
  }

  #forgetChannel(): void {
    let chosen: ChannelLog<Kept> | undefined
    let lookedAt = 0
    for (const log of this.#logs.values()) {
      if (chosen === undefined || log.latest.seq < chosen.latest.seq) chosen = log
      if (++lookedAt === MAX_LOOKED_AT) break
    }
    if (chosen === undefined) return
    while (chosen.keptCount > 0) this.#drop(chosen)
    this.#logs.delete(chosen.name)
    this.#expiry.delete(chosen)
    this.#rememberedCount -= chosen.rememberedCount
    this.#forget(chosen.newestGone)
  }

  #drop(log: ChannelLog<Kept>): void {
    const message = log.shift(this.#goneCount + 1)
    if (message === undefined) return
    this.#noteGone(message)
    this.#rememberedCount++
    if (log.rememberedCount > MAX_REMEMBERED || this.#rememberedCount > MAX_REMEMBERED_TOTAL) {
      log.forget()
      this.#rememberedCount--
    }
    if (log.keptCount === 0) this.#noteEmptied(log.latest)
    this.#staleBytes += costOf(message)
    if (this.#staleBytes > Math.max(MIN_STALE_BYTES, this.#costBytes / STALE_PART)) {
      this.#all.keepOnly(kept => this.holds(kept))
      this.#staleBytes = 0
    }
  }

  // Changed in place: where nothing is kept there is one per publish.
  #noteEmptied({ seq, time, ordinal }: Last): void {
    const emptied = this.#emptied
    const second = secondOf(time)
    if (seq > emptied.seq) emptied.seq = seq
    if (second < emptied.second) return
    emptied.ordinal = second > emptied.second ? ordinal : Math.max(ordinal, emptied.ordinal)
    emptied.second = second
  }

  #noteGone(message: Kept): void {
    this.#goneCount++
    this.#keptCount--
    this.#costBytes -= costOf(message)
    this.#options.onGone?.(message)
  }

  /**
   * Lets go of a message out of its turn, because it cannot be read any more.
   * @returns False if it had gone already.
   */
  lose(message: Kept): boolean {
    const { seq, channel, time, ordinal } = message
    if (this.#logs.get(channel)?.remove(seq) === undefined) return false
    this.#all.keepOnly(kept => kept !== message)
    this.#noteGone(message)
    this.#lost.push({ seq, channel, mark: this.#goneCount, second: secondOf(time), ordinal })
    const forgotten = this.#lost.length > MAX_REMEMBERED ? this.#lost.shift() : undefined
    if (forgotten !== undefined) this.#forget(forgotten)
    return true
  }

  #forget(gone: Gone): void {
    const before = this.#newestForgotten
    this.#newestForgotten = {
      ...later(gone, before),
      seq: Math.max(gone.seq, before.seq),
      mark: Math.max(gone.mark, before.mark),
    }
  }

  /** Lets go of what is too old, and of the oldest while there is too much. */
  trim(): void {
    const { retention, now } = this.#options
    const { maxTotalCount, maxTotalBytes } = retention
    const nowMs = now()
    while (this.#expiry.firstMs < nowMs) this.#expire(nowMs)
    for (let oldest = this.#all.at(0); oldest !== undefined; oldest = this.#all.at(0)) {
      const log = this.#logs.get(oldest.channel)
      if (log?.holds(oldest) !== true) {
        this.#all.shift()
        this.#staleBytes -= costOf(oldest)
        continue
      }
      const isTooMuch = this.#keptCount > maxTotalCount || this.#costBytes > maxTotalBytes
      if (!isTooMuch) return
      this.#drop(log)
    }
  }

  #expire(nowMs: number): void {
    const log = this.#expiry.first
    if (log === undefined) return
    const { maxAgeMs } = log.limits
    let { oldest } = log
    while (oldest !== undefined && oldest.time + maxAgeMs < nowMs) {
      this.#drop(log)
      oldest = log.oldest
    }
    if (oldest === undefined) this.#expiry.delete(log)
    else this.#expiry.putOffFirst(oldest.time + maxAgeMs)
  }

  /** True for a message that is kept. */
  holds({ seq, channel }: Pick<Kept, 'seq' | 'channel'>): boolean {
    return this.#logs.get(channel)?.holds({ seq }) === true
  }

  /** What the next message of a channel has to come behind; its number is 0 if nothing is known about the channel. */
  lastOf(channel: string): Last {
    const log = this.#logs.get(channel)
    if (log !== undefined) return log.latest
    const { second, ordinal } = this.#newestForgotten
    return { seq: 0, time: second * 1000, ordinal }
  }

  /**
   * Finds a place to begin from, see `Store.locate`.
   * @param epoch The one in which cursors mean something.
   */
  locate(epoch: string, paths: readonly string[], start: Start): Place {
    this.trim()
    const place = { missedCount: 0, isReset: false, mark: this.#goneCount }
    switch (start.kind) {
      case 'now':
        return { ...place, seq: this.#lastSeq }
      case 'all':
        return { ...place, seq: 0 }
      case 'after': {
        const { cursor } = start
        if (cursor.epoch !== epoch || cursor.seq > this.#lastSeq) return { ...place, seq: 0, isReset: true }
        const missedCount = this.missedCount(paths, cursor.seq, 0)
        return { ...place, seq: cursor.seq, missedCount: missedCount ?? 0, isReset: missedCount === null }
      }
      case 'moment': {
        const { moment } = start
        const missedCount = this.#missedCountAfter(paths, moment)
        const seq = this.#seqBefore(paths, log => log.firstAfter(moment))
        return { ...place, seq, missedCount: missedCount ?? 0, isReset: missedCount === null }
      }
      case 'time':
        return { ...place, seq: this.#seqBeforeTime(paths, start.timeMs) }
      case 'last':
        return { ...place, seq: this.#seqBeforeLast(paths, start.count) }
    }
  }

  /** Messages of these paths behind `seq` that have gone since `mark`; null when that is not known any more. */
  missedCount(paths: readonly string[], seq: number, mark: number): number | null {
    if (mark === this.#goneCount) return 0
    if (this.#newestForgotten.seq > seq && this.#newestForgotten.mark > mark) return null
    let missedCount = 0
    for (const log of this.#matching(paths)) {
      const count = log.missedCount(seq, mark)
      if (count === null) return null
      missedCount += count
    }
    for (const lost of this.#lost) {
      if (lost.seq > seq && lost.mark > mark && matchesChannel(paths, lost.channel)) missedCount++
    }
    return missedCount
  }

  #missedCountAfter(paths: readonly string[], moment: Moment): number | null {
    if (isAfter(this.#newestForgotten, moment)) return null
    let missedCount = 0
    for (const log of this.#matching(paths)) {
      const count = log.missedCountAfter(moment)
      if (count === null) return null
      missedCount += count
    }
    for (const lost of this.#lost) {
      if (isAfter(lost, moment) && matchesChannel(paths, lost.channel)) missedCount++
    }
    return missedCount
  }

  // Times never fall on a channel, but they may from one channel to another.
  #seqBeforeTime(paths: readonly string[], timeMs: number): number {
    if (!paths.some(isTree)) return this.#seqBefore(paths, log => log.firstFrom(timeMs))
    const first = this.#all.at(this.#all.search(({ time }) => time >= timeMs))
    return (first?.seq ?? this.#lastSeq + 1) - 1
  }

  #seqBefore(paths: readonly string[], firstOf: (log: ChannelLog<Kept>) => Kept | undefined): number {
    let seq = this.#lastSeq
    for (const log of this.#matching(paths)) {
      const first = firstOf(log)
      if (first !== undefined) seq = Math.min(seq, first.seq - 1)
    }
    return seq
  }

  *#matching(paths: readonly string[]): Iterable<ChannelLog<Kept>> {
    if (paths.some(isTree)) {
      for (const log of this.#logs.values()) if (matchesChannel(paths, log.name)) yield log
      return
    }
    for (const path of paths) {
      const log = this.#logs.get(path)
      if (log !== undefined) yield log
    }
  }

  #seqBeforeLast(paths: readonly string[], count: number): number {
    if (!paths.some(isTree)) {
      const found = [...this.#matching(paths)].flatMap(log => log.last(count))
      const [first] = inOrder(found).slice(Math.max(0, found.length - count))
      return (first?.seq ?? this.#lastSeq + 1) - 1
    }
    let found = 0
    let seq = this.#lastSeq
    for (let at = this.#all.length - 1; at >= 0 && found < count; at--) {
      const message = this.#all.at(at)
      if (message === undefined || !matchesChannel(paths, message.channel) || !this.holds(message)) continue
      found++
      seq = message.seq - 1
    }
    return seq
  }

  /** What comes next for a reader, see `Store.read`. */
  read({ paths, afterSeq, maxCount, mark = this.#goneCount }: PageRequest): Page<Kept> {
    this.trim()
    const found = paths.some(isTree)
      ? this.#readTrees(paths, afterSeq, maxCount)
      : this.#readNames(paths, afterSeq, maxCount)
    return {
      ...found,
      lostCount: this.missedCount(paths, afterSeq, mark),
      mark: this.#goneCount,
    }
  }

  #readNames(paths: readonly string[], afterSeq: number, maxCount: number): Piece<Kept> {
    const found = [...this.#matching(paths)].map(log => log.after(afterSeq, maxCount))
    const [only = []] = found
    const messages = found.length < 2 ? only : inOrder(found.flat()).slice(0, maxCount)
    const last = messages.at(-1)
    return { messages, seq: last !== undefined && messages.length === maxCount ? last.seq : this.#lastSeq }
  }

  #readTrees(paths: readonly string[], afterSeq: number, maxCount: number): Piece<Kept> {
    const messages: Kept[] = []
    const start = this.#all.search(kept => kept.seq > afterSeq)
    for (let at = start; ; at++) {
      const message = this.#all.at(at)
      if (message === undefined) return { messages, seq: this.#lastSeq }
      if (matchesChannel(paths, message.channel) && this.holds(message)) messages.push(message)
      const passedCount = at - start - messages.length
      if (messages.length === maxCount || passedCount === MAX_PASSED) return { messages, seq: message.seq }
    }
  }

  channels(): Iterable<ChannelLog<Kept>> {
    return this.#logs.values()
  }

  /** Forgets everything but the last number. */
  clear(): void {
    this.#logs.clear()
    this.#expiry.clear()
    this.#all.keepOnly(() => false)
  }
}

function inOrder<Kept extends KeptMessage>(messages: Kept[]): Kept[] {
  return messages.sort((one, other) => one.seq - other.seq)
}

function later(one: Moment, other: Moment): Moment {
  const { second, ordinal } = isAfter(one, other) ? one : other
  return { second, ordinal }
}

/** The last moment that may have come before a message of its channel. */
function momentBefore({ time, ordinal }: Last): Moment {
  const second = secondOf(time)
  return ordinal > 0
    ? { second, ordinal: ordinal - 1 }
    : { second: second - 1, ordinal: Number.MAX_SAFE_INTEGER }
}
