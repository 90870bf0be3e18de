// Writes whole answers of HTTP/1.1 as text, for requests that Node's HTTP server never saw. In the same words and in the same
// order: no answer shows who wrote it. Who writes another head takes its lines from here, too.

import { STATUS_CODES } from 'node:http'
import { errorAnswer } from './error-answer.ts'
import { CLOSED_HEADERS, textHeaders } from './exchange.ts'

/** Says what time it is, put together once a second. */
export class DateLine {
  #second = 0
  #text = ''

  /** With its line end. */
  get text(): string {
    const second = Math.floor(Date.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#text = `Date: ${new Date(second * 1000).toUTCString()}\r\n`
    }
    return this.#text
  }
}

/** How every answer begins that is not for a page of another origin. */
export function openingText(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${headerLines(CLOSED_HEADERS)}`
}

/**
 * The answer to what was carried out.
 * @param keepAliveMs How long the connection may say nothing behind it; null for the last answer on it.
 */
export function acceptedText(headers: readonly string[], date: DateLine, keepAliveMs: number | null): string {
  return `${openingText(204)}${headerLines(headers)}${date.text}${endingText(keepAliveMs)}`
}

/** How every answer ends that has no body, see {@link acceptedText}. */
export function endingText(keepAliveMs: number | null): string {
  if (keepAliveMs === null) return 'Connection: close\r\n\r\n'
  return `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n\r\n`
}

/** The answer to what was not carried out, and the last one on its connection. */
export function refusalText(error: unknown, date: DateLine): string {
  const { status, headers, text } = errorAnswer(error)
  const body = `${text}\n`
  const lines = headerLines([...headers, ...textHeaders(body)])
  return `${openingText(status)}${lines}${date.text}\r\n${body}`
}

/** @param headers Name and value in turn. */
export function headerLines(headers: readonly string[]): string {
  let text = ''
  for (let at = 0; at < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`
  return text
}
