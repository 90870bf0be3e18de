// What all publishers of a run have sent, and how it was answered.

import { type Answer, describeAnswer } from '../answer.ts'
import { NS_PER_S } from '../clock.ts'
import { Latency } from '../latency.ts'

export class Tally {
  /** From a request to its answer. Nothing is in it where messages are streamed. */
  readonly latency = new Latency()
  /** Whether a msgbus has let anybody publish: without that there is nothing to report. */
  hasBegun = false
  sentCount = 0
  /** Messages that the server said it has accepted. */
  acceptedCount = 0
  /** Messages that it said it has not. */
  refusedCount = 0
  /** What it said to the first of them. */
  firstRefusal: string | null = null
  /** When the first message was sent. */
  firstNs = 0
  /** When the last message was sent, or answered. */
  lastNs = 0

  countSent(count: number, nowNs: number): void {
    if (this.sentCount === 0) this.firstNs = nowNs
    this.sentCount += count
    this.lastNs = nowNs
  }

  countAccepted(count: number, nowNs: number): void {
    this.acceptedCount += count
    this.lastNs = nowNs
  }

  countRefused(answer: Answer, count: number, nowNs: number): void {
    this.refusedCount += count
    this.firstRefusal ??= describeAnswer(answer)
    this.lastNs = nowNs
  }

  /** Messages without an answer. */
  get unansweredCount(): number {
    return this.sentCount - this.acceptedCount - this.refusedCount
  }

  /** From the first message to the last answer, in seconds. */
  get seconds(): number {
    return (this.lastNs - this.firstNs) / NS_PER_S
  }

  /** Messages per second in that time; null where it is no time at all. */
  get perSecond(): number | null {
    return this.seconds > 0 ? (this.sentCount - 1) / this.seconds : null
  }
}
