// The stamp at the head of each message of test-pub: who sent it, as which number, when, how long it is and what its
// bytes add up to. It is text of fixed width, so that `curl -N` shows it and every text type can carry it:
//
//   test-pub CRC32--- CLK- RUN----------- PUB- CHANNEL- NUMBER---- TIME---------- LENGTH--
//   test-pub 8c736521 02a1 00005f0c2f1e77 0000 4e08ac55 0000000007 00005f0c30aa12 00000064
//
// All numbers are hexadecimal. The CRC is that of everything behind itself, to the end of the message. Hot path.

import { crc32 } from './crc32.ts'

const MAGIC = Buffer.from('test-pub ')
const CRC_AT = MAGIC.length
const CHECKED_AT = CRC_AT + 8
const SOURCE_AT = CHECKED_AT + 1
const SEQ_AT = SOURCE_AT + 34
const TIME_AT = SEQ_AT + 11
const LENGTH_AT = TIME_AT + 15

const CRC_DIGITS = 8
const CLOCK_DIGITS = 4
const RUN_DIGITS = 14
const PUBLISHER_DIGITS = 4
const CHANNEL_DIGITS = 8
const SEQ_DIGITS = 10
const TIME_DIGITS = 14
const LENGTH_DIGITS = 8

/** Length of a stamp with its line end; no stamped message is shorter. */
export const STAMP_BYTES = LENGTH_AT + LENGTH_DIGITS + 1

/** Where the bytes begin that the CRC adds up. */
export const STAMP_CHECKED_AT = CHECKED_AT

/** Where one sequence of numbers comes from: it counts the messages of one publisher of one run to one channel. */
export interface StampSource {
  /** See `clockId`: whose nanoseconds `runNs` and the times are. */
  readonly clock: number
  /** When the run began, which also tells it from other runs. */
  readonly runNs: number
  readonly publisher: number
  /** CRC-32 of the channel's name in UTF-8. */
  readonly channel: number
}

/** CRC-32 by which stamps name a channel. */
export function channelSum(name: string): number {
  return crc32(Buffer.from(name))
}

/** A stamp of a source, complete but for number, time and CRC, to be copied and then given to {@link completeStamp}. */
export function stampTemplate(source: StampSource, byteCount: number): Buffer {
  const stamp = Buffer.alloc(STAMP_BYTES, ' ')
  MAGIC.copy(stamp)
  writeHex(stamp, SOURCE_AT, CLOCK_DIGITS, source.clock)
  writeHex(stamp, SOURCE_AT + 5, RUN_DIGITS, source.runNs)
  writeHex(stamp, SOURCE_AT + 20, PUBLISHER_DIGITS, source.publisher)
  writeHex(stamp, SOURCE_AT + 25, CHANNEL_DIGITS, source.channel)
  writeHex(stamp, LENGTH_AT, LENGTH_DIGITS, byteCount)
  stamp.write('\n', STAMP_BYTES - 1)
  return stamp
}

/** Completes the stamp of a message that is otherwise whole. */
export function completeStamp(message: Buffer, seq: number, timeNs: number): void {
  writeHex(message, SEQ_AT, SEQ_DIGITS, seq)
  writeHex(message, TIME_AT, TIME_DIGITS, timeNs)
  writeHex(message, CRC_AT, CRC_DIGITS, crc32(message.subarray(CHECKED_AT)))
}

/** `foreign` messages carry no stamp; `corrupt` ones are not what was sent. */
export type StampVerdict = 'sound' | 'corrupt' | 'foreign'

/**
 * Judges a message.
 * @param at Where the message begins in `bytes`; of a longer one at least {@link STAMP_BYTES} bytes are there.
 * @param sum CRC-32 of the message from {@link STAMP_CHECKED_AT} on; not looked at if the message is too short for a stamp.
 */
export function judgeStamp(bytes: Uint8Array, at: number, byteCount: number, sum: number): StampVerdict {
  const isStamped = byteCount >= MAGIC.length && hasMagic(bytes, at)
  if (byteCount < STAMP_BYTES) return isStamped ? 'corrupt' : 'foreign'
  const isRight = readHex(bytes, at + CRC_AT, CRC_DIGITS) === sum
  // A CRC that is right by chance is less likely than one wrong byte in the magic.
  if (!isStamped) return isRight ? 'corrupt' : 'foreign'
  return isRight && readHex(bytes, at + LENGTH_AT, LENGTH_DIGITS) === byteCount ? 'sound' : 'corrupt'
}

function hasMagic(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < MAGIC.length; i++) if (bytes[at + i] !== MAGIC[i]) return false
  return true
}

/** The source as it is written, for use as a key. */
export function sourceKeyOf(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at + SOURCE_AT, at + SEQ_AT - 1)
}

/** The source that a key of {@link sourceKeyOf} means. NaN where it is damaged. */
export function readSource(key: string): StampSource {
  const bytes = Buffer.from(key, 'latin1')
  return {
    clock: readHex(bytes, 0, CLOCK_DIGITS),
    runNs: readHex(bytes, 5, RUN_DIGITS),
    publisher: readHex(bytes, 20, PUBLISHER_DIGITS),
    channel: readHex(bytes, 25, CHANNEL_DIGITS),
  }
}

/** Number of the message in its sequence, from 0. */
export function seqOf(bytes: Uint8Array, at: number): number {
  return readHex(bytes, at + SEQ_AT, SEQ_DIGITS)
}

/** When the message was sent, by the clock of its source. */
export function timeNsOf(bytes: Uint8Array, at: number): number {
  return readHex(bytes, at + TIME_AT, TIME_DIGITS)
}

// Digit by digit: what `toString(16)` takes for numbers beyond 2^31 is more than all the rest of a message.
function writeHex(bytes: Buffer, at: number, digits: number, value: number): void {
  let high = Math.floor(value / 0x1_0000_0000)
  let low = value >>> 0
  for (let i = at + digits - 1; i >= at; i--) {
    const digit = low & 15
    bytes[i] = digit < 10 ? 0x30 + digit : 0x57 + digit
    low = (low >>> 4) | ((high & 15) << 28)
    high >>>= 4
  }
}

function readHex(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0
  for (let i = at; i < at + digits; i++) value = value * 16 + digitOf(bytes[i] ?? 0)
  return value
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : NaN
}
