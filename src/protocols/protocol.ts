// What a protocol is to the router: one HTTP dialect that owns everything below a prefix. Interface only.

import type { Exchange } from '../http/exchange.ts'
import type { Mount } from '../http/router.ts'

export interface Protocol {
  /**
   * Serves one request.
   * @param rest What follows the protocol's prefix in the path, still percent-encoded; may be empty.
   * @throws {MsgbusError} for whatever the peer did wrong, before anything was answered.
   */
  readonly handle: (exchange: Exchange, rest: string) => Promise<void>
  /** Publishes without an exchange what is plain enough for that. */
  readonly plain?: NonNullable<Mount['plain']>
}
