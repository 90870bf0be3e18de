// Opens the stores that a configuration names.

import type { Config } from './config/schema.ts'
import type { Log } from './log.ts'
import { openStore } from './store/open.ts'
import type { Store } from './store/store.ts'

/** The stores of a server. */
export interface Stores {
  readonly store: Store
  /** Further ones, by name. */
  readonly stores: ReadonlyMap<string, Store>
}

/**
 * Opens all of them or none.
 * @throws {StoreError}
 */
export async function openStores({ store, stores, retain }: Config, log: Log): Promise<Stores> {
  const open = async (request: Config['store']): Promise<Store> =>
    openStore({ ...request, retention: { ...request.retention, rules: retain } }, log)
  const main = await open(store)
  const others = new Map<string, Store>()
  try {
    for (const [name, request] of stores) others.set(name, await open(request))
  } catch (error) {
    await closeStores({ store: main, stores: others })
    throw error
  }
  return { store: main, stores: others }
}

export async function closeStores({ store, stores }: Stores): Promise<void> {
  for (const opened of [store, ...stores.values()]) await opened.close()
}
