// The option `store` as a file may say it: a URL, a mapping as hbpush has it, or several of them by name. Nothing is opened
// here.

import * as v from 'valibot'
import { Given, structure } from './given.ts'
import { DEFAULT_STORE } from './locations.ts'
import { STORE, type StoreLimits, type StoreRequest } from './store-url.ts'
import { choice, integer, type Schema } from './values.ts'

/** The stores of a file by name; the main one, `default`, need not be among them. */
export type NamedStores = ReadonlyMap<string, StoreRequest>

const EXPECTED = 'a URL, a mapping with type, or a mapping of names to such'
const KIND = choice('memory')
const MEMORY_KEYS = ['type', 'min_messages', 'max_messages', 'message_timeout']
const COUNT = integer(0, 1_000_000)
const SECONDS = integer(0, 31_536_000)

/** What a flag may say: the main store. */
export const MAIN_STORE: Schema<NamedStores> = v.pipe(
  STORE,
  v.transform((store): NamedStores => new Map([[DEFAULT_STORE, store]])),
)

const STRUCTURE: Schema<NamedStores> = structure(EXPECTED, given => {
  const record = given.record(EXPECTED)
  if (record.has('type')) return new Map([[DEFAULT_STORE, readMapping(given)]])
  return new Map([...record].map(([name, store]) => [name, readStore(store)]))
})

/** What a file may say. */
export const STORES: Schema<NamedStores> = v.lazy(value => (value instanceof Given ? STRUCTURE : MAIN_STORE))

function readStore(given: Given): StoreRequest {
  return given.isSingle ? given.check(STORE) : readMapping(given)
}

function readMapping(given: Given): StoreRequest {
  const type = given.record(EXPECTED).get('type')
  if (type === undefined) throw given.refusal('a URL, or a mapping with type', 'a mapping without')
  if (type.value === 'redis') {
    throw type.refusal('memory, or a URL in place of the mapping (redis is not available yet)')
  }
  type.check(KIND)
  const fields = given.record(EXPECTED, MEMORY_KEYS)
  // What is too old is never kept, however few messages there are: nobody reads them.
  fields.get('min_messages')?.check(COUNT)
  const maxCount = fields.get('max_messages')?.check(COUNT)
  const timeout = fields.get('message_timeout')?.check(SECONDS)
  const retention: StoreLimits = {
    ...(maxCount === undefined ? {} : { maxCount }),
    ...(timeout === undefined ? {} : { maxAgeMs: timeout === 0 ? Infinity : timeout * 1000 }),
  }
  return { kind: 'memory', retention }
}
