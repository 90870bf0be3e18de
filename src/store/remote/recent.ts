// The newest messages that a remote store was given: what whoever appended them is answered with, and what no page has to
// bring once more. It decides nothing about what is kept.

import type { Message } from '../../message.ts'
import { costOf } from '../channel-log.ts'
import { Queue } from '../queue.ts'

const MAX_COUNT = 1_000
const MAX_BYTES = 4 * 2 ** 20

export class Recent {
  readonly #messages = new Queue<Message>()
  #costBytes = 0

  /** Number of the oldest one, or of the one that comes next. */
  firstSeq(lastSeq: number): number {
    return this.#messages.at(0)?.seq ?? lastSeq + 1
  }

  /**
   * Takes the next message; its number is that of the one before and one more.
   * @param neededSeq From here on all are still needed, however many they are.
   */
  push(message: Message, neededSeq: number): void {
    this.#messages.push(message)
    this.#costBytes += costOf(message)
    for (let oldest = this.#messages.at(0); oldest !== undefined; oldest = this.#messages.at(0)) {
      const isTooMuch = this.#messages.length > MAX_COUNT || this.#costBytes > MAX_BYTES
      if (!isTooMuch || oldest.seq >= neededSeq) return
      this.#messages.shift()
      this.#costBytes -= costOf(oldest)
    }
  }

  get(seq: number): Message | undefined {
    return this.#messages.at(seq - this.firstSeq(seq))
  }
}
