// The newest messages that a remote store was given: what whoever appended them is answered with, and what no page has to
// bring once more. It decides nothing about what is kept.

import type { Message } from '../../message.ts'
import { costOf } from '../channel-log.ts'
import { Queue } from '../queue.ts'

const MAX_COUNT = 1_000
const MAX_BYTES = 4 * 2 ** 20

export class Recent {
  // Oldest first: those that are too much and only needed still, then those that are within the limits.
  readonly #messages = new Queue<Message>()
  #neededCount = 0
  /** Of those within the limits. */
  #costBytes = 0

  /**
   * Number of the oldest one within the limits, or of the one that comes next. Those that are only needed still are not
   * counted: who asks now would need them in turn, and with somebody always asking none would ever go.
   */
  firstSeq(lastSeq: number): number {
    return this.#messages.at(this.#neededCount)?.seq ?? lastSeq + 1
  }

  /**
   * Takes the next message; its number is that of the one before and one more.
   * @param neededSeq From here on all are still needed, however many they are.
   */
  push(message: Message, neededSeq: number): void {
    this.#messages.push(message)
    this.#costBytes += costOf(message)
    while (this.#messages.length - this.#neededCount > MAX_COUNT || this.#costBytes > MAX_BYTES) {
      const oldest = this.#messages.at(this.#neededCount)
      if (oldest === undefined) break
      this.#costBytes -= costOf(oldest)
      this.#neededCount++
    }
    while (this.#neededCount > 0 && (this.#messages.at(0)?.seq ?? neededSeq) < neededSeq) {
      this.#messages.shift()
      this.#neededCount--
    }
  }

  get(seq: number): Message | undefined {
    return this.#messages.at(seq - (this.#messages.at(0)?.seq ?? seq))
  }
}
