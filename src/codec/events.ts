// Messages as server-sent events [WHATWG HTML §9.2], for EventSource: text as it is, or whole messages as JSON. Names of
// events are ours and fixed; nothing a publisher wrote can start a line. Runs in browsers.

import type { Message } from '../message.ts'
import { encodeEnvelope, textOf, toBase64 } from './envelope.ts'
import type { StreamFormat } from './stream-format.ts'

const encoder = new TextEncoder()

const COMMON = {
  contentType: 'text/event-stream',
  closing: '',
  repeatsLast: false,
  ping: () => ':\n\n',
  tail: '\n\n',
  lastTail: '\n\n',
  opening: '',
} as const

/**
 * @param content `text`: the data of an event is the text of the message; what is no text comes as an event `binary` with
 *   JSON `{"type":…,"base64":…}`. `envelope`: the data is the message as JSON, with its channel, sender and time.
 */
export function eventFormat(content: 'text' | 'envelope'): StreamFormat {
  const lines = content === 'text' ? textLines : envelopeLines
  return {
    ...COMMON,
    part: (message, { skippedCount }) => ({
      head: `${skippedCount > 0 ? noticeEvent(skippedCount) : ''}id: ${message.id}\n`,
      body: encoder.encode(lines(message)),
    }),
    notice: noticeEvent,
  }
}

/** Tells a browser how long to wait before it connects again. */
export function retryField(retryMs: number): string {
  return `retry: ${retryMs}\n\n`
}

function noticeEvent(missedCount: number | null): string {
  return missedCount === null ? 'event: reset\ndata: true\n\n' : `event: gap\ndata: ${missedCount}\n\n`
}

function textLines(message: Message): string {
  const text = textOf(message)
  if (text !== null) return `data: ${text.split(/\r\n|\r|\n/).join('\ndata: ')}`
  const { type, body } = message
  return `event: binary\ndata: ${JSON.stringify({ type, base64: toBase64(body) })}`
}

function envelopeLines(message: Message): string {
  return `data: ${encodeEnvelope(message)}`
}
