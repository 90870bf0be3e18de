// What protocols have in common: it says in the log what was published, and by whom. Never what was in it.

import type { Exchange } from '../http/exchange.ts'
import type { Log } from '../log.ts'
import type { Message } from '../message.ts'

/** Who published, as far as is known. */
export interface PeerFields {
  readonly peer: string
  readonly user: string | null
}

export function peerOf({ req, credentials }: Exchange): PeerFields {
  return { peer: req.socket.remoteAddress ?? '', user: credentials?.user ?? null }
}

export function logPublish(log: Log, peer: PeerFields, { channel, type, body }: Message): void {
  if (log.isEnabled('trace')) log.write('trace', 'pub', { ...peer, channel, type, byteCount: body.length })
}
