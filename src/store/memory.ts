// The store that is there by default: history in this process's memory, bounded, and gone with it. The reference for
// what a store does. Hot path: one look-up per message, whatever the number of channels.

import { randomBytes } from 'node:crypto'
import { formatCursor } from '../cursor.ts'
import { MsgbusError } from '../errors.ts'
import { isTree, matchesChannel } from '../matcher.ts'
import type { Draft, Message } from '../message.ts'
import { ChannelLog, costOf, type Gone } from './channel-log.ts'
import { Queue } from './queue.ts'
import { completeRetention, type Retention } from './retention.ts'
import type { Capability, Page, PageRequest, Place, Start, Store } from './store.ts'

const MAX_CHANNELS = 100_000

// Among so many of the oldest channels the one that has been silent for longest is looked for when there are too many.
const MAX_LOOKED_AT = 16

// Messages that are gone but still counted, of one channel and of all.
const MAX_REMEMBERED = 10_000
const MAX_REMEMBERED_TOTAL = 200_000

export interface MemoryStoreOptions extends Partial<Retention> {
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

export class MemoryStore implements Store {
  readonly supports: ReadonlySet<Capability> = new Set()
  readonly epoch = randomBytes(6).toString('hex')
  readonly #retention: Retention
  readonly #now: () => number
  readonly #logs = new Map<string, ChannelLog>()
  // All channels in one row. Messages that their channel has let go of may still stand here.
  readonly #all = new Queue<Message>()
  #keptCount = 0
  #costBytes = 0
  #goneCount = 0
  #rememberedCount = 0
  // Of channels that were forgotten altogether.
  #newestForgotten: Gone = { seq: 0, mark: 0 }
  #lastSeq = 0
  #isClosed = false
  #onMessage: (message: Message) => void = () => undefined

  /** @throws {RangeError} for a limit that is negative or no number. */
  constructor({ now = Date.now, ...retention }: MemoryStoreOptions = {}) {
    this.#now = now
    this.#retention = completeRetention(retention)
  }

  get lastSeq(): number {
    return this.#lastSeq
  }

  follow(onMessage: (message: Message) => void): void {
    this.#onMessage = onMessage
  }

  append(drafts: readonly Draft[]): readonly Message[] {
    this.#checkOpen('publish')
    return drafts.map(draft => this.#append(draft))
  }

  #append({ channel, type, sender, body }: Draft): Message {
    const seq = this.#lastSeq + 1
    const id = formatCursor({ epoch: this.epoch, seq })
    const message: Message = { id, seq, channel, time: this.#now(), type, sender, body }
    this.#lastSeq = seq
    this.#keep(message)
    this.#onMessage(message)
    return message
  }

  #keep(message: Message): void {
    const log = this.#logs.get(message.channel) ?? this.#openLog(message.channel)
    log.push(message)
    this.#all.push(message)
    this.#keptCount++
    this.#costBytes += costOf(message)
    const { maxCount, maxBytes } = this.#retention
    while (log.keptCount > maxCount || log.costBytes > maxBytes) this.#drop(log)
    this.#trim()
  }

  #openLog(channel: string): ChannelLog {
    if (this.#logs.size >= MAX_CHANNELS) this.#forgetChannel()
    const log = new ChannelLog(channel)
    this.#logs.set(channel, log)
    return log
  }

  #forgetChannel(): void {
    let chosen: ChannelLog | undefined
    let lookedAt = 0
    for (const log of this.#logs.values()) {
      if (chosen === undefined || log.lastSeq < chosen.lastSeq) chosen = log
      if (++lookedAt === MAX_LOOKED_AT) break
    }
    if (chosen === undefined) return
    while (chosen.keptCount > 0) this.#drop(chosen)
    this.#logs.delete(chosen.name)
    this.#rememberedCount -= chosen.rememberedCount
    const { seq, mark } = chosen.newestGone
    const before = this.#newestForgotten
    this.#newestForgotten = { seq: Math.max(seq, before.seq), mark: Math.max(mark, before.mark) }
  }

  #drop(log: ChannelLog): void {
    const message = log.shift(this.#goneCount + 1)
    if (message === undefined) return
    this.#goneCount++
    this.#keptCount--
    this.#costBytes -= costOf(message)
    this.#rememberedCount++
    if (log.rememberedCount > MAX_REMEMBERED || this.#rememberedCount > MAX_REMEMBERED_TOTAL) {
      log.forget()
      this.#rememberedCount--
    }
    if (this.#all.length > 1_000 && this.#all.length > this.#keptCount * 2) {
      this.#all.keepOnly(kept => this.#holds(kept))
    }
  }

  /** Lets go of what is too old, and of the oldest while there is too much. */
  #trim(): void {
    const { maxAgeMs, maxTotalCount, maxTotalBytes } = this.#retention
    const oldestTime = this.#now() - maxAgeMs
    for (let oldest = this.#all.at(0); oldest !== undefined; oldest = this.#all.at(0)) {
      const log = this.#logs.get(oldest.channel)
      if (log?.holds(oldest) !== true) {
        this.#all.shift()
        continue
      }
      const isTooMuch = this.#keptCount > maxTotalCount || this.#costBytes > maxTotalBytes
      if (!isTooMuch && oldest.time >= oldestTime) return
      this.#drop(log)
    }
  }

  #holds(message: Message): boolean {
    return this.#logs.get(message.channel)?.holds(message) === true
  }

  locate(paths: readonly string[], start: Start): Place {
    this.#checkOpen('find this place')
    this.#trim()
    const place = { missedCount: 0, isReset: false, mark: this.#goneCount }
    switch (start.kind) {
      case 'now':
        return { ...place, seq: this.#lastSeq }
      case 'all':
        return { ...place, seq: 0 }
      case 'after': {
        const { epoch, seq } = start.cursor
        if (epoch !== this.epoch || seq > this.#lastSeq) return { ...place, seq: 0, isReset: true }
        const missedCount = this.#missedCount(paths, seq, 0)
        return { ...place, seq, missedCount: missedCount ?? 0, isReset: missedCount === null }
      }
      case 'time': {
        const first = this.#all.at(this.#all.search(message => message.time >= start.timeMs))
        return { ...place, seq: (first?.seq ?? this.#lastSeq + 1) - 1 }
      }
      case 'last':
        return { ...place, seq: this.#seqBeforeLast(paths, start.count) }
    }
  }

  #missedCount(paths: readonly string[], seq: number, mark: number): number | null {
    if (mark === this.#goneCount) return 0
    if (this.#newestForgotten.seq > seq && this.#newestForgotten.mark > mark) return null
    let missedCount = 0
    for (const log of this.#matching(paths)) {
      const count = log.missedCount(seq, mark)
      if (count === null) return null
      missedCount += count
    }
    return missedCount
  }

  *#matching(paths: readonly string[]): Iterable<ChannelLog> {
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
      if (message === undefined || !matchesChannel(paths, message.channel) || !this.#holds(message)) continue
      found++
      seq = message.seq - 1
    }
    return seq
  }

  read({ paths, afterSeq, maxCount, mark = this.#goneCount }: PageRequest): Page {
    this.#checkOpen('read history')
    this.#trim()
    const messages = paths.some(isTree)
      ? this.#readTrees(paths, afterSeq, maxCount)
      : this.#readNames(paths, afterSeq, maxCount)
    const last = messages.at(-1)
    return {
      messages,
      seq: last !== undefined && messages.length === maxCount ? last.seq : this.#lastSeq,
      lostCount: this.#missedCount(paths, afterSeq, mark),
      mark: this.#goneCount,
    }
  }

  #readNames(paths: readonly string[], afterSeq: number, maxCount: number): readonly Message[] {
    const found = [...this.#matching(paths)].map(log => log.after(afterSeq, maxCount))
    const [only = []] = found
    return found.length < 2 ? only : inOrder(found.flat()).slice(0, maxCount)
  }

  #readTrees(paths: readonly string[], afterSeq: number, maxCount: number): readonly Message[] {
    const messages: Message[] = []
    for (let at = this.#all.search(kept => kept.seq > afterSeq); messages.length < maxCount; at++) {
      const message = this.#all.at(at)
      if (message === undefined) break
      if (matchesChannel(paths, message.channel) && this.#holds(message)) messages.push(message)
    }
    return messages
  }

  channels(): Iterable<ChannelLog> {
    return this.#logs.values()
  }

  close(): void {
    this.#isClosed = true
    this.#logs.clear()
    this.#all.keepOnly(() => false)
  }

  #checkOpen(action: string): void {
    if (this.#isClosed) throw new MsgbusError('MSGBUS_CLOSED', `Cannot ${action}: the store is closed`)
  }
}

function inOrder(messages: Message[]): Message[] {
  return messages.sort((one, other) => one.seq - other.seq)
}
