// When each message of one publisher is due. The times are counted from the start, so that no delay adds up.

import { NS_PER_MS, NS_PER_S } from '../clock.ts'

// Timers are late by a millisecond or two.
const LATE_NS = 10 * NS_PER_MS

export class Pacer {
  readonly #startNs: number
  readonly #intervalNs: number

  /**
   * @param startNs When the first message is due.
   * @param perSecond Infinity for as fast as it goes.
   */
  constructor(startNs: number, perSecond: number) {
    this.#startNs = startNs
    this.#intervalNs = NS_PER_S / perSecond
  }

  /** How many messages are due by now, from the first one on. */
  dueCount(nowNs: number): number {
    if (nowNs < this.#startNs) return 0
    return this.#intervalNs === 0 ? Infinity : Math.floor((nowNs - this.#startNs) / this.#intervalNs) + 1
  }

  /** Whole milliseconds until the message of this number, from 0, is due; at least 1. */
  waitMs(number: number, nowNs: number): number {
    return Math.max(1, Math.ceil((this.#dueNs(number) - nowNs) / NS_PER_MS))
  }

  /**
   * The time that a message carries which is sent now. One that had to wait for its turn carries the time when it was
   * due: else a server that stalls would hide how long it did.
   */
  sendingNs(number: number, nowNs: number): number {
    const dueNs = this.#dueNs(number)
    return this.#intervalNs > 0 && nowNs - dueNs > LATE_NS ? dueNs : nowNs
  }

  #dueNs(number: number): number {
    return this.#startNs + number * this.#intervalNs
  }
}
