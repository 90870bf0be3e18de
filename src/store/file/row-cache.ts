// Rows that were read from disk lately. Readers who come back together, as after a restart, share one read of a row, its
// messages, and with those what is encoded of them. It does not know which of the messages are still kept.

import type { Message } from '../../message.ts'
import { decodeRow, type Stored } from './record.ts'
import type { Row } from './rows.ts'

// As much as is kept of the newest messages.
const MAX_BYTES = 16 * 2 ** 20

/** The messages of one row, each made once. */
export class RowMessages {
  readonly #records: readonly Stored[]
  readonly #messages: (Message | undefined)[] = []

  constructor(bytes: Buffer) {
    this.#records = decodeRow(bytes).records
  }

  /** Undefined for one that is not there or cannot be read. */
  get(seq: number, id: string): Message | undefined {
    const at = this.#indexOf(seq)
    const record = this.#records[at]
    if (record === undefined) return undefined
    const { channel, time, ordinal, type, sender, body } = record
    return (this.#messages[at] ??= { id, seq, channel, time, ordinal, type, sender, body })
  }

  #indexOf(seq: number): number {
    const at = seq - (this.#records[0]?.seq ?? seq)
    // Otherwise some before it are gone.
    return this.#records[at]?.seq === seq ? at : this.#records.findIndex(record => record.seq === seq)
  }
}

type Reading = Promise<ReadonlyMap<number, Buffer>>

const NOTHING: Reading = Promise.resolve(new Map())

interface Copy {
  /** Null for a row that is not there. */
  readonly messages: Promise<RowMessages | null>
  readonly costBytes: number
}

export class RowCache {
  readonly #read: (numbers: readonly number[]) => Reading
  readonly #maxBytes: number
  // What was read first comes first.
  readonly #copies = new Map<number, Copy>()
  #costBytes = 0

  /** @param read Reads rows from disk; those that are not there are left out. */
  constructor(read: (numbers: readonly number[]) => Reading, maxBytes = MAX_BYTES) {
    this.#read = read
    this.#maxBytes = maxBytes
  }

  /** Reads what is not there yet. Rejects with what reading does, and remembers nothing of that. */
  async get(rows: Iterable<Row>): Promise<ReadonlyMap<Row, RowMessages>> {
    // Looked up before anything is added, which may push them out.
    const known = new Map([...rows].map(row => [row, this.#copies.get(row.number)?.messages]))
    const missing = [...known].flatMap(([{ number }, messages]) => (messages === undefined ? [number] : []))
    const reading = missing.length === 0 ? NOTHING : this.#read(missing)
    const found = await Promise.all(
      [...known].map(async ([row, messages]) => [row, await (messages ?? this.#add(row, reading))] as const),
    )
    return new Map(found.flatMap(([row, messages]) => (messages === null ? [] : [[row, messages] as const])))
  }

  async #add(row: Row, reading: Reading): Promise<RowMessages | null> {
    const { number, costBytes } = row
    const messages = toMessages(number, reading)
    const copy = { messages, costBytes }
    this.#copies.set(number, copy)
    this.#costBytes += costBytes
    for (const [oldest, { costBytes: oldestBytes }] of this.#copies) {
      if (this.#costBytes <= this.#maxBytes) break
      this.#copies.delete(oldest)
      this.#costBytes -= oldestBytes
    }
    try {
      const made = await messages
      if (made === null) this.#forget(number, copy)
      return made
    } catch (error) {
      this.#forget(number, copy)
      throw error
    }
  }

  #forget(number: number, copy: Copy): void {
    if (this.#copies.get(number) !== copy) return
    this.#copies.delete(number)
    this.#costBytes -= copy.costBytes
  }
}

async function toMessages(number: number, reading: Reading): Promise<RowMessages | null> {
  const bytes = (await reading).get(number)
  return bytes === undefined ? null : new RowMessages(bytes)
}
