// The server's words to a peer whose bytes never became a request, and the end of its connection. Requests are refused by
// their exchange.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { headerLines } from './answer-text.ts'
import { ALLOWED_METHODS } from './error-answer.ts'
import { textHeaders } from './exchange.ts'

/** What Node's parser has to say. */
export interface ParserError extends NodeJS.ErrnoException {
  /** What was being read, from the start of a segment, and how far it was understood. */
  readonly rawPacket?: Buffer
  readonly bytesParsed?: number
}

/**
 * Ends a connection on which nothing more can be read, with a text where no other answer is in its way.
 * @param lastAnswer The answer to the last request of the connection, if there was one.
 */
export function refuseConnection(socket: Socket, lastAnswer: ServerResponse | null, text: string): void {
  // Refused before: that answer is on its way and closes the connection behind itself.
  if (lastAnswer?.writableEnded === true && !lastAnswer.shouldKeepAlive) return
  if (socket.writable && (lastAnswer === null || lastAnswer.writableFinished || isUnanswered(lastAnswer))) {
    socket.end(text, 'latin1')
    // A peer that never closes its side would keep the connection.
    socket.destroySoon()
  } else {
    socket.destroy()
  }
}

/** True for a request whose body cannot be read, with nothing unanswered before it and no byte of its answer written. */
function isUnanswered({ req, socket, headersSent }: ServerResponse): boolean {
  return !req.complete && socket !== null && !headersSent
}

/**
 * The answer to what the parser could not read [RFC 9112], in the words of its error codes.
 * @param maxHeaderBytes What the parser was told to allow.
 */
export function parserRefusal(error: ParserError, maxHeaderBytes: number): string {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return plainAnswer(
        '431 Request Header Fields Too Large',
        `The headers are larger than ${maxHeaderBytes} bytes`,
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return timeoutRefusal()
    case 'HPE_INVALID_VERSION':
      if (/^(?:1\.[01])?$/.test(versionOf(error))) break
      return plainAnswer('505 HTTP Version Not Supported', 'Use HTTP/1.1 or HTTP/1.0')
    case 'HPE_INVALID_METHOD':
      if (!versionOf(error).startsWith('1.')) break
      return plainAnswer('405 Method Not Allowed', 'GET subscribes, POST and PUT publish', [
        'Allow',
        ALLOWED_METHODS,
      ])
  }
  return plainAnswer(
    '400 Bad Request',
    `This is not an HTTP request that can be read (${error.code ?? 'unknown error'})`,
  )
}

/** The answer to headers that did not arrive in time. */
export function timeoutRefusal(): string {
  return plainAnswer('408 Request Timeout', 'The request took too long')
}

/** The answer to an Expect header that asks for something else than `100 Continue`. */
export function expectationRefusal(): string {
  return plainAnswer('417 Expectation Failed', 'The only expectation met here is 100-continue')
}

const REQUEST_LINE = /^[\w!#$%&'*+.^`|~-]+ [\x21-\x7e]+ HTTP\/(\d\.\d)\r?$/

/** The version that a whole and otherwise well-formed request line names; empty for any other. */
function versionOf({ rawPacket, bytesParsed = 0 }: ParserError): string {
  if (rawPacket === undefined) return ''
  const start = bytesParsed === 0 ? 0 : rawPacket.lastIndexOf('\n', bytesParsed - 1) + 1
  const end = rawPacket.indexOf('\n', start)
  return end < 0 ? '' : (REQUEST_LINE.exec(rawPacket.toString('latin1', start, end))?.[1] ?? '')
}

function plainAnswer(status: string, text: string, headers: readonly string[] = []): string {
  const body = `${text}\n`
  const lines = headerLines([...headers, 'Connection', 'close', ...textHeaders(body)])
  return `HTTP/1.1 ${status}\r\n${lines}\r\n${body}`
}
