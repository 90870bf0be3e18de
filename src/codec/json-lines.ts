// Messages as newline-delimited JSON, one envelope a line (doc/protocol/native.md, "Forms"). Runs in browsers.

import { encodeEnvelope } from './envelope.ts'
import type { StreamFormat } from './stream-format.ts'

const encoder = new TextEncoder()

export const jsonLinesFormat: StreamFormat = {
  contentType: 'application/x-ndjson',
  opening: '',
  closing: '',
  repeatsLast: false,
  // Readers of this form skip empty lines.
  ping: () => '\n',
  part: (message, { skippedCount }) => ({
    head: skippedCount > 0 ? `${noticeLine(skippedCount)}\n` : '',
    body: encoder.encode(encodeEnvelope(message)),
  }),
  notice: missedCount => `${noticeLine(missedCount)}\n`,
  tail: '\n',
  lastTail: '\n',
}

/** Tells that messages are missing: `{"gap":N}`, or `{"reset":true}` when nobody knows how many. */
export function noticeLine(missedCount: number | null): string {
  return JSON.stringify(missedCount === null ? { reset: true } : { gap: missedCount })
}

/** True for a text that a reader of JSON could take for a notice, however it is spelled. */
export function readsLikeNotice(text: string): boolean {
  // Most texts are no object, or none that could have such a name.
  if (!/^\s*\{/.test(text) || !/gap|reset|\\u/.test(text)) return false
  try {
    const names = Object.keys(JSON.parse(text) as object)
    return names.includes('gap') || names.includes('reset')
  } catch {
    // It is no JSON.
    return false
  }
}
