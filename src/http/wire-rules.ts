// What a request must look like before anybody acts on it: rules of HTTP that Node's parser leaves to the application.
// Hides nothing from itself: the server runs without Node's header count limit, which drops headers in silence.

import type { IncomingMessage } from 'node:http'
import { MsgbusError } from '../errors.ts'

const MAX_HEADER_COUNT = 100

// Node keeps the first or the last of these, a proxy in front perhaps the other: two of them is an attack or a fault.
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-location',
  'content-type',
  'from',
  'host',
  'idempotency-key',
  'if-modified-since',
  'last-event-id',
  'origin',
])

/**
 * @throws {MsgbusError} `MSGBUS_VERSION`, `MSGBUS_HEADER_COUNT`, `MSGBUS_HEADER_REPEATED`, `MSGBUS_TARGET` for a missing
 *   Host, `MSGBUS_TRANSFER_ENCODING`.
 */
export function checkWire(req: IncomingMessage): void {
  if (req.httpVersionMajor !== 1 || req.httpVersionMinor > 1) {
    throw new MsgbusError(
      'MSGBUS_VERSION',
      `HTTP/${req.httpVersion} is not spoken here: use HTTP/1.1 or HTTP/1.0`,
    )
  }
  checkHeaders(req.rawHeaders)
  // [RFC 9112 §3.2] said here and not by Node, whose answer would have no text.
  if (req.httpVersionMinor === 1 && req.headers.host === undefined) {
    throw new MsgbusError('MSGBUS_TARGET', 'An HTTP/1.1 request needs a Host header')
  }
  const transferEncoding = req.headers['transfer-encoding']
  if (transferEncoding === undefined) return
  // Node hands a `gzip, chunked` body over still compressed.
  if (transferEncoding.toLowerCase() !== 'chunked') {
    throw new MsgbusError('MSGBUS_TRANSFER_ENCODING', 'The only transfer encoding spoken here is chunked')
  }
  // [RFC 9112 §6.1] a proxy of that time has passed the header on without understanding it.
  if (req.httpVersionMinor === 0) {
    throw new MsgbusError(
      'MSGBUS_TRANSFER_ENCODING',
      'HTTP/1.0 has no transfer encodings: send a Content-Length',
    )
  }
}

/**
 * Checks a request whose body is to be published as it is.
 * @throws {MsgbusError} `MSGBUS_CONTENT_ENCODING`.
 */
export function checkEncoding({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding']
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return
  throw new MsgbusError('MSGBUS_CONTENT_ENCODING', 'Cannot publish an encoded body: send it as it is')
}

function checkHeaders(rawHeaders: readonly string[]): void {
  const count = rawHeaders.length / 2
  if (count > MAX_HEADER_COUNT) {
    throw new MsgbusError(
      'MSGBUS_HEADER_COUNT',
      `The request has ${count} headers, at most ${MAX_HEADER_COUNT} allowed`,
    )
  }
  const seen: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (!SINGLE_HEADERS.has(name)) continue
    if (seen.includes(name))
      throw new MsgbusError('MSGBUS_HEADER_REPEATED', `The header "${name}" stands twice`)
    seen.push(name)
  }
}
