// Publishes with single requests on one connection, some of them on their way at once.

import type { Socket } from 'node:net'
import { describeAnswer, findAnswer } from '../answer.ts'
import { RunError } from '../run-error.ts'
import { pathOf, type Target } from '../target.ts'
import type { Frame } from './composer.ts'
import type { Tally } from './tally.ts'
import type { Way } from './way.ts'

const HEAD_END = '\r\n\r\n'
const ACCEPTED = 'HTTP/1.1 204 '

export interface RequestWayOptions {
  readonly target: Target
  readonly channels: readonly string[]
  readonly type: string
  readonly bodyBytes: number
  /** Requests that may wait for their answers at once. */
  readonly windowCount: number
  readonly tally: Tally
}

export class RequestWay implements Way {
  readonly frame: Frame
  readonly #socket: Socket
  readonly #tally: Tally
  // When each request that waits was sent, in a ring.
  readonly #sentNs: Float64Array
  #firstWaiting = 0
  #waitingCount = 0
  #text = ''
  #isProven = false

  constructor(socket: Socket, { target, channels, type, bodyBytes, windowCount, tally }: RequestWayOptions) {
    this.#socket = socket
    this.#tally = tally
    this.#sentNs = new Float64Array(windowCount)
    const prefixes = channels.map(channel =>
      Buffer.from(
        `POST ${pathOf(target, channel)} HTTP/1.1\r\n${target.headerLines}` +
          `Content-Type: ${type}\r\nContent-Length: ${bodyBytes}\r\n\r\n`,
        'latin1',
      ),
    )
    this.frame = { prefixes, suffix: Buffer.alloc(0) }
  }

  get isWaiting(): boolean {
    return this.#waitingCount > 0
  }

  open(): void {
    // The first request shows whether anything may be published.
  }

  room(): number {
    if (this.#socket.writableNeedDrain) return 0
    // One alone at first: where it is refused, what comes behind it would be, too, and might hide the reason.
    return (this.#isProven ? this.#sentNs.length : 1) - this.#waitingCount
  }

  write(bytes: Buffer, count: number, nowNs: number): void {
    for (let sent = 0; sent < count; sent++) {
      this.#sentNs[(this.#firstWaiting + this.#waitingCount++) % this.#sentNs.length] = nowNs
    }
    this.#socket.write(bytes)
  }

  finish(): void {
    // All requests are whole.
  }

  read(text: string, nowNs: number): void {
    this.#text += text
    let at = 0
    while (at < this.#text.length) {
      const end = this.#readOne(at, nowNs)
      if (end === null) break
      at = end
    }
    this.#text = this.#text.slice(at)
  }

  /** Returns where the answer at `at` ends, or null while it is not complete. */
  #readOne(at: number, nowNs: number): number | null {
    if (this.#waitingCount === 0) throw new RunError('the server sent an answer to no request')
    if (this.#text.startsWith(ACCEPTED, at)) {
      // Almost all answers. There is nothing in them that counts.
      const headEnd = this.#text.indexOf(HEAD_END, at)
      if (headEnd < 0) return null
      this.#take(nowNs)
      this.#tally.countAccepted(1, nowNs)
      this.#isProven = true
      this.#tally.hasBegun = true
      return headEnd + HEAD_END.length
    }
    const found = findAnswer(this.#text, at)
    if (found === null) return null
    this.#take(nowNs)
    this.#tally.countRefused(found.answer, 1, nowNs)
    if (!this.#isProven) throw new RunError(describeAnswer(found.answer))
    return found.end
  }

  #take(nowNs: number): void {
    this.#tally.latency.record(nowNs - (this.#sentNs[this.#firstWaiting] ?? nowNs))
    this.#firstWaiting = (this.#firstWaiting + 1) % this.#sentNs.length
    this.#waitingCount--
  }
}
