// For tests on a bus whose store is in memory, which keeps messages at once. Not a test.

import type { Awaitable } from '../src/store/store.ts'

/** What is there at once; throws for what is only promised. */
export function atOnce<Value>(value: Awaitable<Value>): Value {
  if (value instanceof Promise) throw new TypeError('Cannot go on: this is only promised')
  return value
}
