// What is kept, in order, per channel and altogether: what has to go, where a reader begins and what comes next for it. It
// holds what a store gives it, with bodies or without, and neither reads nor writes anything. Hot path: one look-up per
// message, whatever the number of channels.

import { isAfter, type Moment, secondOf } from '../cursor.ts'
import { isTree, matchesChannel } from '../matcher.ts'
import { ChannelLog, costOf, type Last } from './channel-log.ts'
import { DueQueue } from './due-queue.ts'
import { type Gone, laterGone, NOT_GONE } from './gone.ts'
import { type ChannelRetention, limitsByChannel, type Retention } from './retention.ts'
import { Sequence } from './sequence.ts'
import type { KeptMessage, Page, PageRequest, Place, Start } from './store.ts'

const MAX_CHANNELS = 100_000

// Among so many of the oldest channels the one that has been silent for longest is looked for when there are too many.
const MAX_LOOKED_AT = 16

// Messages that are gone but still counted, of one channel and of all.
const MAX_REMEMBERED = 10_000
const MAX_REMEMBERED_TOTAL = 200_000

// Messages that one page passes over: everybody else has their turn between two pages.
const MAX_PASSED = 20_000

export interface HistoryOptions<Kept extends KeptMessage> {
  readonly retention: Retention
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Called for each message that goes. */
  readonly onGone?: (message: Kept) => void
  /** Called whenever the last message of a channel is one that is not kept. */
  readonly onEnded?: (log: ChannelLog<Kept>) => void
  /** Called when nothing is known about a channel any more. */
  readonly onForgotten?: (channel: string) => void
}

/** Up to where there were messages of channels that nobody remembers: by number, and by the clock. */
export type Forgotten = Omit<Gone, 'mark'>

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
  readonly #all = new Sequence<Kept>()
  readonly #lost: Lost[] = []
  #keptCount = 0
  #costBytes = 0
  #goneCount = 0
  #rememberedCount = 0
  // Of channels without a log. A channel that has one knows what of it is gone.
  #floor = NOT_GONE
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

  /** Up to here there may have been messages of channels that nobody remembers. */
  get forgotten(): Forgotten {
    const { seq, second, ordinal } = this.#floor
    return { seq, second, ordinal }
  }

  /** Takes the next message, and lets go of what is too much of its channel. Whoever pushed some trims then. */
  push(message: Kept): void {
    const log = this.#logs.get(message.channel) ?? this.#openLog(message.channel, this.#floor)
    const isFirst = log.keptCount === 0
    const { maxCount, maxBytes, maxAgeMs } = log.limits
    this.#lastSeq = message.seq
    log.push(message)
    this.#all.push(message)
    this.#keptCount++
    this.#costBytes += costOf(message)
    while (log.keptCount > maxCount || log.costBytes > maxBytes) this.#drop(log)
    if (isFirst && log.oldest === message) this.#expiry.set(log, message.time + maxAgeMs)
  }

  /**
   * Takes the next message of an earlier life of the store, as {@link push} does.
   * @param previousSeq What `lastOf` its channel gave for it. Whatever is not there is gone, nobody knows how much.
   */
  restore(message: Kept, previousSeq: number): void {
    const log = this.#restoreLog(message.channel)
    if (log.latest.seq !== previousSeq) {
      log.forgetTo({ ...momentBefore(message), seq: previousSeq, mark: this.#markBefore() })
    }
    this.push(message)
  }

  /** Takes what was the last message of a channel in an earlier life of the store and is not kept. Behind all that is. */
  restoreEnd(channel: string, end: Last): void {
    this.#restoreLog(channel).endAt(end, this.#markBefore())
  }

  /** Goes on behind this number, and behind what nobody remembered in an earlier life. */
  resume(lastSeq: number, forgotten: Forgotten): void {
    this.#lastSeq = Math.max(this.#lastSeq, lastSeq)
    if (isAfter(forgotten, NOT_GONE)) this.#forget({ ...forgotten, mark: this.#markBefore() })
  }

  /** Says that up to this number anything may have gone, of any channel, that nothing which came later tells of. */
  doubt(seq: number): void {
    if (seq === 0) return
    const seconds = [...this.#logs.values()].map(({ latest }) => secondOf(latest.time))
    const newest = seconds.reduce((one, other) => Math.max(one, other), this.#floor.second)
    // When it came is not known either: before the next second.
    const second = Math.max(newest, secondOf(this.#options.now())) + 1
    const end = { seq, time: second * 1000, ordinal: -1 }
    const mark = this.#markBefore()
    for (const log of this.#logs.values()) if (log.endAt(end, mark)) this.#options.onEnded?.(log)
    this.#forget({ seq, mark, second, ordinal: -1 })
  }

  // Of what went before anybody could ask.
  #markBefore(): number {
    this.#goneCount = Math.max(this.#goneCount, 1)
    return 1
  }

  // What it had before, it says itself.
  #restoreLog(channel: string): ChannelLog<Kept> {
    return this.#logs.get(channel) ?? this.#openLog(channel, NOT_GONE)
  }

  #openLog(channel: string, floor: Gone): ChannelLog<Kept> {
    if (this.#logs.size >= MAX_CHANNELS) this.#forgetChannel()
    const log = new ChannelLog<Kept>(channel, this.#limitsOf(channel), floor)
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
    this.#forget(chosen.allGone)
    this.#options.onForgotten?.(chosen.name)
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
    if (log.keptCount === 0) this.#options.onEnded?.(log)
  }

  #noteGone(message: Kept): void {
    this.#goneCount++
    this.#keptCount--
    this.#costBytes -= costOf(message)
    this.#all.remove(message.seq)
    this.#options.onGone?.(message)
  }

  /**
   * Lets go of a message out of its turn, because it cannot be read any more.
   * @returns False if it had gone already.
   */
  lose(message: Kept): boolean {
    const { seq, channel, time, ordinal } = message
    const log = this.#logs.get(channel)
    if (log?.remove(seq) === undefined) return false
    this.#noteGone(message)
    this.#lost.push({ seq, channel, mark: this.#goneCount, second: secondOf(time), ordinal })
    if (seq === log.latest.seq) this.#options.onEnded?.(log)
    const forgotten = this.#lost.length > MAX_REMEMBERED ? this.#lost.shift() : undefined
    if (forgotten !== undefined) this.#forgetLost(forgotten)
    return true
  }

  #forgetLost(lost: Lost): void {
    const log = this.#logs.get(lost.channel)
    if (log === undefined) this.#forget(lost)
    else log.forgetTo(lost)
  }

  #forget(gone: Gone): void {
    this.#floor = laterGone(gone, this.#floor)
  }

  /** Lets go of what is too old, and of the oldest while there is too much. */
  trim(nowMs = this.#options.now()): void {
    const { maxTotalCount, maxTotalBytes } = this.#options.retention
    while (this.#expiry.firstMs < nowMs) this.#expire(nowMs)
    while (this.#keptCount > maxTotalCount || this.#costBytes > maxTotalBytes) {
      const log = this.#logs.get(this.#all.first?.channel ?? '')
      if (log === undefined) return
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

  /** What the next message of a channel has to come behind. Its number is 0 only if the channel never had one. */
  lastOf(channel: string): Last {
    const log = this.#logs.get(channel)
    if (log !== undefined) return log.latest
    const { seq, second, ordinal } = this.#floor
    return { seq, time: second * 1000, ordinal }
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
    if (this.#floor.seq > seq && this.#floor.mark > mark && this.#takesInForgotten(paths)) return null
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
    if (isAfter(this.#floor, moment) && this.#takesInForgotten(paths)) return null
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

  #takesInForgotten(paths: readonly string[]): boolean {
    return paths.some(path => isTree(path) || !this.#logs.has(path))
  }

  // Times never fall on a channel, but they may from one channel to another.
  #seqBeforeTime(paths: readonly string[], timeMs: number): number {
    if (!paths.some(isTree)) return this.#seqBefore(paths, log => log.firstFrom(timeMs))
    const first = this.#all.firstFrom(timeMs)
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
    for (let place = this.#all.end - 1; place >= 0 && found < count; place--) {
      const message = this.#all.at(place)
      if (message === undefined || !matchesChannel(paths, message.channel)) continue
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
    const start = this.#all.placeAfter(afterSeq)
    for (let place = start; place < this.#all.end; place++) {
      const message = this.#all.at(place)
      if (message !== undefined && matchesChannel(paths, message.channel)) messages.push(message)
      const passedCount = place - start - messages.length
      if (messages.length === maxCount || passedCount === MAX_PASSED) {
        return { messages, seq: this.#all.seqAt(place) }
      }
    }
    return { messages, seq: this.#lastSeq }
  }

  /** Channels that had messages in this life. */
  *channels(): Iterable<ChannelLog<Kept>> {
    for (const log of this.#logs.values()) if (log.messageCount > 0) yield log
  }

  /** Forgets everything but the last number. */
  clear(): void {
    this.#logs.clear()
    this.#expiry.clear()
    this.#all.clear()
  }
}

function inOrder<Kept extends KeptMessage>(messages: Kept[]): Kept[] {
  return messages.sort((one, other) => one.seq - other.seq)
}

/** The last moment that may have come before a message of its channel. */
function momentBefore({ time, ordinal }: Last): Moment {
  const second = secondOf(time)
  return ordinal > 0
    ? { second, ordinal: ordinal - 1 }
    : { second: second - 1, ordinal: Number.MAX_SAFE_INTEGER }
}
