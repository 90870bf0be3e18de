// The history of one channel in memory, oldest first, and how much of its past is gone. It decides nothing about what is to
// go.

import type { Message } from '../message.ts'
import { Queue } from './queue.ts'

/** What a kept message costs beside its body, roughly: its object, its id, its places in two lists. */
const MESSAGE_BYTES = 256

// To count exactly what a reader missed, the numbers of messages are kept longer than the messages.
const MAX_REMEMBERED = 1_000

export function costOf({ body }: Message): number {
  return body.length + MESSAGE_BYTES
}

export class ChannelLog {
  readonly name: string
  readonly #kept = new Queue<Message>()
  readonly #goneSeqs = new Queue<number>()
  #unknownSeq = 0
  #costBytes = 0
  #messageCount = 0
  #byteCount = 0

  constructor(name: string) {
    this.name = name
  }

  get keptCount(): number {
    return this.#kept.length
  }

  get costBytes(): number {
    return this.#costBytes
  }

  get messageCount(): number {
    return this.#messageCount
  }

  get byteCount(): number {
    return this.#byteCount
  }

  get newest(): Message | undefined {
    return this.#kept.at(this.#kept.length - 1)
  }

  get oldest(): Message | undefined {
    return this.#kept.at(0)
  }

  push(message: Message): void {
    this.#kept.push(message)
    this.#costBytes += costOf(message)
    this.#messageCount++
    this.#byteCount += message.body.length
  }

  /** Lets go of the oldest message and remembers that there was one. */
  shift(): Message | undefined {
    const message = this.#kept.shift()
    if (message === undefined) return undefined
    this.#costBytes -= costOf(message)
    this.#goneSeqs.push(message.seq)
    if (this.#goneSeqs.length > MAX_REMEMBERED) this.#unknownSeq = this.#goneSeqs.shift() ?? this.#unknownSeq
    return message
  }

  holds({ seq }: Message): boolean {
    return seq >= (this.oldest?.seq ?? Infinity)
  }

  /** Messages of this channel behind `seq` that are gone; null when that is not known any more. */
  missedCount(seq: number): number | null {
    if (seq < this.#unknownSeq) return null
    return this.#goneSeqs.length - this.#goneSeqs.search(gone => gone > seq)
  }

  /** Kept messages behind `seq`, oldest first. */
  after(seq: number, maxCount: number): readonly Message[] {
    const messages: Message[] = []
    for (let at = this.#kept.search(kept => kept.seq > seq); messages.length < maxCount; at++) {
      const message = this.#kept.at(at)
      if (message === undefined) break
      messages.push(message)
    }
    return messages
  }
}
