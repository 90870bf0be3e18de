// What an error of the client means for somebody at a command line: what its bare code stands for, or what can be done.

import type { MsgbusError } from '../../src/errors.ts'

// Of the system, of Node's HTTP parser and of its fetch: what a wrong address leads to.
const WORDS: readonly (readonly [codes: RegExp, words: string])[] = [
  [/^ECONNREFUSED$/, 'nobody listens there'],
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, 'there is no host of that name, or nobody who knows it'],
  [/^(?:ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/, 'the host does not answer'],
  [/^UND_ERR_HEADERS_TIMEOUT$/, 'the server does not answer'],
  [/^UND_ERR_HEADERS_OVERFLOW$/, 'the head of the answer does not end'],
  [/^UND_ERR_SOCKET$/, 'the server closed the connection without an answer'],
  [/^HPE_/, 'the server does not speak HTTP there'],
  [/^(?:EPROTO|ERR_SSL_)/, 'the server does not speak TLS there'],
]

/** A hint in brackets to put behind the message, with a blank before it; empty if there is none. */
export function hintFor({ code, message }: MsgbusError): string {
  if (code === 'MSGBUS_PASSWORD') return ' (a URL may hold it: http://name:password@…)'
  if (code !== 'MSGBUS_UNREACHABLE') return ''
  const reason = /[A-Z0-9_]+$/.exec(message)?.[0] ?? ''
  const words = WORDS.find(([codes]) => codes.test(reason))?.[1]
  return words === undefined ? '' : ` (${words})`
}
