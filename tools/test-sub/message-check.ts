// Checks each message that one subscriber gets against its stamp, and hands what it says to the tally. Holds at most a
// stamp, whatever the length of the message. Hot path.

import { crc32 } from '../crc32.ts'
import {
  channelSum,
  judgeStamp,
  seqOf,
  sourceKeyOf,
  STAMP_BYTES,
  STAMP_CHECKED_AT,
  timeNsOf,
} from '../stamp.ts'
import type { PartConsumer } from './part-reader.ts'
import { Sequences } from './sequences.ts'
import type { Tally } from './tally.ts'

const LOCATION_PREFIX = '/msgbus/'

export class MessageCheck implements PartConsumer {
  /** When the bytes that are being read have arrived. */
  arrivedNs = 0
  /** Messages that came whole. */
  messageCount = 0
  readonly sequences: Sequences
  readonly #tally: Tally
  // Sum of the name of the channel; null when each part names its own.
  readonly #channel: number | null
  #partChannel: number | null = null
  #byteCount = 0
  #seenBytes = 0
  #sum = 0
  // The head of a message that comes in pieces.
  #stamp: Buffer | null = null

  /** @param channel The one channel that is read, or null where parts name theirs. */
  constructor(tally: Tally, channel: string | null) {
    this.#tally = tally
    this.#channel = channel === null ? null : channelSum(channel)
    this.sequences = new Sequences(tally)
  }

  onPart(byteCount: number, skippedCount: number, location: string | null): void {
    this.#byteCount = byteCount
    this.#seenBytes = 0
    if (skippedCount > 0) this.sequences.tellSkipped(skippedCount)
    this.#partChannel = this.#channel ?? sumOfLocation(location)
  }

  onBytes(bytes: Buffer, from: number, to: number, isLast: boolean): void {
    if (isLast && this.#seenBytes === 0) {
      const isLong = to - from >= STAMP_BYTES
      this.#judge(bytes, from, isLong ? crc32(bytes.subarray(from + STAMP_CHECKED_AT, to)) : 0)
      return
    }
    this.#stamp = this.#gather(this.#stamp, bytes, from, to)
    this.#seenBytes += to - from
    if (!isLast) return
    this.#judge(this.#stamp, 0, this.#sum)
    this.#stamp = null
    this.#sum = 0
  }

  #gather(held: Buffer | null, bytes: Buffer, from: number, to: number): Buffer {
    const stamp = held ?? Buffer.alloc(STAMP_BYTES)
    const seenBytes = this.#seenBytes
    bytes.copy(stamp, Math.min(seenBytes, STAMP_BYTES), from, to)
    const checkedFrom = from + Math.max(0, STAMP_CHECKED_AT - seenBytes)
    if (checkedFrom < to) this.#sum = crc32(bytes.subarray(checkedFrom, to), this.#sum)
    return stamp
  }

  /** @param bytes Hold the message from `at` on, or at least its stamp. */
  #judge(bytes: Buffer, at: number, sum: number): void {
    const tally = this.#tally
    const byteCount = this.#byteCount
    this.messageCount++
    tally.count(byteCount, this.arrivedNs)
    const verdict = judgeStamp(bytes, at, byteCount, sum)
    if (verdict === 'foreign') tally.foreignCount++
    else if (verdict === 'corrupt') this.#takeCorrupt(bytes, at)
    else this.#takeSound(bytes, at)
  }

  // Its number is believed if it is the one that was due, so that one wrong byte does not pass for a loss as well.
  #takeCorrupt(bytes: Buffer, at: number): void {
    this.#tally.corruptedCount++
    if (this.#byteCount < STAMP_BYTES) return
    const source = this.#tally.knownSource(sourceKeyOf(bytes, at))
    if (source !== undefined) this.sequences.takeDamaged(source, seqOf(bytes, at))
  }

  #takeSound(bytes: Buffer, at: number): void {
    const tally = this.#tally
    const source = tally.source(sourceKeyOf(bytes, at))
    if (source.channel !== this.#partChannel) tally.misroutedCount++
    this.sequences.take(source, seqOf(bytes, at))
    if (source.isOfThisClock) tally.latency.record(this.arrivedNs - timeNsOf(bytes, at))
  }
}

function sumOfLocation(location: string | null): number | null {
  if (location?.startsWith(LOCATION_PREFIX) !== true) return null
  try {
    return channelSum(decodeURIComponent(location.slice(LOCATION_PREFIX.length)))
  } catch {
    // No name that the server would write.
    return null
  }
}
