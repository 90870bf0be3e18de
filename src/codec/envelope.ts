// A message as one JSON object, for readers that have no use for MIME: newline-delimited JSON, events, WebSocket frames.
// Text stays text, everything else is base64. Runs in browsers.

import type { Message } from '../message.ts'

/** What stands in the JSON. Exactly one of `body` and `base64` is there. */
export interface Envelope {
  readonly id: string
  readonly channel: string
  /** Milliseconds since 1970. */
  readonly time: number
  readonly type: string
  /** Null when the publisher gave no name. */
  readonly sender: string | null
  readonly body?: string
  readonly base64?: string
}

const TEXT_TYPE =
  /^(?:text\/.*|application\/(?:.*\+)?(?:json|xml)|application\/(?:javascript|x-www-form-urlencoded|x-ndjson|yaml|toml|sql)|image\/svg\+xml)$/i

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The body as text, byte for byte, or null when it is none: by its type or charset, or because it is not UTF-8. */
export function textOf({ type, body }: Pick<Message, 'type' | 'body'>): string | null {
  const essence = /^[^;\s]*/.exec(type)?.[0] ?? ''
  const charset = /;\s*charset="?([^";\s]+)/i.exec(type)?.[1] ?? 'utf-8'
  // Bytes of another charset may be UTF-8 by chance, and would be other letters.
  if (!TEXT_TYPE.test(essence) || !/^(?:utf-?8|us-ascii)$/i.test(charset)) return null
  try {
    return UTF8.decode(body)
  } catch {
    // Damaged: its bytes are what it is.
    return null
  }
}

// Line ends to JavaScript and Python, though not to JSON.
const ODD_LINE_ENDS = /[\u0085\u2028\u2029]/g

/** One line of JSON without a line end of any kind. The order of its keys is fixed. */
export function encodeEnvelope(message: Message): string {
  const { id, channel, time, type, sender, body } = message
  const text = textOf(message)
  const content = text === null ? { base64: toBase64(body) } : { body: text }
  const envelope: Envelope = { id, channel, time, type, sender, ...content }
  return JSON.stringify(envelope).replace(ODD_LINE_ENDS, escapeCharacter)
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

const MAX_ARGUMENTS = 8_192

export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += MAX_ARGUMENTS) {
    binary += String.fromCharCode(...bytes.subarray(at, at + MAX_ARGUMENTS))
  }
  return btoa(binary)
}

/** @throws {DOMException} `InvalidCharacterError` for what is not base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0))
}
