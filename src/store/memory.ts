// The store that is there by default: history in this process's memory, bounded, and gone with it. The reference for
// what a store does.

import { randomBytes } from 'node:crypto'
import { formatCursor } from '../cursor.ts'
import { MsgbusError } from '../errors.ts'
import type { Draft, Message } from '../message.ts'
import { ordinalBehind, timeBehind } from './channel-log.ts'
import { History } from './history.ts'
import { completeRetention, type Retention } from './retention.ts'
import type { Capability, ChannelRecord, Page, PageRequest, Place, Start, Store } from './store.ts'

export interface MemoryStoreOptions extends Partial<Retention> {
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

export class MemoryStore implements Store {
  readonly supports: ReadonlySet<Capability> = new Set()
  readonly epoch = randomBytes(6).toString('hex')
  readonly #history: History<Message>
  readonly #now: () => number
  #isClosed = false
  #onMessage: (message: Message) => void = () => undefined

  /** @throws {RangeError} for a limit that is negative or no number. */
  constructor({ now = Date.now, ...retention }: MemoryStoreOptions = {}) {
    this.#now = now
    this.#history = new History({ retention: completeRetention(retention), now })
  }

  get lastSeq(): number {
    return this.#history.lastSeq
  }

  follow(onMessage: (message: Message) => void): void {
    this.#onMessage = onMessage
  }

  append(drafts: readonly Draft[]): readonly Message[] {
    this.#checkOpen('publish')
    return drafts.map(draft => this.#append(draft))
  }

  #append({ channel, type, sender, body }: Draft): Message {
    const seq = this.#history.lastSeq + 1
    const id = formatCursor({ epoch: this.epoch, seq })
    const last = this.#history.lastOf(channel)
    const nowMs = this.#now()
    const time = timeBehind(last, nowMs)
    const ordinal = ordinalBehind(last, time)
    const message: Message = { id, seq, channel, time, ordinal, type, sender, body }
    this.#history.push(message)
    this.#history.trim(nowMs)
    this.#onMessage(message)
    return message
  }

  locate(paths: readonly string[], start: Start): Place {
    this.#checkOpen('find this place')
    return this.#history.locate(this.epoch, paths, start)
  }

  read(request: PageRequest): Page {
    this.#checkOpen('read history')
    return this.#history.read(request)
  }

  channels(): Iterable<ChannelRecord> {
    return this.#history.channels()
  }

  close(): void {
    this.#isClosed = true
    this.#history.clear()
  }

  #checkOpen(action: string): void {
    if (this.#isClosed) throw new MsgbusError('MSGBUS_CLOSED', `Cannot ${action}: the store is closed`)
  }
}
