// The directory of a file store: ours or nobody's, marked as such, with a note of what was acknowledged beside the
// engine's own folder. It reads no message.
//
//   msgbus-store   says what this is, and in which form
//   process        names the process that has it open, or had; its number first
//   acknowledged   number of the last message that was acknowledged, written after the fact and not synced
//   messages/      the engine's

import {
  closeSync,
  fstatSync,
  fsync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { makeFolder } from '../../make-folder.ts'
import { StoreError } from '../store-error.ts'

const MARK = 'msgbus-store'
const MARK_TEXT = 'msgbus store, form 3\n'
const NEW_MARK = 'msgbus-store.new'

// What stands in the top directory of a fresh file system.
const NOBODYS: ReadonlySet<string> = new Set([NEW_MARK, 'lost+found'])

const NOTE_BYTES = 12

// A change is seen by the folder's time, which is no finer than the system's clock.
const CLOCK_TICK_MS = 20

const syncDescriptor = promisify(fsync)

export class Directory {
  readonly path: string
  readonly enginePath: string
  readonly #note: number
  readonly #engineFolder: number
  #changeMs = 0
  #noticedMs = 0
  #isSynced = false
  readonly #signature: string
  #isSigned = false

  private constructor(path: string) {
    this.path = path
    this.#signature = ownSignature(path)
    // Its lock goes by the name: under two of them one process would have it twice, and each write over the other's.
    this.enginePath = realpathSync(join(path, 'messages'))
    this.#note = openSync(join(path, 'acknowledged'), 'a+', 0o600)
    closeSync(this.#note)
    this.#note = openSync(join(path, 'acknowledged'), 'r+')
    this.#engineFolder = openSync(this.enginePath, 'r')
  }

  /**
   * Opens a directory, and makes one that is not there or empty ours.
   * @throws {StoreError} for one that is somebody else's, which is left as it is, that this process has open, or that the
   *   system refuses.
   */
  static async open(path: string): Promise<Directory> {
    const place = resolve(path)
    try {
      await claim(place)
      // The engine would refuse it, too, but thereby let go of the lock [fcntl(2)], and another process could have it.
      if (readSignature(place) === ownSignature(place))
        throw new StoreError(place, `process ${process.pid} has it open`, false)
      return new Directory(place)
    } catch (error) {
      throw error instanceof StoreError ? error : refusal(place, error)
    }
  }

  /** Number of the process that opened it last, null if that is not known. */
  get process(): number | null {
    const id = Number.parseInt(readSignature(this.path), 10)
    return Number.isSafeInteger(id) && id > 0 ? id : null
  }

  /** Says that this process has it open, until it is closed. */
  sign(): void {
    writeFileSync(join(this.path, 'process'), this.#signature)
    this.#isSigned = true
  }

  /** Number of the last message that was acknowledged; null if nothing says it. */
  get acknowledgedSeq(): number | null {
    const note = Buffer.alloc(NOTE_BYTES)
    const byteCount = readSync(this.#note, note, 0, NOTE_BYTES, 0)
    const isWhole = byteCount === NOTE_BYTES && crc32(note.subarray(0, 8)) === note.readUInt32BE(8)
    return isWhole ? note.readDoubleBE(0) : null
  }

  /**
   * Notes that this one was acknowledged, at once and without a sync: the note is to survive the process, and to show damage
   * that hides the last messages.
   */
  noteAcknowledged(seq: number): void {
    const note = Buffer.allocUnsafe(NOTE_BYTES)
    note.writeDoubleBE(seq, 0)
    note.writeUInt32BE(crc32(note.subarray(0, 8)), 8)
    writeSync(this.#note, note, 0, NOTE_BYTES, 0)
  }

  /** Makes sure that there is a note, whatever it says later, when the machine has stopped. */
  async syncNote(): Promise<void> {
    await syncDescriptor(this.#note)
  }

  /** Makes the names of new files in the engine's folder survive a power cut. Asks the disk only if there may be new ones. */
  async sync(): Promise<void> {
    const { mtimeMs } = fstatSync(this.#engineFolder)
    const nowMs = performance.now()
    if (mtimeMs !== this.#changeMs) {
      this.#changeMs = mtimeMs
      this.#noticedMs = nowMs
      this.#isSynced = false
    }
    if (this.#isSynced) return
    await syncDescriptor(this.#engineFolder)
    // Within a tick another change would not show.
    this.#isSynced = nowMs - this.#noticedMs > CLOCK_TICK_MS
  }

  close(): void {
    closeSync(this.#note)
    closeSync(this.#engineFolder)
    // Another process may have it by now.
    if (this.#isSigned && readSignature(this.path) === this.#signature) removeSignature(this.path)
  }
}

// Numbers of processes come again, and directories are copied.
function ownSignature(path: string): string {
  return `${process.pid} ${performance.timeOrigin} ${statSync(path).ino}\n`
}

function readSignature(path: string): string {
  try {
    return readFileSync(join(path, 'process'), 'latin1')
  } catch {
    // Nobody has had it, or it cannot be told who.
    return ''
  }
}

function removeSignature(path: string): void {
  try {
    rmSync(join(path, 'process'), { force: true })
  } catch {
    // Only this process, for as long as it lasts, would take the directory for open.
  }
}

async function claim(path: string): Promise<void> {
  await makeFolder(path, 0o700)
  const names = await readdir(path)
  if (names.includes(MARK)) {
    const text = await readFile(join(path, MARK), 'latin1')
    if (text !== MARK_TEXT) throw new StoreError(path, 'it is of another version of msgbus', true)
  } else {
    const found = names.find(name => !NOBODYS.has(name))
    if (found !== undefined) {
      const reason = 'the directory is not empty and holds no store of msgbus; nothing in it was changed'
      throw new StoreError(path, reason, true)
    }
    await mark(path)
  }
  await makeFolder(join(path, 'messages'), 0o700)
  await syncFolder(path)
}

// Whole or not at all: half a mark would make the directory look like somebody else's.
async function mark(path: string): Promise<void> {
  const file = await open(join(path, NEW_MARK), 'w', 0o600)
  try {
    await file.writeFile(MARK_TEXT)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(join(path, NEW_MARK), join(path, MARK))
  await syncFolder(dirname(path))
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Tries to write this much to the directory.
 * @returns False if the disk is full.
 */
export async function hasRoom(path: string, byteCount: number): Promise<boolean> {
  const place = join(path, 'room')
  try {
    const file = await open(place, 'w', 0o600)
    try {
      await file.writeFile(Buffer.alloc(byteCount, 1))
      await file.sync()
    } finally {
      await file.close()
    }
    return true
  } catch {
    return false
  } finally {
    await rm(place, { force: true })
  }
}

const REASON_OF: Readonly<Record<string, string>> = {
  EACCES: 'not allowed',
  EEXIST: 'it is no directory',
  ENOENT: 'it cannot be made',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'it is no directory',
  EPERM: 'not allowed',
  EROFS: 'the file system is read-only',
}

function refusal(path: string, cause: unknown): StoreError {
  const { code = 'no reason given' } = cause as NodeJS.ErrnoException
  const reason = REASON_OF[code]
  return new StoreError(path, reason === undefined ? code : `${reason} (${code})`, false, { cause })
}
