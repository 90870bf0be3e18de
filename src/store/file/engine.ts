// The engine under a file store, which is LevelDB: ordered rows, written in batches that are there whole or not at all, one
// process at a time. It knows rows and no messages.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'

const OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  // Much of what is published is compressed already.
  compression: false,
  maxFileSize: 16 * 2 ** 20,
  // Each costs a descriptor, of which connections need many.
  maxOpenFiles: 100,
} as const

/** Written to memory and log before it becomes a sorted file. What the log holds is read again at start. */
const WRITE_BUFFER_BYTES = 16 * 2 ** 20

// Beside what its log holds: new files and their tables of contents.
const REOPEN_SPARE_BYTES = 2 ** 20

const PAGE_BYTES = 2 ** 20
const PAGE_COUNT = 1_000

// 'r', then the number in eight bytes, most significant first, so that rows are in order.
const ROW_TAG = 0x72
const ROW_KEY_BYTES = 9
const FIRST_ROW = rowKey(0)
const LAST_ROW = rowKey(Number.MAX_SAFE_INTEGER)
const STATE_KEY = Buffer.from('state')

// 'c', then the name of the channel.
const NOTE_TAG = 'c'
const BEHIND_NOTES = Buffer.from('d')

export type FaultKind = 'locked' | 'full' | 'corrupt' | 'failed'

/** The engine could not do what was asked. */
export class EngineFault extends Error {
  override readonly name = 'EngineFault'
  readonly kind: FaultKind

  constructor(action: string, cause: unknown) {
    super(`Cannot ${action}: ${textOf(cause)}`, { cause })
    this.kind = kindOf(cause)
  }
}

/** What is changed at once. */
export interface Change {
  /** New rows, or new contents of old ones. */
  readonly rows: readonly { readonly number: number; readonly bytes: Buffer }[]
  /** Numbers of rows that go. */
  readonly deleted: readonly number[]
  /** Notes on channels: their bytes, or null where there is to be none. */
  readonly notes: ReadonlyMap<string, Buffer | null>
  /** Null: what it says is as before. */
  readonly state: Buffer | null
}

export type Rows = readonly (readonly [number: number, bytes: Buffer])[]

type Database = ClassicLevel<Buffer, Buffer>

export class Engine {
  readonly #path: string
  readonly #writeBufferSize: number
  #database: Database
  #ready: Promise<void> = Promise.resolve()

  private constructor(path: string, writeBufferSize: number, database: Database) {
    this.#path = path
    this.#writeBufferSize = writeBufferSize
    this.#database = database
  }

  /** @throws {EngineFault} of kind `corrupt` if {@link repair} may help. */
  static async open(path: string, writeBufferSize = WRITE_BUFFER_BYTES): Promise<Engine> {
    return new Engine(path, writeBufferSize, await openDatabase(path, writeBufferSize))
  }

  /**
   * Puts an engine that is not open together again from its parts. What cannot be read is put aside, in `lost/`.
   * @throws {EngineFault}
   */
  static async repair(path: string): Promise<void> {
    try {
      await ClassicLevel.repair(path)
    } catch (error) {
      throw new EngineFault('repair the engine', error)
    }
  }

  /**
   * Makes a change, whole or not at all. What it holds is copied before this returns.
   * @param isSynced Whether it waits until the change, and all before it, is on stable storage.
   * @throws {EngineFault} after which nobody knows whether the change is there. Of kind `full`, {@link reopen} before
   *   anything is written again: the engine would write behind a torn record, and not find it any more at the next start.
   */
  async write({ rows, deleted, notes, state }: Change, isSynced: boolean): Promise<void> {
    try {
      const batch = this.#database.batch()
      for (const { number, bytes } of rows) batch.put(rowKey(number), bytes)
      for (const number of deleted) batch.del(rowKey(number))
      for (const [channel, bytes] of notes) {
        if (bytes === null) batch.del(noteKey(channel))
        else batch.put(noteKey(channel), bytes)
      }
      if (state !== null) batch.put(STATE_KEY, state)
      await batch.write({ sync: isSynced })
    } catch (error) {
      throw new EngineFault('write', error)
    }
  }

  /** What was written last beside the rows. */
  async state(): Promise<Buffer | undefined> {
    try {
      return await this.#database.get(STATE_KEY)
    } catch {
      // Damaged: as good as none.
      return undefined
    }
  }

  /**
   * All notes on channels.
   * @throws {EngineFault} of kind `corrupt` if some could not be read.
   */
  async *notes(): AsyncGenerator<readonly [channel: string, bytes: Buffer], void, void> {
    const iterator = this.#database.iterator({ gte: noteKey(''), lt: BEHIND_NOTES })
    try {
      for await (const [key, bytes] of iterator) yield [key.toString('utf8', NOTE_TAG.length), bytes]
    } catch (error) {
      throw new EngineFault('read all notes', error)
    }
  }

  /** Rows with these numbers; those that are not there, or cannot be read, are missing in the answer. */
  async read(numbers: readonly number[]): Promise<ReadonlyMap<number, Buffer>> {
    await this.#ready
    const keys = numbers.map(rowKey)
    const found = await this.#database.getMany(keys).catch(() => this.#readEach(keys))
    const rows = new Map<number, Buffer>()
    for (const [at, number] of numbers.entries()) {
      const row = found[at]
      if (row !== undefined) rows.set(number, row)
    }
    return rows
  }

  // One that is damaged makes all of them fail.
  #readEach(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return Promise.all(
      keys.map(key =>
        this.#database.get(key).catch((error: unknown) => {
          if (this.#database.status !== 'open') throw new EngineFault('read', error)
          return undefined
        }),
      ),
    )
  }

  /**
   * All rows, in order.
   * @throws {EngineFault} of kind `corrupt` if some could not be read.
   */
  async *rows(): AsyncGenerator<Rows, void, void> {
    const iterator = this.#database.iterator({
      gte: FIRST_ROW,
      lte: LAST_ROW,
      highWaterMarkBytes: PAGE_BYTES,
    })
    try {
      let next = iterator.nextv(PAGE_COUNT)
      for (;;) {
        const entries = await next
        if (entries.length === 0) return
        // The disk is read on while those that are here are looked at.
        next = iterator.nextv(PAGE_COUNT)
        // It is awaited later, or by nobody if whoever reads has given up.
        next.catch(() => undefined)
        yield entries.map(([key, bytes]): [number, Buffer] => [rowNumber(key), bytes])
      }
    } catch (error) {
      throw new EngineFault('read all rows', error)
    } finally {
      await iterator.close()
    }
  }

  /**
   * Opens it anew, after a write failed for want of room, and takes back whatever of that write is there all the same.
   * @param lastNumber Of the last row that is to stay.
   * @throws {EngineFault} if there is still no room; it is closed then, and may be opened again.
   */
  async reopen(lastNumber: number, state: Buffer): Promise<void> {
    const reopening = this.#reopen(lastNumber, state)
    // Whoever reads in between waits, and finds out by itself if it failed.
    this.#ready = reopening.catch(() => undefined)
    await reopening
  }

  async #reopen(lastNumber: number, state: Buffer): Promise<void> {
    await this.#database.close()
    this.#database = await openDatabase(this.#path, this.#writeBufferSize)
    const surplus = await this.#database.keys({ gt: rowKey(lastNumber), lte: LAST_ROW }).all()
    await this.write({ rows: [], deleted: surplus.map(rowNumber), notes: new Map(), state }, true)
  }

  /** Bytes that have to be free before {@link reopen} is of any use. */
  async reopenBytes(): Promise<number> {
    const names = await readdir(this.#path)
    const logs = names.filter(name => name.endsWith('.log')).map(name => stat(join(this.#path, name)))
    return (await Promise.all(logs)).reduce((sum, { size }) => sum + size, REOPEN_SPARE_BYTES)
  }

  async close(): Promise<void> {
    await this.#database.close()
  }
}

async function openDatabase(path: string, writeBufferSize: number): Promise<Database> {
  try {
    const names = await readdir(path)
    // Where the first of its files is missing, the engine would take the others for remains, and delete them.
    const createIfMissing = !names.some(name => /^MANIFEST|\.(?:ldb|log)$/.test(name))
    const database = new ClassicLevel<Buffer, Buffer>(path, { ...OPTIONS, writeBufferSize, createIfMissing })
    await database.open()
    return database
  } catch (error) {
    throw new EngineFault('open the engine', error)
  }
}

function rowKey(number: number): Buffer {
  const key = Buffer.allocUnsafe(ROW_KEY_BYTES)
  key[0] = ROW_TAG
  key.writeUInt32BE(Math.floor(number / 2 ** 32), 1)
  key.writeUInt32BE(number >>> 0, 5)
  return key
}

function noteKey(channel: string): Buffer {
  return Buffer.from(`${NOTE_TAG}${channel}`)
}

function rowNumber(key: Buffer): number {
  return key.length === ROW_KEY_BYTES ? key.readUInt32BE(1) * 2 ** 32 + key.readUInt32BE(5) : 0
}

function* causes(error: unknown): Generator<Error, void, void> {
  for (let cause = error; cause instanceof Error; cause = cause.cause) yield cause
}

function textOf(error: unknown): string {
  return [...causes(error)].at(-1)?.message ?? String(error)
}

function kindOf(error: unknown): FaultKind {
  const found = [...causes(error)]
  const has = (code: string): boolean => found.some(cause => 'code' in cause && cause.code === code)
  if (has('LEVEL_LOCKED')) return 'locked'
  // The engine hands on the words of the system alone.
  if (/No space left on device|Disk quota exceeded/.test(textOf(error))) return 'full'
  const isCorrupt = has('LEVEL_CORRUPTION') || /Invalid argument|No such file/i.test(textOf(error))
  return isCorrupt ? 'corrupt' : 'failed'
}
