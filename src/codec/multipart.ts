// Writes messages as parts of an endless multipart response, in each of the forms that readers need. Every form puts
// the next boundary right behind a body: a reader knows that a part is whole without waiting for the next one. Knows
// nothing of HTTP chunks and sockets. Runs in browsers.

import { encodeChannel } from '../channel.ts'
import type { Message } from '../message.ts'
import { ByteSearch, latin1Bytes } from './bytes.ts'
import { BOUNDARY_2008 } from './delimiter.ts'
import { isPicture } from './picture.ts'
import type { PartOptions, StreamFormat } from './stream-format.ts'

// Some readers keep only so many header lines of a part (2,000 in one well-known parser).
const MAX_PINGS = 1_900

/**
 * [RFC 2046 §5.1] CRLF lines and a length in each part: for programs, and for browsers that show documents.
 *
 * Header lines, each only where it says something: `Msgbus-Skipped`, `From`, `Content-Location`, `Content-Type`,
 * `Content-Length`, `Msgbus-Id`, `Msgbus-Time` (milliseconds since 1970).
 */
export function standardFormat(
  boundary: string,
  subtype: 'x-mixed-replace' | 'mixed' = 'x-mixed-replace',
): StreamFormat {
  const tail = `\r\n--${boundary}\r\n`
  const lines = new FirstLines()
  return {
    contentType: `multipart/${subtype}; boundary=${boundary}`,
    opening: `--${boundary}\r\n`,
    closing: `--${boundary}--\r\n`,
    repeatsLast: false,
    // A header line behind the boundary that is already out is the one thing that neither browser minds.
    ping: count => (count <= MAX_PINGS ? `Msgbus-Ping: ${count}\r\n` : null),
    part: (message, options) => ({
      head: `${lines.of(message, options)}${message.id}\r\nMsgbus-Time: ${message.time}\r\n\r\n`,
      body: message.body,
    }),
    notice: () => '',
    tail,
    lastTail: `\r\n--${boundary}--\r\n`,
  }
}

/** What stands before the id of a part: mostly the same as in the part before, which is then not put together again. */
class FirstLines {
  #text = ''
  #type = ''
  #byteCount = -1
  #sender: string | null = null
  #channel = ''
  #isWide = false

  of(message: Message, options: PartOptions): string {
    const { type, sender, channel, body } = message
    const { isWide, skippedCount } = options
    const isSame =
      body.length === this.#byteCount &&
      type === this.#type &&
      sender === this.#sender &&
      channel === this.#channel &&
      isWide === this.#isWide
    if (isSame && skippedCount === 0) return this.#text
    const text = `${commonLines(message, options, '\r\n')}Content-Length: ${body.length}\r\nMsgbus-Id: `
    if (skippedCount > 0) return text
    this.#text = text
    this.#type = type
    this.#byteCount = body.length
    this.#sender = sender
    this.#channel = channel
    this.#isWide = isWide
    return text
  }
}

// What Firefox shows in place when a stream of documents is opened in a tab. Everything else it would download, one
// file per message.
const SHOWN_IN_A_TAB =
  /^(?:text\/(?:html|plain|css|xml|javascript)|image\/.+|application\/(?:json|xml|xhtml\+xml))$/i

/**
 * The standard form without the messages that a browser tab would turn into downloads, and with a byte order mark on
 * UTF-8 text that is more than ASCII.
 */
export function documentFormat(boundary: string): StreamFormat {
  const standard = standardFormat(boundary)
  return {
    ...standard,
    part: (message, options) =>
      SHOWN_IN_A_TAB.test(essence(message.type)) ? standard.part(withMark(message), options) : null,
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// Firefox does not read the charset of a part. It guesses, and never UTF-8; a byte order mark is what it believes. XML
// and JSON are UTF-8 to it anyway. No text is translated from another charset: a boundary might come out.
function withMark(message: Message): Message {
  const { type, body } = message
  const charset = /;\s*charset="?([^";\s]+)/i.exec(type)?.[1] ?? 'utf-8'
  if (!/^text\/(?!xml)/i.test(type) || !/^utf-?8$/i.test(charset)) return message
  let text: string
  try {
    text = UTF8.decode(body)
  } catch {
    // It is not what it says, and a guess is all there is.
    return message
  }
  const isAscii = text.length === body.length
  return isAscii || text.startsWith('\ufeff')
    ? message
    : { ...message, body: new TextEncoder().encode(`\ufeff${text}`) }
}

/**
 * For `<img>`: decodable pictures only, with the headers of the next part sent ahead, because Chromium shows a frame
 * only once it has seen them. No lengths, no names, no notices: the header block is closed before the message exists.
 */
export function pictureFormat(boundary: string): StreamFormat {
  const opening = `--${boundary}\r\nContent-Type: image/jpeg\r\n\r\n`
  const tail = `\r\n${opening}`
  return {
    contentType: `multipart/x-mixed-replace; boundary=${boundary}`,
    opening,
    closing: '',
    repeatsLast: true,
    ping: () => null,
    // One part that is no picture blanks an <img> in Chromium, two crash its tab.
    part: message =>
      /^image\//i.test(message.type) && isPicture(message.body) ? { head: '', body: message.body } : null,
    notice: () => '',
    tail,
    lastTail: `\r\n--${boundary}--\r\n`,
  }
}

const BOUNDARY_2008_SEARCH = new ByteSearch(latin1Bytes(`--${BOUNDARY_2008}`))

/**
 * The bytes of the 2008 server: bare LF, a constant boundary, nothing between body and boundary.
 * @param hasLength Whether parts carry their length: for HTTP/1.0 readers only, as then.
 */
export function format2008(hasLength: boolean): StreamFormat {
  const boundaryLine = `--${BOUNDARY_2008}\n`
  return {
    contentType: `multipart/x-mixed-replace;boundary=${BOUNDARY_2008}`,
    opening: boundaryLine,
    closing: '',
    repeatsLast: false,
    // Its library takes every chunk for a message.
    ping: () => null,
    part: (message, options) => {
      // [dugsong Q6] The constant boundary may stand in a body; only a length can tell the two apart.
      const needsLength = hasLength || BOUNDARY_2008_SEARCH.indexIn(message.body, 0, message.body.length) >= 0
      const length = needsLength ? `Content-Length: ${message.body.length}\n` : ''
      return {
        head: `${commonLines(message, options, '\n')}${length}\n`,
        body: message.body,
      }
    },
    notice: () => '',
    tail: boundaryLine,
    lastTail: boundaryLine,
  }
}

function commonLines(message: Message, { isWide, skippedCount }: PartOptions, lineEnd: string): string {
  let lines = ''
  if (skippedCount > 0) lines += `Msgbus-Skipped: ${skippedCount}${lineEnd}`
  // [dugsong Q18] An empty name is no name to a reader.
  if (message.sender !== null && message.sender !== '') lines += `From: ${message.sender}${lineEnd}`
  if (isWide) lines += `Content-Location: /msgbus/${encodeChannel(message.channel)}${lineEnd}`
  return `${lines}Content-Type: ${message.type}${lineEnd}`
}

function essence(type: string): string {
  const end = type.indexOf(';')
  return (end < 0 ? type : type.slice(0, end)).trim()
}
