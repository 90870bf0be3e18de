// How messages get into a connection and answers out of it: what single requests and one streamed request have in
// common for a publisher. No timers, and no composing of messages.

import type { Frame } from './composer.ts'

export interface Way {
  readonly frame: Frame
  /** True while the server owes something. */
  readonly isWaiting: boolean
  /** Called when the connection is there. */
  open(): void
  /** How many messages may be written now; more after an answer, or when the connection has drained. */
  room(): number
  /** Writes messages that a composer has put into a buffer. */
  write(bytes: Buffer, count: number, nowNs: number): void
  /** Called once, when no more messages will come. */
  finish(): void
  /**
   * Takes what the server sent, one character per byte.
   * @throws {RunError} for an answer after which it makes no sense to go on.
   */
  read(text: string, nowNs: number): void
}
