// What the server says about itself, as one JSON line per event on stderr. Names of events are stable; lines that a
// stranger can cause at will are rationed, so that a flood of bad requests is not a flood of log. No bodies, no
// credentials.

import pino from 'pino'

const RATION_MS = 10_000
const MAX_FIELD_LENGTH = 256

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'
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
 * @param verbosity 0 warnings, 1 adds who comes and goes, 2 adds documents, 3 adds every publish.
 */
export function openLog(verbosity: number, fd = 2): Log {
  const levels = ['warn', 'info', 'debug', 'trace'] as const
  const destination = pino.destination({ fd, sync: true })
  // A closed or full stderr must not take the bus down with it.
  destination.on('error', () => undefined)
  const logger = pino({ level: levels[Math.min(verbosity, 3)] ?? 'warn', base: null }, destination)
  return {
    isEnabled: level => logger.isLevelEnabled(level),
    write: (level, event, fields = {}) => {
      logger[level](printable(fields), event)
    },
  }
}

// Format characters (bidi, zero width) would make a terminal show something else than what is there.
function printable(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string'
        ? value.slice(0, MAX_FIELD_LENGTH).replace(/[^\x20-\x7e]/g, escapeCharacter)
        : value,
    ]),
  )
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
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
