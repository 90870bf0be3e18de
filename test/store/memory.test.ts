// The store in memory: all that every store must do, at once and a turn later, and what only this one promises: it
// answers at once, and neither messages nor channels nor what is remembered of them grow without bound.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { Message } from '../../src/message.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../src/store/memory.ts'
import { DEFAULT_RETENTION } from '../../src/store/retention.ts'
import type { Start } from '../../src/store/store.ts'
import { atOnce } from '../at-once.ts'
import { draftOf, storeContract } from '../contract/store.ts'
import { LaterStore } from './later-store.ts'

const MAX_CHANNELS = 100_000
const MAX_REMEMBERED = 10_000

await t.test('the store in memory keeps the contract', t =>
  storeContract(t, { open: (_, { retention, now }) => new MemoryStore({ ...retention, now }) }),
)

await t.test('a store that answers later keeps the contract', t =>
  storeContract(t, {
    open: (_, { retention, now }) => new LaterStore(new MemoryStore({ ...retention, now })),
  }),
)

function put(store: MemoryStore, channel: string, body = ''): Message | undefined {
  return atOnce(store.append([draftOf(channel, body)]))[0]
}

function keptSeqs(store: MemoryStore, paths: readonly string[]): readonly number[] {
  const page = store.read({ paths, afterSeq: 0, maxCount: Infinity })
  return page.messages.map(({ seq }) => seq)
}

function keptCount(store: MemoryStore): number {
  return [...store.channels()].reduce((sum, record) => sum + record.keptCount, 0)
}

function cursorAt(store: MemoryStore, seq: number): Start {
  return { kind: 'after', cursor: { epoch: store.epoch, seq } }
}

function after(store: MemoryStore, path: string, seq: number) {
  return store.locate([path], cursorAt(store, seq))
}

await t.test('it answers at once, and by the clock of the machine unless it is given another', t => {
  const store = new MemoryStore()
  const before = Date.now()
  const message = put(store, 'a')
  t.ok(message !== undefined && message.time >= before && message.time <= Date.now())
  t.notOk(store.append([draftOf('a')]) instanceof Promise)
  t.equal(store.read({ paths: ['a'], afterSeq: 0, maxCount: 9 }).messages.length, 2)
  t.equal(store.locate(['a'], { kind: 'now' }).seq, 2)
  t.same([...store.supports], [])
  t.end()
})

await t.test('a body is not copied', t => {
  const store = new MemoryStore()
  const draft = draftOf('a', 'x')
  void store.append([draft])
  t.equal(store.read({ paths: ['a'], afterSeq: 0, maxCount: 1 }).messages[0]?.body, draft.body)
  t.end()
})

await t.test('by default 100 messages, 16 MiB and an hour are kept of a channel', t => {
  let nowMs = 0
  const store = new MemoryStore({ now: () => nowMs })
  for (let at = 0; at < 101; at++) put(store, 'a')
  t.equal(keptCount(store), 100)
  const body = Buffer.alloc(2 ** 20)
  for (let at = 0; at < 17; at++) void store.append([{ ...draftOf('b'), body }])
  t.equal(keptSeqs(store, ['b']).length, 15, 'each is counted with what it costs besides')
  nowMs = 3_600_000
  t.equal(keptSeqs(store, ['a']).length, 100)
  nowMs++
  t.equal(keptSeqs(store, ['a']).length, 0)
  t.end()
})

await t.test('a limit that is none is refused', t => {
  const limits = Object.keys(DEFAULT_RETENTION) as (keyof MemoryStoreOptions)[]
  for (const limit of limits) {
    for (const value of [-1, NaN]) t.throws(() => new MemoryStore({ [limit]: value }), RangeError, limit)
    t.doesNotThrow(() => new MemoryStore({ [limit]: 0 }))
    t.doesNotThrow(() => new MemoryStore({ [limit]: Infinity }))
  }
  t.end()
})

await t.test('a million messages over a thousand channels leave no more than the limits allow', t => {
  const store = new MemoryStore({ maxCount: 50, maxTotalCount: 20_000 })
  const drafts = Array.from({ length: 1000 }, (_, at) => draftOf(`c/${at}`, 'x'))
  let mostKept = 0
  let receivedCount = 0
  store.follow(() => receivedCount++)
  for (let round = 0; round < 1000; round++) {
    void store.append(drafts)
    if (round % 100 === 99) mostKept = Math.max(mostKept, keptCount(store))
  }
  t.equal(receivedCount, 1_000_000)
  t.equal(store.lastSeq, 1_000_000)
  t.equal(mostKept, 20_000)
  const seqs = keptSeqs(store, [''])
  t.equal(seqs.length, 20_000)
  t.same([seqs[0], seqs.at(-1)], [980_001, 1_000_000], 'the newest')
  t.end()
})

await t.test('one busy channel is held to its own limit, and the quiet ones keep theirs', t => {
  const store = new MemoryStore({ maxCount: 10 })
  put(store, 'quiet')
  const burst = Array.from({ length: 1000 }, () => draftOf('busy'))
  for (let round = 0; round < 100; round++) {
    void store.append(burst)
    put(store, 'busy/below')
  }
  t.equal(keptCount(store), 21)
  t.same(keptSeqs(store, ['quiet']), [1])
  t.same(keptSeqs(store, ['busy']).length, 10)
  t.same(keptSeqs(store, ['']).length, 21)
  t.end()
})

await t.test(
  'bodies that have to go are let go of, though an older message of another channel stays',
  async t => {
    const store = new MemoryStore({ maxCount: 2 })
    put(store, 'quiet')
    let isFreed = false
    let freedCount = 0
    const registry = new FinalizationRegistry(() => freedCount++)
    // Eight times what may wait to be swept out. The system collects what is outside of its heap when there is much of it.
    for (let at = 0; at < 500 && !isFreed; at++) {
      const body = Buffer.alloc(2 ** 20)
      registry.register(body, at)
      void store.append([{ ...draftOf('busy'), body }])
      if (at % 10 === 9) await new Promise(setImmediate)
      isFreed = freedCount > 32
    }
    t.ok(isFreed)
    t.same(keptSeqs(store, ['quiet']), [1])
  },
)

await t.test('what is gone is counted exactly for a while, and then said to be unknown', t => {
  const store = new MemoryStore({ maxCount: 1 })
  for (let at = 0; at < MAX_REMEMBERED + 1; at++) put(store, 'a')
  t.match(after(store, 'a', 0), { seq: 0, missedCount: MAX_REMEMBERED, isReset: false })
  const { mark } = store.locate(['a'], { kind: 'now' })
  put(store, 'a')
  t.match(after(store, 'a', 0), { seq: 0, missedCount: 0, isReset: true })
  t.match(after(store, 'a', 1), { seq: 1, missedCount: MAX_REMEMBERED, isReset: false })
  t.match(after(store, 'b', 0), { missedCount: 0, isReset: false }, 'nobody else is concerned')
  const page = (seq: number) => store.read({ paths: ['a'], afterSeq: seq, maxCount: 9, mark })
  t.equal(page(0).lostCount, 1, 'what is forgotten had gone before the mark')
  for (let at = 0; at < MAX_REMEMBERED; at++) put(store, 'a')
  t.equal(page(0).lostCount, null)
  t.equal(page(store.lastSeq - 10).lostCount, 9)
  t.end()
})

await t.test('what is remembered of all channels together is bounded', t => {
  const store = new MemoryStore({ maxCount: 0 })
  const drafts = Array.from({ length: 1000 }, (_, at) => draftOf(`c/${at}`))
  for (let round = 0; round < 200; round++) void store.append(drafts)
  t.match(after(store, 'c/0', 0), { missedCount: 200, isReset: false }, 'as many as fit')
  void store.append(drafts)
  t.match(after(store, 'c/0', 0), { isReset: true })
  t.match(after(store, 'c/0', 1), { missedCount: 200, isReset: false })
  t.end()
})

await t.test('what is remembered of a forgotten channel makes room for others', t => {
  const store = new MemoryStore({ maxCount: 0 })
  for (let at = 0; at < MAX_CHANNELS; at++) void store.append([draftOf(`c/${at}`), draftOf(`c/${at}`)])
  const { seq } = store.locate([''], { kind: 'now' })
  for (let at = 0; at < 2; at++) put(store, 'new')
  t.match(after(store, 'new', seq), { missedCount: 2, isReset: false })
  t.end()
})

await t.test('there are at most 100,000 channels, and who read a forgotten one is told', t => {
  const store = new MemoryStore({ maxCount: 1 })
  put(store, 'first')
  const second = put(store, 'second')
  put(store, 'first')
  const names = Array.from({ length: MAX_CHANNELS - 2 }, (_, at) => `c/${at}`)
  for (const name of names) put(store, name)
  t.equal([...store.channels()].length, MAX_CHANNELS)
  t.match(after(store, 'first', 1), { isReset: false })
  put(store, 'one more')
  t.equal([...store.channels()].length, MAX_CHANNELS)
  t.same(keptSeqs(store, ['second']), [], 'of the oldest the one that was silent for longest')
  t.same(keptSeqs(store, ['first']), [3])
  t.match(after(store, 'second', 1), { seq: 1, isReset: true })
  t.match(after(store, 'first', 1), { seq: 1, missedCount: 0, isReset: false }, 'nobody else is concerned')
  for (const path of ['nobody', '', 'c/', 'first,second']) {
    t.match(store.locate(path.split(','), cursorAt(store, 1)), { isReset: true }, `${path}: who knows`)
  }
  t.match(after(store, 'second', second?.seq ?? 0), { missedCount: 0, isReset: false }, 'had all of it')
  t.match(after(store, '', 2), { missedCount: 0, isReset: false })
  put(store, 'second')
  t.same(keptSeqs(store, ['second']), [store.lastSeq], 'it begins anew')
  t.match(after(store, 'second', 1), { seq: 1, isReset: true }, 'and does not forget that it had a past')
  t.end()
})

await t.test('a channel that was forgotten does not get a moment twice, and its readers are told', t => {
  let nowMs = 5_000
  const store = new MemoryStore({ maxCount: 1, now: () => nowMs })
  put(store, 'first')
  put(store, 'first')
  put(store, 'other')
  nowMs = 6_000
  for (let at = 0; at < MAX_CHANNELS - 1; at++) put(store, `c/${at}`)
  const from = (path: string, ordinal: number) =>
    store.locate([path], { kind: 'moment', moment: { second: 5, ordinal } })
  t.match(from('first', 0), { isReset: true })
  t.match(from('first', 1), { isReset: false })
  t.match(from('other', -1), { missedCount: 0, isReset: false }, 'nobody else is concerned')
  nowMs = 4_000
  t.match(put(store, 'first'), { time: 5_000, ordinal: 2 })
  t.match(from('first', 0), { isReset: true })
  t.match(from('first', 1), { missedCount: 0, isReset: false })
  t.end()
})

await t.test(
  'of a channel that is forgotten nothing is left, though its messages never get too old',
  async t => {
    const store = new MemoryStore({ maxAgeMs: Infinity })
    put(store, 'first')
    const first = new WeakRef([...store.channels()][0] ?? {})
    for (let at = 0; at < MAX_CHANNELS; at++) put(store, `c/${at}`)
    // What a WeakRef was asked for stays until the turn of the event loop is over.
    await new Promise(setImmediate)
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    collectGarbage()
    t.equal(first.deref(), undefined)
    t.equal([...store.channels()].length, MAX_CHANNELS)
  },
)

await t.test('a flood of names costs no more than so many channels', t => {
  const store = new MemoryStore()
  for (let at = 0; at < 2 * MAX_CHANNELS; at++) put(store, `c/${at}`)
  t.equal([...store.channels()].length, MAX_CHANNELS)
  t.equal(keptCount(store), MAX_CHANNELS)
  t.same(keptSeqs(store, ['c/0']), [])
  t.equal(keptSeqs(store, ['']).length, MAX_CHANNELS)
  t.end()
})
