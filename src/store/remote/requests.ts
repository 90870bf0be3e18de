// What was asked of another process and is not answered yet. It knows neither the questions nor the answers.

import { MsgbusError } from '../../errors.ts'

// What may be on its way there without an answer. Whoever publishes without waiting for answers must not fill the memory.
const MAX_UNANSWERED_BYTES = 64 * 2 ** 20

export interface Asked {
  /** Of drafts that go with it; 0 for a question. */
  readonly byteCount: number
  /** Messages from here on are needed until it is answered. */
  readonly neededSeq: number
}

interface Pending extends Asked {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

export class Requests {
  readonly #pending = new Map<number, Pending>()
  #count = 0
  #unansweredBytes = 0
  #isLost = false
  #onIdle: () => void = () => undefined

  /** Messages from here on are needed: the oldest request needs the most. */
  get neededSeq(): number {
    for (const { neededSeq } of this.#pending.values()) return neededSeq
    return Infinity
  }

  /** @throws {MsgbusError} `MSGBUS_BUSY` if so many bytes are too much beside those that are not answered. */
  checkRoom(byteCount: number): void {
    if (this.#unansweredBytes === 0 || this.#unansweredBytes + byteCount <= MAX_UNANSWERED_BYTES) return
    throw new MsgbusError('MSGBUS_BUSY', 'Cannot publish: too many messages are waiting to be kept')
  }

  /**
   * Waits for an answer.
   * @param send Sends the request under its number.
   */
  begin<Answer>(asked: Asked, send: (request: number) => void): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      if (this.#isLost) throw lost()
      this.#count = (this.#count + 1) % 2 ** 32
      this.#unansweredBytes += asked.byteCount
      this.#pending.set(this.#count, { ...asked, resolve: resolve as Pending['resolve'], reject })
      send(this.#count)
    })
  }

  resolve(request: number, value: unknown): void {
    this.#end(request).resolve(value)
    if (this.#pending.size === 0) this.#onIdle()
  }

  reject(request: number, error: Error): void {
    this.#end(request).reject(error)
    if (this.#pending.size === 0) this.#onIdle()
  }

  #end(request: number): Pending {
    const pending = this.#pending.get(request)
    if (pending === undefined) throw new TypeError(`Cannot take an answer: nobody has asked ${request}`)
    this.#pending.delete(request)
    this.#unansweredBytes -= pending.byteCount
    return pending
  }

  /** Resolves once everything is answered. */
  async idle(): Promise<void> {
    if (this.#pending.size === 0) return
    await new Promise<void>(resolve => {
      this.#onIdle = resolve
    })
  }

  /** Nobody answers any more. */
  lose(): void {
    this.#isLost = true
    for (const request of [...this.#pending.keys()]) this.reject(request, lost())
  }
}

/** The error for whoever asks a process that is gone. */
export function lost(): MsgbusError {
  return new MsgbusError('MSGBUS_STORE', 'The process that has the store does not answer')
}
