// Opens the store that is asked for: the one place that knows all kinds of them. What only one of them needs is loaded with it.

import { type Log, silentLog } from '../log.ts'
import type { FileStoreOptions } from './file.ts'
import { MemoryStore } from './memory.ts'
import type { Retention } from './retention.ts'
import type { Awaitable, Store } from './store.ts'

export type StoreSettings =
  | {
      readonly kind: 'memory'
      /** What is not named has its default. */
      readonly retention: Partial<Retention>
    }
  | {
      readonly kind: 'file'
      /** Of a directory. */
      readonly path: string
      /** Null if messages are to be on disk before they are acknowledged, else how soon after that. */
      readonly syncIntervalMs: number | null
      readonly retention: Partial<Retention>
    }

/**
 * @throws {RangeError} for a limit that is none.
 * @throws {StoreError} for a store that cannot be opened.
 */
export function openStore(settings: StoreSettings, log: Log = silentLog): Awaitable<Store> {
  const { kind, retention } = settings
  switch (kind) {
    case 'memory':
      return new MemoryStore(retention)
    case 'file': {
      const { path, syncIntervalMs } = settings
      return openFile(path, { ...retention, syncIntervalMs, log })
    }
  }
}

async function openFile(path: string, options: FileStoreOptions): Promise<Store> {
  const { openFileStore } = await import('./file.ts')
  return openFileStore(path, options)
}
