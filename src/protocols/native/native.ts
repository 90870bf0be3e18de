// The native protocol: what each method means below its prefix (doc/protocol/native.md). Publishing and subscribing are
// in files of their own.

import { MsgbusError } from '../../errors.ts'
import { ALLOWED_METHODS } from '../../http/error-answer.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Protocol } from '../protocol.ts'
import type { NativeOptions } from './options.ts'
import { Publisher } from './publish.ts'
import { Subscriber } from './subscribe.ts'

export function createNative(options: NativeOptions): Protocol {
  const publisher = new Publisher(options)
  const subscriber = new Subscriber(options)
  return {
    plain: (head, rest, peer) => publisher.plain(head, rest, peer),
    handle: async (exchange, rest) => {
      switch (exchange.method) {
        case 'GET':
          return subscriber.subscribe(exchange, rest)
        case 'HEAD':
          subscriber.describe(exchange, rest)
          return
        case 'POST':
        case 'PUT':
          return publisher.publish(exchange, rest)
        case 'OPTIONS':
          exchange.answer(204, ['Allow', ALLOWED_METHODS])
          return
        default:
          throw unsupported(exchange)
      }
    },
  }
}

function unsupported({ method }: Exchange): MsgbusError {
  // TRACE would echo credentials to whoever reads the answer; that one is refused, not merely missing.
  const code = method === 'TRACE' ? 'MSGBUS_METHOD_NOT_ALLOWED' : 'MSGBUS_METHOD'
  return new MsgbusError(code, `${method} means nothing to a channel: GET subscribes, POST and PUT publish`)
}
