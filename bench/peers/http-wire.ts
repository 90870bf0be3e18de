// The bytes of clients that speak HTTP/1.1: requests on kept connections.

import type { Wire } from './contender.ts'

const HOST = 'Host: 127.0.0.1\r\n'

/** @param headers Header lines of its own. */
export function getRequest(path: string, headers: readonly string[] = []): Buffer {
  const lines = headers.map(line => `${line}\r\n`).join('')
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${HOST}${lines}\r\n`)
}

/** Header lines that ask for a WebSocket [RFC 6455 §4.1]. */
export const UPGRADE: readonly string[] = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.alloc(16, 'k').toString('base64')}`,
]

export function postRequest(path: string, body: Buffer): Buffer {
  const head = `POST ${path} HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

/** What all HTTP servers have in common. */
export const HTTP: Pick<Wire, 'subscribed' | 'greeting' | 'acknowledgement'> = {
  subscribed: '\r\n\r\n',
  greeting: { bytes: Buffer.alloc(0), answerCount: 0 },
  acknowledgement: /HTTP\/1\.1 20\d /g,
}
