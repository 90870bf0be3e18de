// What a peer is told whose request was not carried out, and that its connection ends with it. Who writes the answer is not known
// here, and what never became a request is answered elsewhere (`refusal.ts`).

import { type ErrorCode, MsgbusError } from '../errors.ts'
import { statusOf } from '../statuses.ts'

/** For the Allow header: what can be done with a channel. */
export const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, OPTIONS'

// All that a peer is told about a fault of ours.
const FAULT_TEXT = 'The server failed to serve this request'

export interface ErrorAnswer {
  readonly status: number
  /** Name and value in turn. */
  readonly headers: readonly string[]
  /** One line for a person. */
  readonly text: string
}

/** The last answer on a connection: what the peer did wrong, or, for any other error, that something went wrong here. */
export function errorAnswer(error: unknown): ErrorAnswer {
  // A body may be on its way that nobody will read.
  const close = ['Connection', 'close']
  if (!(error instanceof MsgbusError)) return { status: 500, headers: close, text: FAULT_TEXT }
  const { code, message } = error
  return { status: statusOf(code), headers: [...headersOf(code), ...close], text: `${code}: ${message}` }
}

function headersOf(code: ErrorCode): readonly string[] {
  switch (code) {
    case 'MSGBUS_BUSY':
    case 'MSGBUS_CLOSED':
    case 'MSGBUS_STORE_FULL':
      return ['Retry-After', retryAfter()]
    case 'MSGBUS_STORE':
      // It may have been kept all the same.
      return ['Retry-After', retryAfter(), 'Msgbus-Result', 'unknown']
    case 'MSGBUS_UPGRADE':
      return ['Sec-WebSocket-Version', '13']
    case 'MSGBUS_CONTENT_ENCODING':
      return ['Accept-Encoding', 'identity']
    case 'MSGBUS_METHOD':
    case 'MSGBUS_METHOD_NOT_ALLOWED':
      return ['Allow', ALLOWED_METHODS]
    case 'MSGBUS_PASSWORD':
      return ['WWW-Authenticate', 'Basic realm="msgbus", charset="UTF-8"']
    default:
      return []
  }
}

/** Seconds, 5 to 15: whoever is sent away together must not come back together. */
function retryAfter(): string {
  return `${5 + Math.floor(Math.random() * 11)}`
}
