// Messages as frames that a server sends [RFC 6455 §5.2]: never masked, so one frame serves all readers. What clients send
// is read elsewhere. Runs in browsers.

import type { Message } from '../message.ts'
import { encodeEnvelope, textOf } from './envelope.ts'
import { noticeLine, readsLikeNotice } from './json-lines.ts'
import type { EncodedPart, StreamFormat } from './stream-format.ts'

const OPCODE = { text: 1, binary: 2, close: 8, ping: 9 } as const
const FINAL = 0x80

const encoder = new TextEncoder()

/**
 * @param content `raw`: a text message is a text frame, any other a binary one, as is a text that reads like a notice. `envelope`: each message is a text frame
 *   with the message as JSON.
 */
export function frameFormat(content: 'raw' | 'envelope'): StreamFormat {
  const encode = content === 'raw' ? rawFrame : envelopeFrame
  return {
    contentType: '',
    opening: '',
    // 1001: the server is going away [RFC 6455 §7.4.1].
    closing: `${frameHead('close', 2)}\x03\xe9`,
    repeatsLast: false,
    ping: () => frameHead('ping', 0),
    part: (message, { skippedCount }) => {
      const { head, body } = encode(message)
      return { head: skippedCount > 0 ? `${noticeFrame(skippedCount)}${head}` : head, body }
    },
    tail: '',
    lastTail: '',
    notice: noticeFrame,
  }
}

function rawFrame(message: Message): EncodedPart {
  const { body } = message
  const text = textOf(message)
  // Nobody may forge a notice.
  return { head: frameHead(text === null || readsLikeNotice(text) ? 'binary' : 'text', body.length), body }
}

function envelopeFrame(message: Message): EncodedPart {
  const body = encoder.encode(encodeEnvelope(message))
  return { head: frameHead('text', body.length), body }
}

function noticeFrame(missedCount: number | null): string {
  const text = noticeLine(missedCount)
  return `${frameHead('text', text.length)}${text}`
}

/** One character per byte. */
function frameHead(kind: keyof typeof OPCODE, byteCount: number): string {
  const first = String.fromCharCode(FINAL | OPCODE[kind])
  if (byteCount < 126) return `${first}${String.fromCharCode(byteCount)}`
  if (byteCount < 0x1_0000) return `${first}\x7e${bigEndian(byteCount, 2)}`
  return `${first}\x7f${bigEndian(byteCount, 8)}`
}

function bigEndian(value: number, byteCount: number): string {
  let text = ''
  for (let at = byteCount - 1; at >= 0; at--) text += String.fromCharCode(Math.floor(value / 256 ** at) % 256)
  return text
}
