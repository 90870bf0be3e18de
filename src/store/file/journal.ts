// Writes: groups of messages into rows, together with what has gone since the last time, and what becomes of the store when
// the disk fails or is full. One write at a time; whoever calls sees to that.

import { MsgbusError } from '../../errors.ts'
import { describeFault, type Log } from '../../log.ts'
import type { Message } from '../../message.ts'
import { costOf } from '../channel-log.ts'
import type { History } from '../history.ts'
import { type Directory, hasRoom } from './directory.ts'
import { type Ends, encodeEnds } from './ends.ts'
import { type Change, type Engine, EngineFault } from './engine.ts'
import { decodeRow } from './record.ts'
import { type Arrival, type NewRow, RowWriter } from './row-writer.ts'
import { type Row, type Rows, StoredMessage } from './rows.ts'
import { currentBoot, encodeState, isNews, type State } from './state.ts'

const ROOM_CHECK_MS = 250

export interface JournalOptions {
  readonly directory: Directory
  readonly engine: Engine
  readonly sequence: { readonly epoch: string }
  readonly history: History<StoredMessage>
  readonly rows: Rows
  readonly ends: Ends
  /** Null: each write is on disk before it is told of. Else how often those before are brought there. */
  readonly syncIntervalMs: number | null
  readonly log: Log
  /** Called for each message, in order, as soon as it is kept. */
  readonly onKept: (message: Message) => void
}

interface Thinned {
  readonly row: Row
  readonly bytes: Buffer
  readonly costBytes: number
}

export class Journal {
  readonly #options: JournalOptions
  readonly #rowWriter: RowWriter
  readonly #boot = currentBoot()
  // On disk, as far as is known. It is written anew only if it says something else: an entry that each group had would tie
  // all files of the engine to each other, and they would be merged for it again and again.
  #known: State | null = null
  #thinned: readonly Thinned[] = []
  #isThinning = false
  #isDirty = false
  #isFull = false
  #hasFailed = false
  readonly #syncTimer: NodeJS.Timeout | undefined
  #roomTimer: NodeJS.Timeout | undefined

  constructor(options: JournalOptions) {
    this.#options = options
    this.#rowWriter = new RowWriter(options)
    const { syncIntervalMs } = options
    if (syncIntervalMs !== null)
      this.#syncTimer = setInterval(() => void this.#sync(), syncIntervalMs).unref()
  }

  /**
   * Writes messages, which are kept from then on, and returns them.
   * @throws {MsgbusError} `MSGBUS_STORE_FULL`, and none of them is kept; `MSGBUS_STORE`, and nobody knows.
   */
  async write(group: readonly Arrival[]): Promise<readonly Message[]> {
    if (this.#hasFailed) throw failed()
    if (this.#isFull) throw full()
    const rows = this.#rowWriter.write(group)
    const messages = rows.flatMap(row => row.messages)
    const lastSeq = messages.at(-1)?.seq ?? this.#options.history.lastSeq
    await this.#commit(rows, lastSeq, this.#options.syncIntervalMs === null)
    for (const row of rows) this.#keep(row)
    void this.#thin()
    return messages
  }

  async #commit(
    newRows: readonly NewRow[],
    lastSeq: number,
    isSynced: boolean,
    isClosed = false,
  ): Promise<void> {
    const { directory, engine, rows, ends } = this.#options
    const emptyRows = [...rows.empty]
    // With the rows that go: where a channel ended must not be forgotten with its last message.
    const ended = ends.take()
    const thinned = this.#thinned.filter(({ row }) => row.keptCount > 0)
    this.#thinned = []
    const state = this.#state(lastSeq, isClosed)
    const change: Change = {
      rows: [...newRows, ...thinned.map(({ row, bytes }) => ({ number: row.number, bytes }))],
      deleted: emptyRows.map(({ number }) => number),
      notes: encodeEnds(ended),
      state: this.#known === null || isNews(state, this.#known) ? encodeState(state) : null,
    }
    try {
      this.#isDirty ||= !isSynced
      await engine.write(change, isSynced)
      if (isSynced) await directory.sync()
      directory.noteAcknowledged(lastSeq)
    } catch (error) {
      ends.putBack(ended)
      throw this.#fail(error)
    }
    this.#known = state
    rows.noteDeleted(emptyRows.length)
    for (const { row, costBytes } of thinned) rows.noteThinned(row, costBytes)
  }

  #keep({ number, messages }: NewRow): void {
    const { sequence, history, rows, onKept } = this.#options
    const row = rows.open(number, messages.at(-1)?.seq ?? number, messages)
    for (const message of messages) {
      history.push(new StoredMessage(message, row, sequence))
      onKept(message)
    }
    history.trim()
  }

  #state(lastSeq: number, isClosed: boolean): State {
    const { sequence, history, rows, syncIntervalMs } = this.#options
    return {
      epoch: sequence.epoch,
      lastSeq,
      forgotten: history.forgotten,
      touchedSeq: rows.touchedSeq,
      isClosed,
      isSynced: syncIntervalMs === null,
      boot: this.#boot,
    }
  }

  #fail(error: unknown): MsgbusError {
    const { directory, log } = this.#options
    if (error instanceof EngineFault && error.kind === 'full') {
      this.#isFull = true
      log.write('error', 'store.full', { directory: directory.path })
      this.#roomTimer = setTimeout(() => void this.#checkRoom(), ROOM_CHECK_MS).unref()
      return full(error)
    }
    // [fsync(2)] Once it has failed, the system may have forgotten what it could not write: a later success means nothing.
    this.#hasFailed = true
    log.write('error', 'store.failed', { directory: directory.path, error: describeFault(error) })
    return failed(error)
  }

  readonly #checkRoom = async (): Promise<void> => {
    const { directory, engine, history, log } = this.#options
    try {
      if (await hasRoom(directory.path, await engine.reopenBytes())) {
        await engine.reopen(history.lastSeq, encodeState(this.#state(history.lastSeq, false)))
        this.#isFull = false
        log.write('warn', 'store.room', { directory: directory.path })
        return
      }
    } catch (error) {
      if (!(error instanceof EngineFault) || error.kind !== 'full') {
        this.#fail(error)
        return
      }
    }
    this.#roomTimer = setTimeout(() => void this.#checkRoom(), ROOM_CHECK_MS).unref()
  }

  readonly #sync = async (): Promise<void> => {
    if (!this.#isDirty || this.#isFull || this.#hasFailed) return
    const { directory, engine, history } = this.#options
    this.#isDirty = false
    try {
      // Whatever is written with a sync takes all that was written before with it.
      const state = encodeState(this.#state(history.lastSeq, false))
      await engine.write({ rows: [], deleted: [], notes: new Map(), state }, true)
      await directory.sync()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Rows that are mostly waste are read, to be written anew with the next group. */
  async #thin(): Promise<void> {
    const { engine, rows, history } = this.#options
    const sparse = this.#isThinning || this.#thinned.length > 0 ? [] : rows.sparse()
    if (sparse.length === 0) return
    this.#isThinning = true
    try {
      const found = await engine.read(sparse.map(({ number }) => number))
      this.#thinned = sparse.map(row => {
        const { records } = decodeRow(found.get(row.number) ?? NOTHING)
        const kept = records.filter(record => history.holds(record))
        const costBytes = kept.reduce((sum, record) => sum + costOf(record), 0)
        return { row, bytes: Buffer.concat(kept.map(({ bytes }) => bytes)), costBytes }
      })
    } catch {
      // It cannot be read now, because the engine is being opened anew: there is no hurry.
    } finally {
      this.#isThinning = false
    }
  }

  /** Writes what is left to be written, says that this was the end, and closes what it writes to. Never rejects. */
  async close(): Promise<void> {
    const { directory, engine, history, log } = this.#options
    clearInterval(this.#syncTimer)
    clearTimeout(this.#roomTimer)
    try {
      if (!this.#hasFailed && !this.#isFull) await this.#commit([], history.lastSeq, true, true)
    } catch {
      // It is in the log, and nothing is lost that was acknowledged.
    }
    try {
      await engine.close()
    } catch (error) {
      log.write('error', 'store.failed', { directory: directory.path, error: describeFault(error) })
    }
    directory.close()
  }
}

const NOTHING = Buffer.alloc(0)

function full(cause?: unknown): MsgbusError {
  return new MsgbusError('MSGBUS_STORE_FULL', 'Cannot publish: the disk is full', { cause })
}

function failed(cause?: unknown): MsgbusError {
  const text = 'Cannot publish: the disk has failed, and nothing is taken until the server is started again'
  return new MsgbusError('MSGBUS_STORE', text, { cause })
}
