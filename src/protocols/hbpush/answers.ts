// Answers that are no message. Those of a request without a body leave the connection open: a poller goes on with it.

import { MsgbusError } from '../../errors.ts'
import { type Exchange, hasBody } from '../../http/exchange.ts'
import { statusOf } from '../../statuses.ts'

/** What the peer did wrong, in one line. */
export function answerError(exchange: Exchange, { code, message }: MsgbusError): void {
  exchange.answer(statusOf(code), [], `${code}: ${message}`)
}

/** Answers a method that a location does not have; for the pages of listed origins, what it has. */
export function answerMethod(exchange: Exchange, methods: string): void {
  const allow = ['Allow', methods]
  if (exchange.method === 'OPTIONS' && exchange.isOpen) {
    exchange.answer(204, allow)
    return
  }
  // A body may be on its way that nobody will read.
  const headers = hasBody(exchange.req) ? [...allow, 'Connection', 'close'] : allow
  exchange.answer(405, headers, `MSGBUS_METHOD_NOT_ALLOWED: This location has ${methods} alone`)
}

export function unknownChannel(): MsgbusError {
  return new MsgbusError('MSGBUS_NOT_FOUND', 'There is no such channel')
}

export function deletedChannel(): MsgbusError {
  return new MsgbusError('MSGBUS_GONE', 'The channel was deleted')
}
