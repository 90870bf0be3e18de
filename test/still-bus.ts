// A bus whose clock stands still, so that every byte it sends is known. Not a test.

import { Bus } from '../src/bus/bus.ts'
import { MemoryStore } from '../src/store/memory.ts'

/** What its messages say in `Msgbus-Time`. */
export const TIME_MS = 1_700_000_000_000

export function stillBus(): Bus {
  return new Bus({ store: new MemoryStore({ now: () => TIME_MS }) })
}
