// All subscribers of a run: opened a few at a time, counted, and waited for. What they read is not looked at here.

import { readFileSync } from 'node:fs'
import { RunError } from '../run-error.ts'
import { Subscriber, type SubscriberOptions } from './subscriber.ts'

// Fewer than a listener lets wait to be accepted (511 with Node).
const OPENING_AT_ONCE = 100

// What the process has open besides: standard streams, the event loop, modules.
const OTHER_DESCRIPTORS = 40

const MAX_TIMER_MS = 2 ** 31 - 1

export class Crowd {
  /** Streams that are open now. */
  openCount = 0
  /** Streams that were ever open. */
  openedCount = 0
  endedCount = 0
  completeCount = 0
  failedCount = 0
  /** Why the first one failed. */
  firstFault: RunError | null = null
  readonly #subscribers: Subscriber[] = []
  readonly #size: number
  #onChange: () => void = () => undefined

  /** @throws {RunError} if the system would not let this process open so many connections. */
  constructor(size: number) {
    const limit = descriptorLimit()
    const needed = size + OTHER_DESCRIPTORS
    if (needed > limit) {
      throw new RunError(
        `Cannot open ${size} connections: this process may have ${limit} files open, ${needed} are needed (ulimit -n ${needed})`,
      )
    }
    this.#size = size
  }

  get subscribers(): readonly Subscriber[] {
    return this.#subscribers
  }

  /**
   * Opens all, and resolves when their streams have begun, or when the signal comes before.
   * @param optionsOf For the subscriber of this number.
   * @param timeoutMs How long to wait while no further stream begins.
   * @throws {RunError} for the first one that fails before the last one is open.
   */
  async open(
    optionsOf: (number: number) => SubscriberOptions,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    let knownCount = 0
    let deadlineMs = performance.now() + timeoutMs
    while (!signal.aborted) {
      if (this.firstFault !== null) throw this.firstFault
      if (this.openedCount === this.#size) return
      if (this.openedCount > knownCount) deadlineMs = performance.now() + timeoutMs
      knownCount = this.openedCount
      while (this.#subscribers.length < Math.min(this.#size, this.openedCount + OPENING_AT_ONCE)) {
        this.#add(optionsOf(this.#subscribers.length))
      }
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) throw this.#tooSlow(timeoutMs, optionsOf(0))
      await this.#change(signal, leftMs)
    }
  }

  /** Resolves when no stream is open any more, when the time is over or when the signal comes. */
  async over(maxMs: number, signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + maxMs
    while (!signal.aborted && this.openCount > 0) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) return
      await this.#change(signal, leftMs)
    }
  }

  /** Leaves all streams. */
  close(): void {
    for (const subscriber of this.#subscribers) subscriber.close()
  }

  #add(options: SubscriberOptions): void {
    let isOpen = false
    const subscriber = new Subscriber(options, {
      onOpen: () => {
        isOpen = true
        this.openCount++
        this.openedCount++
        this.#onChange()
      },
      onOver: reason => {
        if (isOpen) this.openCount--
        if (reason === 'complete') this.completeCount++
        else if (reason === 'ended') this.endedCount++
        else this.#fail(reason)
        this.#onChange()
      },
    })
    this.#subscribers.push(subscriber)
  }

  #fail(fault: RunError): void {
    this.failedCount++
    this.firstFault ??= fault
  }

  /** Waits for news of any subscriber. */
  #change(signal: AbortSignal, maxMs: number): Promise<void> {
    return new Promise(resolve => {
      const finish = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', finish)
        resolve()
      }
      // What is more than a timer can wait for is waited for again.
      const timer = setTimeout(finish, Math.min(maxMs, MAX_TIMER_MS))
      signal.addEventListener('abort', finish)
      this.#onChange = finish
    })
  }

  #tooSlow(timeoutMs: number, { target, path }: SubscriberOptions): RunError {
    const where = `"${target.origin}${path}"`
    return new RunError(
      `Cannot open ${where}: no answer within ${timeoutMs / 1000} s, ${this.openedCount} of ${this.#size} streams are open`,
    )
  }
}

/** Node itself raises the soft limit to the hard one at start, so this is all that the system allows. */
function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft)
  } catch {
    // No /proc: not Linux.
    return Infinity
  }
}
