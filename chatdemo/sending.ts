// What one writes, on its way from the composer to the server: as what it is published, and under whose name. When, and
// how often, is the outbox's affair.

import type { Client } from '../client/index.ts'
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
  #hasPassword: boolean | null = null

  constructor(client: Client, channel: string) {
    this.#client = client
    this.#channel = channel
  }

  /** @throws {MsgbusError | DOMException} As the client; `TimeoutError` for an attempt that took too long. */
  async publish({ body, type, sender }: OutgoingLine): Promise<void> {
    const byteCount = typeof body === 'string' ? body.length : body.size
    const signal = AbortSignal.timeout(TIMEOUT_MS + (byteCount / SLOWEST_BYTES) * 1_000)
    if (sender !== undefined) this.#hasPassword ??= await asksForPassword(signal)
    const isNamed = sender !== undefined && this.#hasPassword !== true
    await this.#client.publish(this.#channel, body, isNamed ? { type, signal, sender } : { type, signal })
  }
}

/**
 * Whether the server wants a password of whoever brings none; null if there is no answer. Chromium forgets what a person
 * logged in with when another name is refused, and asks anew: so it has to be known before.
 */
async function asksForPassword(signal: AbortSignal): Promise<boolean | null> {
  const request = { method: 'HEAD', cache: 'no-store', credentials: 'omit', signal } as const
  return fetch(location.href, request).then(
    ({ status }) => status === 401,
    () => null,
  )
}
