// The store that survives: messages in a directory, on disk before they are acknowledged unless it is told otherwise. Who
// reads near the end is served from memory, who reads further back page by page from disk. What is kept is decided in
// history.ts, how it is written in file/journal.ts.

import { MsgbusError } from '../errors.ts'
import { type Log, silentLog } from '../log.ts'
import type { Draft, Message } from '../message.ts'
import { Directory } from './file/directory.ts'
import { Engine, EngineFault } from './file/engine.ts'
import { GroupCommit } from './file/group-commit.ts'
import { Journal } from './file/journal.ts'
import { load, type Loaded } from './file/loading.ts'
import { recordBytes } from './file/record.ts'
import type { Arrival } from './file/row-writer.ts'
import { RowCache, type RowMessages } from './file/row-cache.ts'
import type { Row, StoredMessage } from './file/rows.ts'
import { Tail } from './file/tail.ts'
import { completeRetention, type Retention } from './retention.ts'
import { StoreError } from './store-error.ts'
import type { Capability, ChannelRecord, Page, PageRequest, Place, Start, Store } from './store.ts'

/** How much a file store keeps unless it is told otherwise. */
export const FILE_RETENTION: Retention = {
  maxCount: 10_000,
  maxBytes: 2 ** 30,
  maxAgeMs: 86_400_000,
  maxTotalCount: 1_000_000,
  maxTotalBytes: 2 ** 30,
}

// What is read from disk for one page, at least one message.
const PAGE_BYTES = 4 * 2 ** 20

/** How often what has become too old is let go although nobody publishes or reads. */
const SWEEP_MS = 60_000

export interface FileStoreOptions extends Partial<Retention> {
  /**
   * Null, the default: a message is on disk before it is acknowledged. A number: the system has it then, and the disk
   * after at most so many milliseconds.
   */
  readonly syncIntervalMs?: number | null
  readonly log?: Log
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** What the engine gathers in memory and log before it sorts it into a file. */
  readonly writeBufferBytes?: number
}

/**
 * Opens the store in a directory, which is made if it is not there.
 * @throws {StoreError} if that directory holds something else, is open elsewhere, or cannot be used.
 * @throws {RangeError} for a limit that is none.
 */
export async function openFileStore(path: string, options: FileStoreOptions = {}): Promise<FileStore> {
  const { syncIntervalMs = null, log = silentLog, now = Date.now, writeBufferBytes, ...limits } = options
  const retention = completeRetention({ ...FILE_RETENTION, ...limits })
  const directory = await Directory.open(path)
  const open = async (wasRepaired: boolean): Promise<FileStore> => {
    const engine = await Engine.open(directory.enginePath, writeBufferBytes)
    try {
      directory.sign()
      const isSynced = syncIntervalMs === null
      const loaded = await load({ directory, engine, wasRepaired, retention, now, log, isSynced })
      return new FileStore({ directory, engine, loaded, syncIntervalMs, log, now })
    } catch (error) {
      await engine.close()
      throw error
    }
  }
  try {
    return await open(false).catch(async (error: unknown) => {
      if (!(error instanceof EngineFault) || error.kind !== 'corrupt') throw error
      log.write('error', 'store.repair', { directory: directory.path, error: error.message })
      await Engine.repair(directory.enginePath)
      return open(true)
    })
  } catch (error) {
    const { process } = directory
    directory.close()
    throw error instanceof EngineFault ? refusal(directory.path, process, error) : error
  }
}

function refusal(path: string, process: number | null, fault: EngineFault): StoreError {
  const owner = process === null ? 'another process' : `process ${process}`
  const reason = {
    locked: `${owner} has it open`,
    full: 'the disk is full',
    corrupt: 'it is damaged beyond repair',
    failed: fault.message,
  }[fault.kind]
  return new StoreError(path, reason, false, { cause: fault })
}

interface FileStoreParts {
  readonly directory: Directory
  readonly engine: Engine
  readonly loaded: Loaded
  readonly syncIntervalMs: number | null
  readonly log: Log
  readonly now: () => number
}

/** See {@link openFileStore}. */
export class FileStore implements Store {
  readonly supports: ReadonlySet<Capability> = new Set(['durable'])
  readonly epoch: string
  readonly #history: Loaded['history']
  readonly #rows: Loaded['rows']
  readonly #log: Log
  readonly #journal: Journal
  readonly #now: () => number
  readonly #tail = new Tail()
  readonly #rowCache: RowCache
  readonly #group: GroupCommit<Arrival, Message>
  readonly #sweepTimer: NodeJS.Timeout
  #closed: Promise<void> | null = null
  #onMessage: (message: Message) => void = () => undefined

  constructor({ directory, engine, loaded, syncIntervalMs, log, now }: FileStoreParts) {
    this.epoch = loaded.sequence.epoch
    this.#rowCache = new RowCache(numbers => engine.read(numbers))
    this.#history = loaded.history
    this.#rows = loaded.rows
    this.#log = log
    this.#now = now
    const onKept = (message: Message): void => {
      this.#tail.push(message)
      this.#onMessage(message)
    }
    this.#journal = new Journal({ directory, engine, ...loaded, syncIntervalMs, log, onKept })
    this.#group = new GroupCommit(items => this.#journal.write(items))
    this.#sweepTimer = setInterval(this.#sweep, SWEEP_MS).unref()
  }

  get lastSeq(): number {
    return this.#history.lastSeq
  }

  follow(onMessage: (message: Message) => void): void {
    this.#onMessage = onMessage
  }

  append(drafts: readonly Draft[]): Promise<readonly Message[]> {
    this.#checkOpen('publish')
    const time = this.#now()
    return drafts.length === 0
      ? Promise.resolve([])
      : this.#group.add(drafts.map(draft => ({ draft, time, byteCount: recordBytes(draft) })))
  }

  locate(paths: readonly string[], start: Start): Place {
    this.#checkOpen('find this place')
    return this.#history.locate(this.epoch, paths, start)
  }

  read(request: PageRequest): Page | Promise<Page> {
    this.#checkOpen('read history')
    const page = this.#history.read(request)
    const messages = page.messages.flatMap(({ seq }) => this.#tail.get(seq) ?? [])
    return messages.length === page.messages.length ? { ...page, messages } : this.#readBack(request, page)
  }

  async #readBack(request: PageRequest, whole: Page<StoredMessage>): Promise<Page> {
    const page = cut(whole)
    const known = page.messages.map(({ seq }) => this.#tail.get(seq))
    const missing = page.messages.filter((_, at) => known[at] === undefined)
    const found = await this.#fetch(missing)
    const messages = page.messages.map(({ seq, id, row }, at) => known[at] ?? found.get(row)?.get(seq, id))
    const end = messages.indexOf(undefined)
    const readable = messages.flatMap(message => message ?? [])
    if (end === -1) return { ...page, messages: readable }
    // Gone by now, or damaged: in either case gone for good, and counted when the page that begins there is read.
    this.#lose(page.messages.filter((_, at) => messages[at] === undefined))
    const before = readable.slice(0, end)
    const last = before.at(-1)
    this.#checkOpen('read history')
    return last === undefined ? this.read(request) : { ...page, messages: before, seq: last.seq }
  }

  async #fetch(messages: readonly StoredMessage[]): Promise<ReadonlyMap<Row, RowMessages>> {
    try {
      return await this.#rowCache.get(messages.map(({ row }) => row))
    } catch (cause) {
      this.#checkOpen('read history')
      throw new MsgbusError('MSGBUS_STORE', 'Cannot read history: the disk does not answer', { cause })
    }
  }

  #lose(messages: readonly StoredMessage[]): void {
    const lost = messages.filter(message => this.#history.lose(message))
    const [first] = lost
    if (first === undefined) return
    this.#log.write('error', 'store.corrupt', {
      id: first.id,
      channel: first.channel,
      lostCount: lost.length,
    })
  }

  channels(): Iterable<ChannelRecord> {
    return this.#history.channels()
  }

  /** Waits for what was handed in before. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweepTimer)
    await this.#group.flush()
    await this.#journal.close()
    this.#history.clear()
  }

  readonly #sweep = (): void => {
    this.#history.trim()
    if (this.#rows.empty.length > 0) this.#group.add([]).catch(() => undefined)
  }

  #checkOpen(action: string): void {
    if (this.#closed !== null) throw new MsgbusError('MSGBUS_CLOSED', `Cannot ${action}: the store is closed`)
  }
}

// So much of a page that reading it from disk does not take long.
function cut(page: Page<StoredMessage>): Page<StoredMessage> {
  const rows = new Set<StoredMessage['row']>()
  let byteCount = 0
  const end = page.messages.findIndex(({ row }, at) => {
    if (!rows.has(row)) byteCount += row.costBytes
    rows.add(row)
    return at > 0 && byteCount > PAGE_BYTES
  })
  if (end === -1) return page
  const messages = page.messages.slice(0, end)
  return { ...page, messages, seq: messages.at(-1)?.seq ?? page.seq }
}
