// How a message looks on stdout: for people on a terminal, as a body or as JSON for programs.

import { textOf, toBase64 } from '../../src/codec/envelope.ts'
import { noticeLine } from '../../src/codec/json-lines.ts'
import type { ReceivedMessage } from '../index.ts'
import { formatSize, formatTime, printable, printableJson, printableLines } from './printable.ts'
import type { Style } from './style.ts'

const LF = 0x0a

/** Turns a message into what is written. */
export type Show = (message: ReceivedMessage) => string | Uint8Array

/** The body as it is, and a line end unless it has one. */
export function showBody({ body }: ReceivedMessage): Uint8Array {
  return body.at(-1) === LF ? body : Buffer.concat([body, Uint8Array.of(LF)])
}

/** An envelope in one line, behind a notice if messages were lost, as a server writes them. */
export function showJson(message: ReceivedMessage): string {
  const { id, channel, time, type, sender, body, lost } = message
  const text = textOf(message)
  const content = text === null ? { base64: toBase64(body) } : { body: text }
  const envelope = JSON.stringify({ id, channel, time: time?.getTime() ?? null, type, sender, ...content })
  const notice = lost === 0 ? '' : `${noticeLine(lost)}\n`
  return `${notice}${printableJson(envelope)}\n`
}

/** A line of details, and the body below it where it is text. */
export function showMessage(style: Style): Show {
  const showLine = showDetails(style)
  return message => {
    const text = readText(message)
    const { type, byteLength } = message
    const words = text ?? style.dim(`(${formatSize(byteLength)} of ${printable(type)}, not shown)`)
    return `${showLine(message)}${words}${words.endsWith('\n') ? '' : '\n'}`
  }
}

/** A line of details alone. */
export function showDetails(style: Style): (message: ReceivedMessage) => string {
  return ({ time, channel, type, sender, byteLength }) => {
    const words = [
      style.dim(formatTime(time ?? new Date())),
      style.channel(printable(channel)),
      style.dim(printable(type)),
      sender === null ? '-' : style.sender(printable(sender)),
      style.dim(`(${formatSize(byteLength)})`),
    ]
    return `${words.join(' ')}\n`
  }
}

/** Details for programs: time, channel, type, sender and length with tabs between them; nothing for no sender. */
export function showFields({ time, channel, type, sender, byteLength }: ReceivedMessage): string {
  const words = [(time ?? new Date()).toISOString(), channel, type, sender ?? '', `${byteLength}`]
  return `${words.map(printable).join('\t')}\n`
}

/** Its text, fit for a terminal; null if it is none. */
export function readText(message: ReceivedMessage): string | null {
  // UTF-8 first; a charset of another name is for those who say so.
  const text = textOf(message) ?? (/^text\/.*;\s*charset=/i.test(message.type) ? message.text() : null)
  return text === null ? null : printableLines(text)
}
