// What is on disk when a store is opened: reads all of it, checks every record, and makes the history that is to go on.

import type { Log } from '../../log.ts'
import { NOT_GONE } from '../gone.ts'
import { History } from '../history.ts'
import type { Retention } from '../retention.ts'
import type { Directory } from './directory.ts'
import { type Engine, EngineFault } from './engine.ts'
import { decodeEnd, encodeEnds, Ends } from './ends.ts'
import { decodeRow } from './record.ts'
import { Rows, StoredMessage } from './rows.ts'
import { currentBoot, decodeState, encodeState, newEpoch, reasonForNewEpoch } from './state.ts'

export interface LoadOptions {
  readonly directory: Directory
  readonly engine: Engine
  readonly retention: Retention
  readonly now: () => number
  readonly log: Log
  /** True if the engine had to be put together again: anything may be missing. */
  readonly wasRepaired: boolean
  /** Whether messages will be on stable storage before they are acknowledged. */
  readonly isSynced: boolean
}

/** A history, where its messages are on disk, and under which epoch they are counted. */
export interface Loaded {
  readonly sequence: { epoch: string }
  readonly history: History<StoredMessage>
  readonly rows: Rows
  readonly ends: Ends
}

/**
 * Reads it, and says on disk that it is open.
 * @throws {EngineFault} of kind `corrupt` if the engine has to be repaired before.
 */
export async function load(options: LoadOptions): Promise<Loaded> {
  const { directory, engine, wasRepaired, retention, now, log, isSynced } = options
  const rows = new Rows()
  const onGone = (message: StoredMessage): void => {
    rows.noteGone(message)
  }
  const state = decodeState(await engine.state())
  const sequence = { epoch: state?.epoch ?? newEpoch() }
  const ends = new Ends()
  const history = new History<StoredMessage>({
    ...{ retention, now, onGone },
    onEnded: ({ name, latest }) => {
      ends.note(name, latest)
    },
    onForgotten: channel => {
      ends.forget(channel)
    },
  })
  const loaded = { sequence, history, rows, ends }
  const loader = new Loader(loaded, state?.touchedSeq ?? 0)
  try {
    for await (const page of engine.rows()) for (const [number, bytes] of page) loader.add(number, bytes)
    for await (const [channel, note] of engine.notes()) loader.addEnd(channel, note)
  } catch (error) {
    // What is wrong then is not worth the rest.
    if (!wasRepaired || !(error instanceof EngineFault) || error.kind !== 'corrupt') throw error
    loader.noteDamage()
  }
  const { damagedSeq, damagedCount } = loader
  const { acknowledgedSeq } = directory
  const lastSeq = Math.max(history.lastSeq, state?.lastSeq ?? 0, acknowledgedSeq ?? 0)
  if (damagedCount > 0) log.write('error', 'store.corrupt', { directory: directory.path, damagedCount })
  const reason = reasonForNewEpoch({ state, foundSeq: history.lastSeq, acknowledgedSeq, wasRepaired })
  if (reason !== null) {
    sequence.epoch = newEpoch()
    log.write('error', 'store.reset', { directory: directory.path, reason })
  }
  history.resume(lastSeq, state?.forgotten ?? NOT_GONE)
  history.doubt(damagedSeq)
  // What is known to be missing is not reported again.
  rows.touch(Math.max(state?.touchedSeq ?? 0, damagedSeq, reason === null ? 0 : lastSeq))
  const opened = encodeState({
    epoch: sequence.epoch,
    lastSeq,
    forgotten: history.forgotten,
    touchedSeq: rows.touchedSeq,
    isClosed: false,
    isSynced,
    boot: currentBoot(),
  })
  await engine.write({ rows: [], deleted: [], notes: encodeEnds(ends.take()), state: opened }, true)
  directory.noteAcknowledged(lastSeq)
  await directory.syncNote()
  return loaded
}

class Loader {
  readonly #loaded: Loaded
  readonly #touchedSeq: number
  // Equal names are one string: there are far fewer of them than messages.
  readonly #names = new Map<string, string>()
  #nextSeq = 1
  #damagedSeq = 0
  #damagedCount = 0
  #isBehindDamage = false

  /** @param touchedSeq Up to here rows may be missing because what was in them had gone. */
  constructor(loaded: Loaded, touchedSeq: number) {
    this.#loaded = loaded
    this.#touchedSeq = touchedSeq
  }

  /** Up to here nobody knows what was there. */
  get damagedSeq(): number {
    return this.#isBehindDamage ? this.#nextSeq - 1 : this.#damagedSeq
  }

  /** Places at which something is missing or could not be read. */
  get damagedCount(): number {
    return this.#damagedCount
  }

  /** Takes in the next row. */
  add(number: number, bytes: Buffer): void {
    const { history, sequence, rows } = this.#loaded
    const found = decodeRow(bytes)
    const records = found.records.filter(
      ({ seq }, at) => seq > (found.records[at - 1]?.seq ?? history.lastSeq),
    )
    if (number > this.#nextSeq && number > this.#touchedSeq + 1) this.noteDamage()
    const [first] = records
    if (first !== undefined && this.#isBehindDamage) {
      this.#damagedSeq = first.seq - 1
      this.#isBehindDamage = false
    }
    if (!found.isWhole || records.length < found.records.length) this.noteDamage()
    const lastSeq = records.at(-1)?.seq ?? number
    this.#nextSeq = Math.max(this.#nextSeq, lastSeq + 1)
    const row = rows.open(number, lastSeq, records)
    for (const record of records) {
      const { seq, time, ordinal, body } = record
      const channel = this.#name(record.channel)
      const type = this.#name(record.type)
      const sender = record.sender === null ? null : this.#name(record.sender)
      const message = { seq, channel, time, ordinal, type, sender, body }
      history.restore(new StoredMessage(message, row, sequence), record.previousSeq)
    }
    history.trim()
  }

  /** Takes in where a channel ended, behind all rows. */
  addEnd(channel: string, note: Buffer): void {
    const end = decodeEnd(channel, note)
    if (end !== null) {
      this.#loaded.history.restoreEnd(this.#name(channel), end)
      return
    }
    this.noteDamage()
    this.#loaded.ends.forget(channel)
  }

  /** Takes note that something is missing behind what was taken in. */
  noteDamage(): void {
    this.#damagedCount++
    this.#isBehindDamage = true
  }

  #name(text: string): string {
    const known = this.#names.get(text)
    if (known === undefined) this.#names.set(text, text)
    return known ?? text
  }
}
