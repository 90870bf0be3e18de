// Reads messages that come as JSON, and the notices between them (doc/protocol/native.md, "Forms"). Runs in browsers.

import type { Incoming } from './message.ts'

const UTF8 = new TextEncoder()

/** Reads envelopes and notices in the order in which they come. */
export class EnvelopeReader {
  readonly #fault: () => Error
  #lost: number | null = 0

  /** @param fault Makes what is thrown for what is no envelope and no notice. */
  constructor(fault: () => Error) {
    this.#fault = fault
  }

  /**
   * @param text An envelope, or a notice `{"gap":N}` or `{"reset":true}`, which is told with the message behind it.
   * @returns null for a notice, and for any other object.
   */
  read(text: string): Incoming | null {
    try {
      return this.#read(JSON.parse(text) as Record<string, unknown>)
    } catch {
      throw this.#fault()
    }
  }

  #read({ gap, reset, body, base64, ...rest }: Record<string, unknown>): Incoming | null {
    if (typeof gap === 'number' && this.#lost !== null) this.#lost += gap
    if (reset === true) this.#lost = null
    const { id, channel, type, sender, time } = rest as unknown as Incoming
    if (typeof id !== 'string' || typeof channel !== 'string') return null
    if (typeof type !== 'string' || (sender !== null && typeof sender !== 'string')) throw this.#fault()
    const bytes = typeof base64 === 'string' ? fromBase64(base64) : UTF8.encode(String(body))
    const lost = this.#lost
    this.#lost = 0
    return { id, channel, type, sender, time, lost, body: bytes }
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0))
}
