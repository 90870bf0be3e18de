// The publisher of a benchmark: one connection, which waits for each acknowledgement, keeps some unanswered, keeps to a rate, or
// sends everything in one request. What it sends is bounded in time and count.

import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Course } from './course.ts'
import { openSocket, type Target } from './crowd.ts'
import type { Reader } from './reader.ts'
import { blankBody, Stencil } from './stencil.ts'

// What of an acknowledgement may still be missing.
const MAX_ACKNOWLEDGEMENT_BYTES = 64
const STALL_MS = 20_000

export interface Channel {
  readonly name: string
  readonly course: Course
}

export class Feed {
  readonly #socket: Socket
  readonly #target: Target
  readonly #blankBody: Buffer
  // Of requests, by channel.
  readonly #stencils = new Map<string, Stencil>()
  #sentCount = 0
  #answerCount = 0
  #rest = ''
  #onAnswer: (() => void) | null = null

  private constructor(socket: Socket, target: Target, bodyBytes: number) {
    this.#socket = socket
    this.#target = target
    this.#blankBody = blankBody(bodyBytes)
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes.toString('latin1'))
    })
  }

  static async open(target: Target, bodyBytes: number): Promise<Feed> {
    const feed = new Feed(await openSocket(target), target, bodyBytes)
    const { bytes, answerCount } = target.wire.greeting
    feed.#sentCount = answerCount
    if (answerCount > 0) feed.#socket.write(bytes)
    await feed.#until(() => feed.#answerCount === feed.#sentCount)
    return feed
  }

  #take(text: string): void {
    const all = this.#rest + text
    let end = 0
    for (const { index, 0: found } of all.matchAll(this.#target.wire.acknowledgement)) {
      this.#answerCount++
      end = index + found.length
    }
    this.#rest = all.slice(Math.max(end, all.length - MAX_ACKNOWLEDGEMENT_BYTES))
    this.#onAnswer?.()
  }

  /**
   * One message at a time: each has arrived with `witness` and is acknowledged before the next is sent.
   * @param maxCount Or what is sent in `forMs`, if that is less.
   */
  async oneAtATime(channel: Channel, witness: Reader, maxCount: number, forMs = Infinity): Promise<void> {
    witness.onMessage = () => this.#onAnswer?.()
    const deadlineMs = performance.now() + forMs
    for (let left = maxCount; left > 0 && performance.now() < deadlineMs; left--) {
      this.#socket.write(this.#request(channel))
      await this.#until(
        () => this.#answerCount >= this.#sentCount && witness.lastNumber >= channel.course.lastNumber,
      )
    }
    witness.onMessage = null
  }

  /** As fast as the server acknowledges, with `window` messages unanswered. */
  async flood(next: () => Channel, window: number, forMs: number): Promise<void> {
    const deadlineMs = performance.now() + forMs
    while (performance.now() < deadlineMs) {
      const requests: Buffer[] = []
      const nowMs = performance.now()
      while (this.#sentCount - this.#answerCount < window) requests.push(this.#request(next(), nowMs))
      this.#socket.write(Buffer.concat(requests))
      await this.#until(() => this.#sentCount - this.#answerCount < window)
    }
    await this.#until(() => this.#answerCount >= this.#sentCount)
  }

  /** So many messages a second, whether they are acknowledged or not. */
  async pace(channel: Channel, perSecond: number, forMs: number): Promise<void> {
    const startMs = performance.now()
    for (let number = 0; (number * 1000) / perSecond < forMs; number++) {
      await sleep(Math.max(0, startMs + (number * 1000) / perSecond - performance.now()))
      this.#socket.write(this.#request(channel))
    }
    await this.#until(() => this.#answerCount >= this.#sentCount)
  }

  /** Everything in one request, acknowledged once, at most `window` messages ahead of `witness`. */
  async stream(channel: Channel, witness: Reader, window: number, forMs: number): Promise<void> {
    const { stream } = this.#target.wire
    if (stream === null) throw new TypeError('Cannot stream: this server takes one message at a time')
    witness.onMessage = () => this.#onAnswer?.()
    const stencil = new Stencil(stream.part(this.#blankBody))
    this.#socket.write(stream.begin(channel.name))
    const deadlineMs = performance.now() + forMs
    while (performance.now() < deadlineMs) {
      const parts: Buffer[] = []
      const nowMs = performance.now()
      let number = witness.lastNumber
      while (number - witness.lastNumber < window) {
        number = channel.course.sends(nowMs)
        parts.push(stencil.numbered(number))
      }
      this.#socket.write(Buffer.concat(parts))
      await this.#until(() => number - witness.lastNumber < window / 2)
    }
    this.#sentCount++
    this.#socket.write(stream.end)
    await this.#until(() => this.#answerCount >= this.#sentCount)
    witness.onMessage = null
  }

  // Counts the next message as sent.
  #request({ name, course }: Channel, nowMs = performance.now()): Buffer {
    this.#sentCount++
    const stencil = this.#stencils.get(name) ?? new Stencil(this.#target.wire.publish(name, this.#blankBody))
    this.#stencils.set(name, stencil)
    return stencil.numbered(course.sends(nowMs))
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await new Promise<void>((resolve, reject) => {
        const deadline = setTimeout(() => {
          reject(new Error(`Cannot go on: ${this.#sentCount - this.#answerCount} messages are unanswered`))
        }, STALL_MS)
        this.#onAnswer = () => {
          clearTimeout(deadline)
          resolve()
        }
      })
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}
