// What all locations with the same store have in common: its bus, which channels exist on it, and who waits there.

import type { Bus } from '../../bus/bus.ts'
import { Channels } from './channels.ts'
import { Waiters } from './waiters.ts'

export interface Realm {
  readonly bus: Bus
  readonly channels: Channels
  readonly waiters: Waiters
}

/**
 * @param closing Aborted when the server begins to close.
 * @param countElsewhere Subscribers that wait on a channel at other processes of this server.
 */
export function createRealm(
  bus: Bus,
  closing: AbortSignal,
  countElsewhere: (channel: string) => number,
): Realm {
  return { bus, channels: new Channels(bus), waiters: new Waiters({ bus, closing, countElsewhere }) }
}
