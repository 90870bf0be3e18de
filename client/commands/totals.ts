// What has come so far, and how fast.

import type { ReceivedMessage } from '../index.ts'
import { formatSize } from './printable.ts'

export class Totals {
  readonly #startedMs = performance.now()
  messageCount = 0
  byteCount = 0
  failedCount = 0

  add({ byteLength }: ReceivedMessage): void {
    this.messageCount++
    this.byteCount += byteLength
  }

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000
  }

  /** One line for people. */
  describe(): string {
    const { messageCount, byteCount, failedCount, seconds } = this
    const count = messageCount === 1 ? '1 message' : `${messageCount} messages`
    const rate = `${(messageCount / seconds).toFixed(1)}/s, ${formatSize(byteCount / seconds)}/s`
    const failed = failedCount === 0 ? '' : `, ${failedCount} of the commands failed`
    return `${count}, ${formatSize(byteCount)} in ${seconds.toFixed(1)} s (${rate})${failed}`
  }
}
