// What the server says about itself, as one JSON line per event on stderr. Names of events are stable; lines that a
// stranger can cause at will are rationed, so that a flood of bad requests is not a flood of log. No bodies, no
// credentials.

import { writeSync } from 'node:fs'
import pino from 'pino'

const RATION_MS = 10_000
const MAX_FIELD_LENGTH = 256
// A stack is of our own making, and of no use in half.
const MAX_FAULT_LENGTH = 4096

const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const

export type LogLevel = (typeof LEVELS)[number]
export type LogFields = Readonly<Record<string, string | number | boolean | null>>

/** Where events go. An embedder may bring its own. */
export interface Log {
  /** Asked before a line is put together where putting it together would cost something. */
  isEnabled(level: LogLevel): boolean
  write(level: LogLevel, event: string, fields?: LogFields): void
}

/** Drops everything: the default for an embedded bus. */
export const silentLog: Log = { isEnabled: () => false, write: () => undefined }

/**
 * Opens the log of the program.
 *
 * What cannot be written (nobody reads the pipe, the disk is full) is lost; the next line that can be says in
 * `lostCount` how many were.
 * @param verbosity 0 warnings, 1 adds who comes and goes, 2 adds documents, 3 adds every publish.
 * @param fields In every line.
 */
export function openLog(verbosity: number, fd = 2, fields: LogFields | null = null): Log {
  const levels = ['warn', 'info', 'debug', 'trace'] as const
  const lines = new LineWriter(fd)
  const logger = pino({ level: levels[Math.min(verbosity, 3)] ?? 'warn', base: fields }, lines)
  // Asked for every message: the logger itself takes longer to say so.
  const enabled = new Set<LogLevel>(LEVELS.filter(level => logger.isLevelEnabled(level)))
  return {
    isEnabled: level => enabled.has(level),
    write: (level, event, own = {}) => {
      if (!enabled.has(level)) return
      const { lostCount } = lines
      logger[level](printable(lostCount > 0 ? { ...own, lostCount } : own), event)
    },
  }
}

// Writes at once, so that the last words of a process that ends are not lost, and holds nothing back, so that a log that
// nobody takes is no memory. The stream that pino brings waits for a full pipe, and the whole bus with it.
class LineWriter {
  readonly #fd: number
  #lostCount = 0
  #isTorn = false

  constructor(fd: number) {
    this.#fd = fd
  }

  /** Lines lost since the last one that was written. */
  get lostCount(): number {
    return this.#lostCount
  }

  write(line: string): void {
    const bytes = Buffer.from(this.#isTorn ? `\n${line}` : line)
    let writtenCount = 0
    try {
      while (writtenCount < bytes.length) writtenCount += writeSync(this.#fd, bytes, writtenCount)
      this.#lostCount = 0
      this.#isTorn = false
    } catch {
      this.#lostCount++
      this.#isTorn ||= writtenCount > 0
    }
  }
}

// Format characters (bidi, zero width) would make a terminal show something else than what is there.
function printable(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]): [string, string | number | boolean | null] => {
      if (typeof value !== 'string') return [name, value]
      const shown = value.slice(0, name === 'error' ? MAX_FAULT_LENGTH : MAX_FIELD_LENGTH)
      return [name, shown.replace(/[^\x20-\x7e]/g, escapeCharacter)]
    }),
  )
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** A fault of ours in one line, with its stack: for the field `error`. */
export function describeFault(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return text.replace(/\s*\n\s*/g, ' | ')
}

/** Lets one line per event through every ten seconds; the next one says how many were held back. */
export function rationed(log: Log, now: () => number = Date.now): Log {
  const states = new Map<string, { untilMs: number; heldBackCount: number }>()
  return {
    isEnabled: level => log.isEnabled(level),
    write: (level, event, fields = {}) => {
      if (!log.isEnabled(level)) return
      const state = states.get(event)
      if (state !== undefined && now() < state.untilMs) {
        state.heldBackCount++
        return
      }
      const heldBackCount = state?.heldBackCount ?? 0
      states.set(event, { untilMs: now() + RATION_MS, heldBackCount: 0 })
      log.write(level, event, heldBackCount > 0 ? { ...fields, heldBackCount } : fields)
    },
  }
}
