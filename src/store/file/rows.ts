// Which rows of the engine hold messages that are still kept, and how much of what they hold is not. A row is what was
// written together. It can go when its last message has gone, and is to be written anew, without the others, when too
// much of what is on disk is waste. Counts only.

import { formatCursor } from '../../cursor.ts'
import type { Message } from '../../message.ts'
import { costOf } from '../channel-log.ts'
import { Queue } from '../queue.ts'
import type { KeptMessage } from '../store.ts'

// Less is not worth the work.
const MIN_WASTE_BYTES = 16 * 2 ** 20

// What is looked at, and what is written anew, at a time.
const MAX_LOOKED_AT = 10_000
const MAX_THINNED_BYTES = 2 ** 20

/** One row of the engine. */
export interface Row {
  /** The one of its first message, which names it. */
  readonly number: number
  readonly lastSeq: number
  /** True if nothing in it could be read when the store was opened. */
  readonly isUnreadable: boolean
  /** What its messages cost, kept or not. */
  costBytes: number
  keptBytes: number
  keptCount: number
}

/** What is remembered of a message on disk. */
export class StoredMessage implements KeptMessage {
  readonly #sequence: { readonly epoch: string }
  readonly seq: number
  readonly channel: string
  readonly time: number
  readonly ordinal: number
  readonly type: string
  readonly sender: string | null
  /** Of its body, in bytes. */
  readonly length: number
  readonly row: Row

  /** @param sequence Whose epoch is in its id. */
  constructor(message: Omit<Message, 'id'>, row: Row, sequence: { readonly epoch: string }) {
    this.#sequence = sequence
    this.seq = message.seq
    this.channel = message.channel
    this.time = message.time
    this.ordinal = message.ordinal
    this.type = message.type
    this.sender = message.sender
    this.length = message.body.length
    this.row = row
  }

  get id(): string {
    return formatCursor({ epoch: this.#sequence.epoch, seq: this.seq })
  }

  // Only the length of the body is here, and there are many of these.
  get body(): { readonly length: number } {
    return this
  }
}

export class Rows {
  // In order; those that are gone may still stand here.
  readonly #rows = new Queue<Row>()
  readonly #empty: Row[] = []
  #rowCount = 0
  #costBytes = 0
  #keptBytes = 0
  #lookAt = 0
  #touchedSeq = 0

  /** Takes in a row, whose messages are kept from now on. One without any has none that can be read. */
  open(number: number, lastSeq: number, messages: readonly Pick<KeptMessage, 'body'>[]): Row {
    const costBytes = messages.reduce((sum, message) => sum + costOf(message), 0)
    const isUnreadable = messages.length === 0
    const row = { number, lastSeq, isUnreadable, costBytes, keptBytes: costBytes, keptCount: messages.length }
    this.#rows.push(row)
    if (!isUnreadable) this.#rowCount++
    this.#costBytes += costBytes
    this.#keptBytes += costBytes
    return row
  }

  /** Takes note that a message is not kept any more. */
  noteGone(message: StoredMessage): void {
    const { row } = message
    const costBytes = costOf(message)
    row.keptBytes -= costBytes
    this.#keptBytes -= costBytes
    if (--row.keptCount > 0) return
    this.touch(row.lastSeq)
    this.#costBytes -= row.costBytes
    this.#rowCount--
    this.#empty.push(row)
    this.#shift()
    if (this.#rows.length > 1_000 && this.#rows.length > this.#rowCount * 2) {
      this.#rows.keepOnly(({ keptCount, isUnreadable }) => keptCount > 0 || isUnreadable)
    }
  }

  // What cannot be read stays on disk for as long as what is older does.
  #shift(): void {
    for (let row = this.#rows.at(0); row?.keptCount === 0; row = this.#rows.at(0)) {
      this.#rows.shift()
      if (!row.isUnreadable) continue
      this.touch(row.lastSeq)
      this.#empty.push(row)
    }
  }

  /** Up to here rows may be missing, or lack some of their messages, on disk. */
  get touchedSeq(): number {
    return this.#touchedSeq
  }

  touch(seq: number): void {
    this.#touchedSeq = Math.max(this.#touchedSeq, seq)
  }

  /** Rows that can be deleted, the one that was emptied first at the front. */
  get empty(): readonly Row[] {
    return this.#empty
  }

  /** Takes note that so many of the empty rows are deleted. */
  noteDeleted(count: number): void {
    this.#empty.splice(0, count)
  }

  /** Some rows that are mostly waste, if there is more waste than anything else. */
  sparse(): readonly Row[] {
    const found: Row[] = []
    if (this.#costBytes - this.#keptBytes < Math.max(MIN_WASTE_BYTES, this.#keptBytes)) return found
    let foundBytes = 0
    for (let step = 0; step < MAX_LOOKED_AT && foundBytes < MAX_THINNED_BYTES; step++) {
      const row = this.#rows.at(this.#lookAt)
      // Around the end.
      this.#lookAt = row === undefined ? 0 : this.#lookAt + 1
      if (row === undefined || row.keptCount === 0 || row.keptBytes * 2 > row.costBytes) continue
      this.touch(row.lastSeq)
      found.push(row)
      foundBytes += row.costBytes
    }
    return found
  }

  /** Takes note that a row holds only this much now. */
  noteThinned(row: Row, costBytes: number): void {
    if (row.keptCount > 0) this.#costBytes -= row.costBytes - costBytes
    row.costBytes = costBytes
  }
}
