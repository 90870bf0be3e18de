// Reads messages that come as JSON, and the notices between them (doc/protocol/native.md, "Forms"). Runs in browsers.

import type { Incoming } from './message.ts'

const UTF8 = new TextEncoder()

/** Reads envelopes and notices in the order in which they come. */
export class EnvelopeReader {
  #lost: number | null = 0

  /**
   * @param text An envelope, or a notice `{"gap":N}` or `{"reset":true}`, which is told with the message behind it.
   * @returns null for a notice, and for any other object.
   * @throws {Error} For what is no JSON, and for a body that is no base64.
   */
  read(text: string): Incoming | null {
    const { gap, reset, body, base64, ...rest } = JSON.parse(text) as Record<string, unknown>
    if (typeof gap === 'number' && this.#lost !== null) this.#lost += gap
    if (reset === true) this.#lost = null
    const { id, channel, type, sender, time } = rest as unknown as Incoming
    if (typeof id !== 'string' || typeof channel !== 'string') return null
    const bytes =
      typeof base64 === 'string'
        ? Uint8Array.from(atob(base64), character => character.charCodeAt(0))
        : UTF8.encode(String(body))
    const lost = this.#lost
    this.#lost = 0
    return { id, channel, type, sender, time, lost, body: bytes }
  }
}
