// What the store says about itself beside its rows: under which epoch it counts, how far, and whether all of that can be
// relied on after it was opened again. Decides when a new epoch has to begin.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Forgotten } from '../history.ts'

export interface State {
  readonly epoch: string
  /** Number of the last message when this was written. There may be rows behind it. */
  readonly lastSeq: number
  /** Up to here there were messages of channels that nobody remembers. */
  readonly forgotten: Forgotten
  /** Up to here rows were deleted or written anew with less in them, because what was in them had gone. */
  readonly touchedSeq: number
  /** False while the store is open, and for ever if it was not closed in good order. */
  readonly isClosed: boolean
  /** Whether each message was on stable storage before it was acknowledged. */
  readonly isSynced: boolean
  /** Names the time from one start of the machine to the next, null if the system does not say. */
  readonly boot: string | null
}

/** True if a state says something that another one does not and rows do not tell: anything but its number. */
export function isNews(state: State, known: State): boolean {
  const { forgotten, touchedSeq, isClosed } = state
  return (
    touchedSeq !== known.touchedSeq ||
    isClosed !== known.isClosed ||
    forgotten.seq !== known.forgotten.seq ||
    forgotten.second !== known.forgotten.second ||
    forgotten.ordinal !== known.forgotten.ordinal
  )
}

export function encodeState(state: State): Buffer {
  const text = JSON.stringify(state)
  return Buffer.from(`${checksumOf(text)} ${text}`)
}

/** Null for what is none, or damaged. */
export function decodeState(bytes: Buffer | undefined): State | null {
  const [, checksum, text = ''] = /^([0-9a-f]{8}) (.*)$/s.exec(bytes?.toString('utf8') ?? '') ?? []
  if (checksum === undefined || checksum !== checksumOf(text)) return null
  return JSON.parse(text) as State
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

export function newEpoch(): string {
  return randomBytes(6).toString('hex')
}

/** Names the time since the machine was started. */
export function currentBoot(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    // No /proc: not Linux.
    return null
  }
}

/** What was found when a store was opened. */
export interface Findings {
  readonly state: State | null
  /** Number of the last message that is there. */
  readonly foundSeq: number
  /** Number of the last message that was acknowledged, null if nothing says it. */
  readonly acknowledgedSeq: number | null
  readonly wasRepaired: boolean
}

/**
 * Why numbers cannot be counted on under the old epoch: somebody may have seen messages under numbers that would be given
 * out again. Null if they can, and for a store that is new.
 */
export function reasonForNewEpoch({
  state,
  foundSeq,
  acknowledgedSeq,
  wasRepaired,
}: Findings): string | null {
  const lastSeq = Math.max(foundSeq, state?.lastSeq ?? 0)
  if (acknowledgedSeq === null)
    return lastSeq === 0 ? null : 'nothing says which message was acknowledged last'
  if (lastSeq < acknowledgedSeq) return 'messages that were acknowledged are not there any more'
  if (state === null) return lastSeq === 0 ? null : 'its own state is not there any more'
  if (wasRepaired) return 'it had to be put together again'
  const isUnsure = !state.isClosed && !state.isSynced
  if (isUnsure && (state.boot === null || state.boot !== currentBoot())) {
    return 'the machine stopped, and what was acknowledged last was not yet on disk'
  }
  return null
}
