// The native protocol: what each method means below its prefix (doc/protocol/native.md). Publishing and subscribing are
// in files of their own.

import type { Bus } from '../../bus/bus.ts'
import { MsgbusError } from '../../errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Intake } from '../../http/intake.ts'
import type { Streams } from '../../http/streams.ts'
import type { Log } from '../../log.ts'
import type { Protocol } from '../protocol.ts'
import { Publisher } from './publish.ts'
import { Subscriber } from './subscribe.ts'

export interface NativeOptions {
  readonly bus: Bus
  readonly intake: Intake
  readonly streams: Streams
  readonly log: Log
  /** Bytes of one message. */
  readonly maxBodyBytes: number
  /** Bytes of one form with all its files. */
  readonly maxFormBytes: number
  /** `2008` writes the byte form of the 2008 server to every reader that does not ask for another. */
  readonly framing: 'standard' | '2008'
}

export function createNative(options: NativeOptions): Protocol {
  const publisher = new Publisher(options)
  const subscriber = new Subscriber(options)
  return {
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
          exchange.answer(204, ['Allow', 'GET, HEAD, POST, PUT, OPTIONS'])
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
