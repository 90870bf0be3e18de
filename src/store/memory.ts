// The store that is there by default: history in this process's memory, bounded, and gone with it. The reference for
// what a store does. Hot path: one look-up per message, whatever the number of channels.

import { randomBytes } from 'node:crypto'
import { formatCursor } from '../cursor.ts'
import { MsgbusError } from '../errors.ts'
import { isTree, matchesChannel } from '../matcher.ts'
import type { Draft, Message } from '../message.ts'
import { ChannelLog, costOf } from './channel-log.ts'
import { Queue } from './queue.ts'
import { DEFAULT_RETENTION, type Retention } from './retention.ts'
import type { Capability, Page, PageRequest, Place, Start, Store } from './store.ts'

const MAX_CHANNELS = 100_000

// Among so many of the oldest channels one without history is looked for when there are too many.
const MAX_LOOKED_AT = 16

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
  // Of channels that were forgotten altogether.
  #unknownSeq = 0
  #lastSeq = 0
  #isClosed = false
  #onMessage: (message: Message) => void = () => undefined

  constructor({ now = Date.now, ...retention }: MemoryStoreOptions = {}) {
    this.#now = now
    this.#retention = { ...DEFAULT_RETENTION, ...retention }
  }

  get lastSeq(): number {
    return this.#lastSeq
  }

  follow(onMessage: (message: Message) => void): void {
    this.#onMessage = onMessage
  }

  append(drafts: readonly Draft[]): readonly Message[] {
    if (this.#isClosed) throw new MsgbusError('MSGBUS_CLOSED', 'Cannot publish: the store is closed')
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
      chosen ??= log
      if (log.keptCount === 0) chosen = log
      if (log.keptCount === 0 || ++lookedAt === MAX_LOOKED_AT) break
    }
    if (chosen === undefined) return
    while (chosen.keptCount > 0) this.#drop(chosen)
    this.#logs.delete(chosen.name)
    this.#unknownSeq = this.#lastSeq
  }

  #drop(log: ChannelLog): void {
    const message = log.shift()
    if (message === undefined) return
    this.#keptCount--
    this.#costBytes -= costOf(message)
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
    this.#trim()
    switch (start.kind) {
      case 'now':
        return { seq: this.#lastSeq, missedCount: 0, isReset: false }
      case 'all':
        return { seq: 0, missedCount: 0, isReset: false }
      case 'after': {
        const { epoch, seq } = start.cursor
        if (epoch !== this.epoch || seq > this.#lastSeq) return { seq: 0, missedCount: 0, isReset: true }
        const missedCount = this.#missedCount(paths, seq)
        return { seq, missedCount: missedCount ?? 0, isReset: missedCount === null }
      }
      case 'time': {
        const first = this.#all.at(this.#all.search(message => message.time >= start.timeMs))
        return { seq: (first?.seq ?? this.#lastSeq + 1) - 1, missedCount: 0, isReset: false }
      }
      case 'last':
        return { seq: this.#seqBeforeLast(paths, start.count), missedCount: 0, isReset: false }
    }
  }

  #missedCount(paths: readonly string[], seq: number): number | null {
    if (seq < this.#unknownSeq) return null
    let missedCount = 0
    for (const log of this.#matching(paths)) {
      const count = log.missedCount(seq)
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

  read({ paths, afterSeq, maxCount }: PageRequest): Page {
    this.#trim()
    const [path, ...others] = paths
    const isOneChannel = path !== undefined && others.length === 0 && !isTree(path)
    const messages = isOneChannel
      ? (this.#logs.get(path)?.after(afterSeq, maxCount) ?? [])
      : this.#readAll(paths, afterSeq, maxCount)
    const last = messages.at(-1)
    return { messages, seq: last !== undefined && messages.length === maxCount ? last.seq : this.#lastSeq }
  }

  #readAll(paths: readonly string[], afterSeq: number, maxCount: number): readonly Message[] {
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
  }
}
