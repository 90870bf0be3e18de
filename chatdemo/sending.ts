// What one writes, on its way from the composer to the server: as what it is published, and under whose name. When, and
// how often, is the outbox's affair.

import { type Client, MsgbusError } from '../client/index.ts'
import { newNonce, senderOf, typeOfFile, writeType } from '../client/marks.ts'
import { type Content, contentOfFile } from './content.ts'
import type { OutgoingLine } from './outbox.ts'

/** An attempt may take this long, and a second for each so many bytes. */
const TIMEOUT_MS = 30_000
const SLOWEST_BYTES = 10_000

/** A line as it is published, and as it is shown meanwhile. */
export interface Written {
  readonly line: OutgoingLine
  readonly content: Content
}

/** @param name Null for somebody without one. */
export function writeText(text: string, name: string | null): Written {
  const nonce = newNonce()
  const type = writeType('text/plain; charset=utf-8', { nonce, name, fileName: null })
  return { line: { nonce, type, sender: senderOf(name ?? ''), body: text }, content: { kind: 'text', text } }
}

/** @param name Null for somebody without one. */
export function writeFile(file: Blob, fileName: string, name: string | null): Written {
  const nonce = newNonce()
  const essence = typeOfFile(file)
  const type = writeType(essence, { nonce, name, fileName })
  return {
    line: { nonce, type, sender: senderOf(name ?? ''), body: file },
    content: contentOfFile(file, essence, fileName),
  }
}

/** Publishes lines to one channel. */
export class Sending {
  readonly #client: Client
  readonly #channel: string
  /** A server with a password knows its visitors by the name they logged in with. */
  #isLoggedIn = false

  constructor(client: Client, channel: string) {
    this.#client = client
    this.#channel = channel
  }

  /** @throws {MsgbusError | DOMException} As the client; `TimeoutError` for an attempt that took too long. */
  async publish({ body, type, sender }: OutgoingLine): Promise<void> {
    const byteCount = typeof body === 'string' ? body.length : body.size
    const options = { type, signal: AbortSignal.timeout(TIMEOUT_MS + (byteCount / SLOWEST_BYTES) * 1_000) }
    const isNamed = sender !== undefined && !this.#isLoggedIn
    try {
      await this.#client.publish(this.#channel, body, isNamed ? { ...options, sender } : options)
    } catch (error) {
      if (!isNamed || !(error instanceof MsgbusError) || error.status !== 401) throw error
      await this.#client.publish(this.#channel, body, options)
      this.#isLoggedIn = true
    }
  }
}
