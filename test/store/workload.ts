// Messages that are made from their number alone, so that whoever reads them back knows every byte of them. Not a test.

import type { Draft, Message } from '../../src/message.ts'

const CHANNELS = 7
const MAX_BODY_BYTES = 256 * 1024

// Bytes that no compression and no shift leaves as they are, the same in every process.
const POOL = Buffer.alloc(MAX_BODY_BYTES * 2)
for (let at = 0, state = 0x9e3779b9; at < POOL.length; at++) {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  POOL[at] = state & 0xff
}

// Spreads numbers over all of 32 bits.
function scatter(number: number): number {
  return Math.imul(number ^ (number >>> 16), 0x45d9f3b) >>> 0
}

/** The message of a number: its body has 1 byte to 256 KiB, most of them little. */
export function draftOf(number: number): Draft {
  const scattered = scatter(number)
  const length = Math.ceil(2 ** (((scattered % 1000) / 1000) ** 2 * 18))
  return {
    channel: `room/${number % CHANNELS}`,
    type: number % 3 === 0 ? 'image/jpeg' : 'text/plain; charset=utf-8',
    // Says the number itself.
    sender: `${number}`,
    body: POOL.subarray(scattered % MAX_BODY_BYTES, (scattered % MAX_BODY_BYTES) + length),
  }
}

/** The number that a message was made from, null if it is not as it was made. */
export function numberOf({ channel, type, sender, body }: Message): number | null {
  const number = Number(sender)
  const made = draftOf(number)
  const isSame = channel === made.channel && type === made.type && sender === made.sender
  return isSame && Buffer.compare(body, made.body) === 0 ? number : null
}
