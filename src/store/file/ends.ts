// Where channels end whose last message is not kept. Their records may be gone from the disk, all of them or the newest alone,
// so each has a note there, beside the rows: number, time and ordinal of that message. This gathers the notes that are to be
// written and knows their form. No I/O.
//
//   0 checksum of the name and of all that follows, 4 seq, 12 time, 20 ordinal

import { crc32 } from 'node:zlib'
import type { Last } from '../channel-log.ts'

const CHECKED_START = 4
const NOTE_BYTES = 28

/** The ends of channels, by name; null for a channel that is forgotten. */
export type Ended = ReadonlyMap<string, Last | null>

export class Ends {
  #ended = new Map<string, Last | null>()

  /** @param latest Of the channel; looked at when it is written. Where nothing is kept, this comes with every publish. */
  note(channel: string, latest: Last): void {
    this.#ended.set(channel, latest)
  }

  forget(channel: string): void {
    this.#ended.set(channel, null)
  }

  /** What has ended since the last time. */
  take(): Ended {
    const ended = this.#ended
    this.#ended = new Map()
    return ended
  }

  /** Takes back what was taken and could not be written. */
  putBack(ended: Ended): void {
    this.#ended = new Map([...ended, ...this.#ended])
  }
}

/** The notes on these channels, as they are on disk. */
export function encodeEnds(ended: Ended): ReadonlyMap<string, Buffer | null> {
  return new Map([...ended].map(([channel, end]) => [channel, end === null ? null : encodeEnd(channel, end)]))
}

function encodeEnd(channel: string, { seq, time, ordinal }: Last): Buffer {
  const note = Buffer.allocUnsafe(NOTE_BYTES)
  note.writeDoubleBE(seq, 4)
  note.writeDoubleBE(time, 12)
  note.writeDoubleBE(ordinal, 20)
  note.writeUInt32BE(checksumOf(channel, note), 0)
  return note
}

/** Null for a note that is damaged, or not on this channel. */
export function decodeEnd(channel: string, note: Buffer): Last | null {
  if (note.length !== NOTE_BYTES || note.readUInt32BE(0) !== checksumOf(channel, note)) return null
  return { seq: note.readDoubleBE(4), time: note.readDoubleBE(12), ordinal: note.readDoubleBE(20) }
}

function checksumOf(channel: string, note: Buffer): number {
  return crc32(note.subarray(CHECKED_START), crc32(channel))
}
