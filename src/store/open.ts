// Opens the store that is asked for: the one place that knows all kinds of them.

import { MemoryStore } from './memory.ts'
import type { Retention } from './retention.ts'
import type { Awaitable, Store } from './store.ts'

export interface StoreSettings {
  readonly kind: 'memory'
  /** What is not named has its default. */
  readonly retention: Partial<Retention>
}

/** @throws {RangeError} for a limit that is none. */
export function openStore({ retention }: StoreSettings): Awaitable<Store> {
  return new MemoryStore(retention)
}
