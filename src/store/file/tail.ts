// The newest messages, in memory as a whole: whoever reads near the end needs no disk.

import type { Message } from '../../message.ts'
import { costOf } from '../channel-log.ts'
import { Queue } from '../queue.ts'

const MAX_COUNT = 10_000
const MAX_BYTES = 16 * 2 ** 20

export class Tail {
  readonly #messages = new Queue<Message>()
  #costBytes = 0

  /** Takes the next message; its number is that of the one before and one more. */
  push(message: Message): void {
    this.#messages.push(message)
    this.#costBytes += costOf(message)
    while (this.#messages.length > MAX_COUNT || this.#costBytes > MAX_BYTES) {
      const oldest = this.#messages.shift()
      if (oldest === undefined) return
      this.#costBytes -= costOf(oldest)
    }
  }

  get(seq: number): Message | undefined {
    return this.#messages.at(seq - (this.#messages.at(0)?.seq ?? seq + 1))
  }
}
