// Writes the bytes of messages: stamp and payload, and around them what makes a request or a part of them. Many go into
// one buffer, because a write costs more than a message. Hot path.

import { channelSum, completeStamp, stampTemplate } from '../stamp.ts'
import type { Payload } from './payload.ts'

/** What stands around each message: a request head, or the lines of a part. */
export interface Frame {
  /** By channel. */
  readonly prefixes: readonly Buffer[]
  readonly suffix: Buffer
}

export interface ComposerOptions {
  readonly frame: Frame
  readonly channels: readonly string[]
  /** The number of the publisher. */
  readonly publisher: number
  readonly payload: Payload
  readonly clock: number
  readonly runNs: number
}

export class Composer {
  readonly #frame: Frame
  readonly #payload: Payload
  /** By channel; empty ones where messages are not stamped. */
  readonly #stamps: readonly Buffer[]
  readonly #maxMessageBytes: number

  constructor({ frame, channels, publisher, payload, clock, runNs }: ComposerOptions) {
    this.#frame = frame
    this.#payload = payload
    this.#stamps = channels.map(channel =>
      payload.isStamped
        ? stampTemplate({ clock, runNs, publisher, channel: channelSum(channel) }, payload.bodyBytes)
        : Buffer.alloc(0),
    )
    const maxPrefixBytes = frame.prefixes.reduce((max, { length }) => Math.max(max, length), 0)
    this.#maxMessageBytes = maxPrefixBytes + payload.bodyBytes + frame.suffix.length
  }

  /** What one message takes at most, with all that is around it. */
  get maxMessageBytes(): number {
    return this.#maxMessageBytes
  }

  /**
   * Writes message `number` and what is around it at `at`, and returns where it ends. Message 0 goes to the first
   * channel, the next one to the next, and so on in turn.
   */
  write(bytes: Buffer, at: number, number: number, timeNs: number): number {
    const { prefixes, suffix } = this.#frame
    const channel = number % this.#stamps.length
    const stamp = this.#stamps[channel]
    const prefix = prefixes[channel]
    if (stamp === undefined || prefix === undefined) {
      throw new RangeError(`Cannot write to channel ${channel}: there is none of that number`)
    }
    bytes.set(prefix, at)
    const bodyAt = at + prefix.length
    const bodyEnd = bodyAt + this.#payload.bodyBytes
    bytes.set(stamp, bodyAt)
    this.#payload.copy(bytes, bodyAt + stamp.length, number)
    if (stamp.length > 0) {
      completeStamp(bytes.subarray(bodyAt, bodyEnd), Math.floor(number / this.#stamps.length), timeNs)
    }
    bytes.set(suffix, bodyEnd)
    return bodyEnd + suffix.length
  }
}
