// Makes rows of drafts: gives each its place in the sequence, and encodes what is written together into one piece of memory,
// which is used again for the next group. Hot path: nothing per message but the message. No I/O.

import { formatCursor } from '../../cursor.ts'
import type { Draft, Message } from '../../message.ts'
import { type Last, ordinalBehind, timeBehind } from '../channel-log.ts'
import type { History } from '../history.ts'
import { writeRecord } from './record.ts'
import type { StoredMessage } from './rows.ts'

// Small messages of one group share rows up to this size. Whoever wants one of them reads them all.
const ROW_BYTES = 32 * 1024

// Larger groups are those of large messages, for which memory of their own costs little.
const MAX_KEPT_BYTES = 2 ** 20

/** A draft on its way to the disk. */
export interface Arrival {
  readonly draft: Draft
  /** When it was handed in, in milliseconds since 1970. */
  readonly time: number
  /** Of its record. */
  readonly byteCount: number
}

/** What is to be one row. */
export interface NewRow {
  /** The one of its first message. */
  readonly number: number
  readonly messages: readonly Message[]
  /** Written over by the next group. */
  readonly bytes: Buffer
}

export interface RowWriterOptions {
  readonly sequence: { readonly epoch: string }
  readonly history: History<StoredMessage>
}

export class RowWriter {
  readonly #options: RowWriterOptions
  #memory = Buffer.alloc(0)

  constructor(options: RowWriterOptions) {
    this.#options = options
  }

  /** Makes the rows of a group whose first message is the next one of the history. */
  write(group: readonly Arrival[]): readonly NewRow[] {
    const { history, sequence } = this.#options
    const { epoch } = sequence
    const rows: NewRow[] = []
    const lasts = new Map<string, Last>()
    const bytes = this.#take(group.reduce((sum, { byteCount }) => sum + byteCount, 0))
    let seq = history.lastSeq
    let number = seq + 1
    let messages: Message[] = []
    let start = 0
    let end = 0
    for (const { draft, time: arrivalTime, byteCount } of group) {
      const { channel, type, sender, body } = draft
      if (messages.length > 0 && end + byteCount - start > ROW_BYTES) {
        rows.push({ number, messages, bytes: bytes.subarray(start, end) })
        number = seq + 1
        messages = []
        start = end
      }
      seq++
      const last = lasts.get(channel) ?? history.lastOf(channel)
      const time = timeBehind(last, arrivalTime)
      const ordinal = ordinalBehind(last, time)
      // Written out: all messages are to have one shape, or the compiler makes slow code for everybody who looks at them.
      const id = formatCursor({ epoch, seq })
      const message: Message = { id, seq, channel, time, ordinal, type, sender, body }
      writeRecord(bytes, end, byteCount, message, last.seq)
      end += byteCount
      messages.push(message)
      lasts.set(channel, message)
    }
    if (messages.length > 0) rows.push({ number, messages, bytes: bytes.subarray(start, end) })
    return rows
  }

  #take(byteCount: number): Buffer {
    if (byteCount > MAX_KEPT_BYTES) return Buffer.allocUnsafe(byteCount)
    if (byteCount > this.#memory.length)
      this.#memory = Buffer.allocUnsafeSlow(Math.min(MAX_KEPT_BYTES, 2 * byteCount))
    return this.#memory
  }
}
