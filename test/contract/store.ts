// What every store must do, whatever it keeps messages in: `test/store/*.test.ts` run this suite unchanged, and add what
// is special to theirs. Everything is awaited, so that a store may answer at once or later. The clock is the test's.

import type { Test } from 'tap'
import { isMessageAfter } from '../../src/cursor.ts'
import type { Draft, Message } from '../../src/message.ts'
import type { Retention } from '../../src/store/retention.ts'
import type { Awaitable, Place, Start, Store } from '../../src/store/store.ts'

export interface StoreOptions {
  /** What is not named is without bound. */
  readonly retention: Partial<Retention>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** One kind of store. */
export interface StoreKind {
  /** Opens a new, empty one. The suite closes it. */
  open(t: Test, options: StoreOptions): Awaitable<Store>
  /** For a store that is durable: opens what this one, closed by now, has kept. */
  readonly reopen?: (t: Test, closed: Store) => Awaitable<Store>
  /** For a store that is shared: opens once more what this one, still open, keeps, as another process would. */
  readonly share?: (t: Test, open: Store) => Awaitable<Store>
}

const START_MS = 1_700_000_000_000

const UNBOUNDED: Retention = {
  maxCount: Infinity,
  maxBytes: Infinity,
  maxAgeMs: Infinity,
  maxTotalCount: Infinity,
  maxTotalBytes: Infinity,
}

export function draftOf(channel: string, body: string | Uint8Array = ''): Draft {
  return { channel, type: 'text/plain', sender: null, body: Buffer.from(body) }
}

/** A store, what its follower was given, and a clock that the test moves. */
class Rig {
  readonly store: Store
  readonly followed: Message[] = []
  readonly #clock: { nowMs: number }

  constructor(store: Store, clock: { nowMs: number }) {
    this.store = store
    this.#clock = clock
    store.follow(message => this.followed.push(message))
  }

  static async open(t: Test, kind: StoreKind, retention: Partial<Retention> = {}): Promise<Rig> {
    const clock = { nowMs: START_MS }
    const options = { retention: { ...UNBOUNDED, ...retention }, now: () => clock.nowMs }
    const store = await kind.open(t, options)
    t.teardown(() => store.close())
    return new Rig(store, clock)
  }

  pass(ms: number): void {
    this.#clock.nowMs += ms
  }

  /** Appends one message per channel, with a number as its body, counted from 1 over the life of the store. */
  async put(...channels: readonly string[]): Promise<void> {
    for (const channel of channels) {
      await this.store.append([draftOf(channel, `${this.store.lastSeq + 1}`)])
    }
  }

  /** Reads everything behind a place, page by page; checks what every page promises. */
  async read(paths: readonly string[], afterSeq: number, maxCount = 1000): Promise<readonly Message[]> {
    const { store } = this
    const messages: Message[] = []
    for (let seq = afterSeq; seq < store.lastSeq;) {
      const page = await store.read({ paths, afterSeq: seq, maxCount })
      const seqs = page.messages.map(message => message.seq)
      if (seqs.length > maxCount) throw new Error(`${seqs.length} messages in a page of ${maxCount}`)
      if (page.seq <= seq) throw new Error(`a page behind ${seq} goes up to ${page.seq}: nobody gets on`)
      if (page.seq > store.lastSeq) throw new Error(`a page goes up to ${page.seq} of ${store.lastSeq}`)
      const inOrder = [seq, ...seqs, page.seq + 1]
      if (inOrder.some((number, at) => at > 0 && number <= (inOrder[at - 1] ?? 0))) {
        throw new Error(`a page behind ${seq} up to ${page.seq} holds ${seqs.join()}`)
      }
      messages.push(...page.messages)
      seq = page.seq
    }
    return messages
  }

  /** Numbers of what is kept behind a place. */
  async seqs(paths: readonly string[], afterSeq = 0, maxCount = 1000): Promise<readonly number[]> {
    return (await this.read(paths, afterSeq, maxCount)).map(({ seq }) => seq)
  }

  locate(paths: readonly string[], start: Start): Promise<Place> {
    return Promise.resolve(this.store.locate(paths, start))
  }

  after(paths: readonly string[], seq: number, epoch = this.store.epoch): Promise<Place> {
    return this.locate(paths, { kind: 'after', cursor: { epoch, seq } })
  }
}

/** Numbers from one to another, both included. */
function range(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at)
}

/** Fails unless the call is refused because the store is closed, at once or later. */
async function refused(t: Test, name: string, call: () => unknown): Promise<void> {
  await t.rejects(async () => await call(), { code: 'MSGBUS_CLOSED' }, name)
}

/** Runs the whole suite. */
export async function storeContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('life of a store', t => lifeContract(t, kind))
  await t.test('order and ids', t => orderContract(t, kind))
  await t.test('times and ordinals', t => ordinalContract(t, kind))
  await t.test('reading', t => readContract(t, kind))
  await t.test('places to begin from', t => placeContract(t, kind))
  await t.test('what is missed and lost', t => lossContract(t, kind))
  await t.test('retention', t => retentionContract(t, kind))
  await t.test('what it can do besides', t => capabilityContract(t, kind))
}

async function lifeContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('a new store is at the beginning of an epoch and has nothing', async t => {
    const rig = await Rig.open(t, kind)
    const { store } = rig
    t.match(store.epoch, /^[0-9a-f]{1,32}$/)
    t.equal(store.lastSeq, 0)
    t.same([...(await store.channels())], [])
    for (const paths of [['a'], ['a', 'b'], ['a/'], ['']]) {
      const { messages, seq, lostCount } = await store.read({ paths, afterSeq: 0, maxCount: 10 })
      t.same({ messages, seq, lostCount }, { messages: [], seq: 0, lostCount: 0 })
      for (const start of [
        { kind: 'now' },
        { kind: 'all' },
        { kind: 'after', cursor: { epoch: store.epoch, seq: 0 } },
        { kind: 'time', timeMs: START_MS },
        { kind: 'last', count: 10 },
      ] as const) {
        t.match(await rig.locate(paths, start), { seq: 0, missedCount: 0, isReset: false }, start.kind)
      }
    }
  })

  await t.test('two stores have two epochs', async t => {
    const one = await Rig.open(t, kind)
    const two = await Rig.open(t, kind)
    t.not(one.store.epoch, two.store.epoch)
  })

  await t.test('a closed store refuses everything, and may be closed again', async t => {
    const { store } = await Rig.open(t, kind)
    await store.append([draftOf('a')])
    const { epoch } = store
    await store.close()
    await store.close()
    await refused(t, 'append', () => store.append([draftOf('a')]))
    await refused(t, 'read', () => store.read({ paths: ['a'], afterSeq: 0, maxCount: 1 }))
    await refused(t, 'locate', () => store.locate(['a'], { kind: 'all' }))
    t.same([...(await store.channels())], [])
    t.equal(store.epoch, epoch)
    t.equal(store.lastSeq, 1, 'nothing was appended')
  })

  await t.test('what is under way when it closes is kept as a whole or refused', async t => {
    const { store, followed } = await Rig.open(t, kind)
    const attempts = range(1, 5).map(async () => (await store.append([draftOf('a'), draftOf('b')])).length)
    await Promise.all([store.close(), store.close()])
    const results = await Promise.allSettled(attempts)
    const keptCount = results.filter(({ status }) => status === 'fulfilled').length
    for (const result of results) {
      if (result.status === 'rejected') t.match(result.reason, { code: 'MSGBUS_CLOSED' })
    }
    t.equal(followed.length, 2 * keptCount)
  })
}

async function orderContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('ids count from 1, over all channels, and say the epoch', async t => {
    const { store, followed } = await Rig.open(t, kind)
    for (const channel of ['a', 'b/c', 'a']) {
      const seq = store.lastSeq + 1
      const [message, ...others] = await store.append([draftOf(channel)])
      t.equal(others.length, 0)
      t.match(message, { seq, id: `${store.epoch}-${seq}`, channel, time: START_MS })
      t.equal(store.lastSeq, seq)
      t.equal(followed.at(-1), message, 'the same object')
    }
  })

  await t.test('the follower has a message before its publisher has the id', async t => {
    const { store, followed } = await Rig.open(t, kind)
    await Promise.all(
      range(1, 20).map(async at => {
        const messages = await store.append([draftOf('a', `${at}`), draftOf('b', `${at}`)])
        for (const { id } of messages) t.ok(followed.some(message => message.id === id))
        t.ok(store.lastSeq >= (messages.at(-1)?.seq ?? Infinity))
      }),
    )
  })

  await t.test('drafts appended together stand together, whoever else appends', async t => {
    const { store, followed } = await Rig.open(t, kind)
    const appended = await Promise.all(
      range(1, 20).map(
        async at => await store.append(range(0, at % 4).map(number => draftOf('a', `${at}.${number}`))),
      ),
    )
    for (const messages of appended) {
      const [first] = messages
      if (first === undefined) continue
      t.same(
        messages.map(({ seq }) => seq),
        range(first.seq, first.seq + messages.length - 1),
      )
    }
    t.same(
      appended.map(messages => messages.map(({ body }) => Buffer.from(body).toString())),
      range(1, 20).map(at => range(0, at % 4).map(number => `${at}.${number}`)),
      'each publisher is told of its own',
    )
    t.same(
      followed.map(({ seq }) => seq),
      range(1, appended.flat().length),
      'in order, once each',
    )
  })

  await t.test('what one publisher appends one after the other stays in this order', async t => {
    const { store, followed } = await Rig.open(t, kind)
    // Not awaited in between: a connection may hand in the next one before it is told of the last.
    await Promise.all(range(1, 50).map(async at => await store.append([draftOf('a', `${at}`)])))
    t.same(
      followed.map(({ body }) => Number(Buffer.from(body).toString())),
      range(1, 50),
    )
  })

  await t.test('nothing is nothing', async t => {
    const { store, followed } = await Rig.open(t, kind)
    t.same(await store.append([]), [])
    t.equal(store.lastSeq, 0)
    t.same(followed, [])
  })

  await t.test('every byte, type, name and time comes out as it went in', async t => {
    const rig = await Rig.open(t, kind)
    const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const large = Uint8Array.from({ length: 1024 * 1024 }, (_, at) => (at * 31 + (at >> 8)) & 0xff)
    const drafts: readonly Draft[] = [
      { channel: 'a', type: 'Text/Plain ;  charset="x;y"\t', sender: null, body: new Uint8Array(0) },
      { channel: 'a', type: 'a/b', sender: '', body: everyByte },
      { channel: 'grüß, dich/日本', type: 'a/b', sender: 'dug "x" \\', body: Buffer.from('\r\n\0--') },
      { channel: '__proto__', type: 'a/b', sender: 'constructor', body: large },
      { channel: '0/-1/toString', type: `a/${'x'.repeat(120)}`, sender: 'y'.repeat(1024), body: everyByte },
      // Part of something larger, of which nothing else may come along.
      { channel: 'a', type: 'a/b', sender: null, body: everyByte.subarray(10, 20) },
    ]
    const times: number[] = []
    for (const draft of drafts) {
      rig.pass(1)
      times.push(START_MS + times.length + 1)
      await rig.store.append([draft])
    }
    for (const messages of [rig.followed, await rig.read([''], 0)]) {
      t.same(
        messages.map(({ time }) => time),
        times,
      )
      for (const [at, { channel, type, sender, body }] of drafts.entries()) {
        const found = messages[at]
        t.match(found, { channel, type, sender, seq: at + 1 })
        t.ok(found !== undefined && Buffer.compare(found.body, body) === 0, `body ${at}`)
      }
    }
    for (const { channel } of drafts) {
      const found = await rig.seqs([channel])
      t.same(
        found,
        drafts.flatMap((draft, at) => (draft.channel === channel ? [at + 1] : [])),
        channel,
      )
    }
  })

  await t.test('channels are counted', async t => {
    const { store } = await Rig.open(t, kind, { maxCount: 2 })
    for (const body of ['1', '22', '333']) await store.append([draftOf('a', body), draftOf('b/c', '')])
    const records = [...(await store.channels())]
    t.same(
      records.map(({ name, messageCount, byteCount, keptCount, newest }) => ({
        ...{ name, messageCount, byteCount, keptCount, newest: newest?.seq },
      })),
      [
        { name: 'a', messageCount: 3, byteCount: 6, keptCount: 2, newest: 5 },
        { name: 'b/c', messageCount: 3, byteCount: 0, keptCount: 2, newest: 6 },
      ],
    )
  })
}

// In this order: 1 a, 2 a/b, 3 a/b/c, 4 ab, 5 b/a, 6 a, 7 a/b, 8 x
const SOME = ['a', 'a/b', 'a/b/c', 'ab', 'b/a', 'a', 'a/b', 'x']

const REACH: readonly (readonly [paths: readonly string[], seqs: readonly number[]])[] = [
  [['a'], [1, 6]],
  [['a/b'], [2, 7]],
  [['a/'], [2, 3, 7]],
  [['a/b/'], [3]],
  [['a/b/c/'], []],
  [['b/'], [5]],
  [[''], range(1, 8)],
  [
    ['a', 'a/'],
    [1, 2, 3, 6, 7],
  ],
  [
    ['x', 'a', 'b/a'],
    [1, 5, 6, 8],
  ],
  [
    ['a/', 'a/b', 'a/b/c', 'a/b/'],
    [2, 3, 7],
  ],
  [['', 'a', 'a/'], range(1, 8)],
  [['nobody'], []],
  [['nobody', 'x'], [8]],
  [['A'], []],
]

/** Second and ordinal of each message, seconds counted from the start. */
function momentsOf(messages: readonly Message[]): readonly (readonly [second: number, ordinal: number])[] {
  return messages.map(({ time, ordinal }) => [Math.floor((time - START_MS) / 1000), ordinal])
}

async function ordinalContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('messages of one second are numbered per channel, and each second begins anew', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put('a', 'a', 'b', 'a')
    rig.pass(999)
    await rig.put('a', 'b')
    rig.pass(1)
    await rig.put('a')
    await rig.store.append([draftOf('a'), draftOf('b'), draftOf('a')])
    const moments = { a: [0, 1, 2, 3, 1000, 1001, 1002], b: [0, 1, 1000] }
    for (const [channel, wanted] of Object.entries(moments)) {
      const pairs = wanted.map(number => [Math.floor(number / 1000), number % 1000])
      t.same(momentsOf(rig.followed.filter(message => message.channel === channel)), pairs, channel)
      t.same(momentsOf(await rig.read([channel], 0)), pairs, `${channel}, as it is read`)
    }
  })

  await t.test('of many that are appended at once none has the ordinal of another', async t => {
    const { store, followed } = await Rig.open(t, kind)
    await Promise.all(range(1, 50).map(async () => await store.append([draftOf('a'), draftOf('a')])))
    t.same(
      followed.map(({ ordinal }) => ordinal),
      range(0, 99),
    )
  })

  await t.test('what is gone is counted all the same', async t => {
    const rig = await Rig.open(t, kind, { maxCount: 1, maxAgeMs: 5000 })
    await rig.put('a', 'a', 'a')
    t.same(momentsOf(await rig.read(['a'], 0)), [[0, 2]])
    const none = await Rig.open(t, kind, { maxCount: 0 })
    await none.put('a', 'a')
    t.same(momentsOf(none.followed), [
      [0, 0],
      [0, 1],
    ])
  })

  await t.test('a clock that is set back counts on in the second that was', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put('a', 'a')
    rig.pass(-10_000)
    await rig.put('a', 'b')
    rig.pass(10_500)
    await rig.put('a', 'b')
    rig.pass(500)
    await rig.put('a')
    t.same(momentsOf(await rig.read(['a'], 0)), [
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 0],
    ])
    t.same(
      momentsOf(await rig.read(['b'], 0)),
      [
        [-10, 0],
        [0, 0],
      ],
      'another channel goes by the clock',
    )
  })

  await t.test('a moment is before the first message that comes after it', async t => {
    const rig = await Rig.open(t, kind)
    // 1 a 0.0, 2 b 0.0, 3 a 0.1, 4 a 2.0, 5 b 2.0, 6 a 2.1
    await rig.put('a', 'b', 'a')
    rig.pass(2000)
    await rig.put('a', 'b', 'a')
    const start = START_MS / 1000
    for (const [second, ordinal, seqs] of [
      [-start, -1, [1, 3, 4, 6]],
      [-1, 99, [1, 3, 4, 6]],
      [0, -1, [1, 3, 4, 6]],
      [0, 0, [3, 4, 6]],
      [0, 1, [4, 6]],
      [0, 99, [4, 6]],
      [1, 0, [4, 6]],
      [2, -1, [4, 6]],
      [2, 0, [6]],
      [2, 1, []],
      [9, 9, []],
    ] as const) {
      const moment = { second: start + second, ordinal }
      const place = await rig.locate(['a'], { kind: 'moment', moment })
      t.match(place, { missedCount: 0, isReset: false })
      t.same(await rig.seqs(['a'], place.seq), seqs, `${second}, ${ordinal}`)
    }
    const moment = { second: start, ordinal: 0 }
    const place = await rig.locate(['a', 'b'], { kind: 'moment', moment })
    t.same(await rig.seqs(['a', 'b'], place.seq), [3, 4, 5, 6], 'of several channels')
    t.match(await rig.locate(['nobody'], { kind: 'moment', moment }), { seq: 6, missedCount: 0 })
  })

  await t.test('who comes back by a moment is told how many messages after it are gone', async t => {
    const rig = await Rig.open(t, kind, { maxCount: 2 })
    // Of a, 0.0, 0.1, 1.0 and 1.1 are gone.
    await rig.put('a', 'a', 'b')
    rig.pass(1000)
    await rig.put('a', 'a', 'a')
    rig.pass(1000)
    await rig.put('a')
    const start = START_MS / 1000
    for (const [second, ordinal, missedCount] of [
      [-1, 0, 4],
      [0, -1, 4],
      [0, 0, 3],
      [0, 1, 2],
      [1, 0, 1],
      [1, 1, 0],
      [1, 2, 0],
      [2, 0, 0],
    ] as const) {
      const moment = { second: start + second, ordinal }
      const place = await rig.locate(['a'], { kind: 'moment', moment })
      t.match(place, { missedCount, isReset: false }, `${second}, ${ordinal}`)
    }
  })

  await t.test('a time finds its message though the clock was set back for other channels', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put('a')
    rig.pass(-5000)
    await rig.put('b', 'b', 'b', 'b')
    const place = await rig.locate(['a'], { kind: 'time', timeMs: START_MS })
    t.same(await rig.seqs(['a'], place.seq), [1])
  })
}

async function readContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('each kind of path reaches its channels, each message once, from every place', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put(...SOME)
    for (const [paths, seqs] of REACH) {
      for (const afterSeq of range(0, 8)) {
        const wanted = seqs.filter(seq => seq > afterSeq)
        t.same(await rig.seqs(paths, afterSeq), wanted, `${JSON.stringify(paths)} behind ${afterSeq}`)
      }
    }
  })

  await t.test('pages of any size put together are the whole', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put(...SOME, ...SOME, ...SOME)
    for (const [paths, seqs] of REACH) {
      const wanted = [0, 8, 16].flatMap(offset => seqs.map(seq => seq + offset))
      for (const maxCount of [1, 2, 3, wanted.length || 1, wanted.length + 1]) {
        t.same(await rig.seqs(paths, 0, maxCount), wanted, `${JSON.stringify(paths)} by ${maxCount}`)
      }
    }
  })

  await t.test('a reader that has caught up is answered at once, with its own place', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put('a', 'b')
    for (const paths of [['a'], ['a', 'b'], ['']]) {
      const page = rig.store.read({ paths, afterSeq: 2, maxCount: 10 })
      t.notOk(page instanceof Promise, 'at once')
      t.match(await page, { messages: [], seq: 2, lostCount: 0 })
    }
  })

  await t.test(
    'a reader goes from the past to now while others append, without a hole or a repeat',
    async t => {
      const { store, followed } = await Rig.open(t, kind)
      await store.append(range(1, 100).map(at => draftOf('a', `${at}`)))
      const appending = (async () => {
        for (const at of range(101, 200)) {
          await store.append([draftOf('a', `${at}`)])
          if (at % 7 === 0) await new Promise(setImmediate)
        }
      })()
      const got: number[] = []
      let seq = 0
      while (seq < 200) {
        const page = await store.read({ paths: ['a'], afterSeq: seq, maxCount: 16 })
        t.ok(page.seq <= store.lastSeq, 'no further than the follower')
        got.push(...page.messages.map(message => message.seq))
        seq = page.seq
        if (seq >= store.lastSeq) await new Promise(setImmediate)
      }
      await appending
      t.same(got, range(1, 200))
      t.equal(followed.length, 200)
    },
  )
}

async function placeContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('now is behind the newest message of the store, all before the oldest', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put(...SOME)
    for (const [paths, seqs] of REACH) {
      t.match(await rig.locate(paths, { kind: 'now' }), { seq: 8, missedCount: 0, isReset: false })
      const all = await rig.locate(paths, { kind: 'all' })
      t.match(all, { missedCount: 0, isReset: false })
      t.same(await rig.seqs(paths, all.seq), seqs)
    }
  })

  await t.test('after an id is right behind it, whether or not it is of these channels', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put(...SOME)
    for (const [paths] of REACH) {
      for (const seq of range(0, 8)) {
        t.match(await rig.after(paths, seq), { seq, missedCount: 0, isReset: false })
      }
    }
  })

  await t.test('an id of another epoch, or one that is yet to come, is a reset to what is kept', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put('a', 'b', 'a')
    const { epoch } = rig.store
    for (const [of, seq] of [
      ['0', 1],
      ['ffffffffffff', 0],
      [epoch.slice(0, -1), 1],
      [`${epoch}0`.slice(-32), 1],
      [epoch, 4],
      [epoch, Number.MAX_SAFE_INTEGER],
    ] as const) {
      const place = await rig.after(['a'], seq, of)
      t.match(place, { missedCount: 0, isReset: true }, `${of}-${seq}`)
      t.same(await rig.seqs(['a'], place.seq), [1, 3])
    }
  })

  await t.test('a time is before the first message of then or later', async t => {
    const rig = await Rig.open(t, kind)
    for (const channel of ['a', 'b', 'a', 'a']) {
      await rig.put(channel)
      rig.pass(1000)
    }
    for (const [offsetMs, seqs] of [
      [-1e12, [1, 3, 4]],
      [0, [1, 3, 4]],
      [1, [3, 4]],
      [1000, [3, 4]],
      [2000, [3, 4]],
      [2001, [4]],
      [3000, [4]],
      [3001, []],
      [1e12, []],
    ] as const) {
      const place = await rig.locate(['a'], { kind: 'time', timeMs: START_MS + offsetMs })
      t.match(place, { missedCount: 0, isReset: false })
      t.same(await rig.seqs(['a'], place.seq), seqs, `${offsetMs} ms`)
    }
  })

  await t.test('the last so many are counted over all channels that are read', async t => {
    const rig = await Rig.open(t, kind)
    await rig.put(...SOME)
    for (const [paths, seqs] of REACH) {
      for (const count of [0, 1, 2, 3, 8, 9, 999_999_999]) {
        const place = await rig.locate(paths, { kind: 'last', count })
        t.match(place, { missedCount: 0, isReset: false })
        const wanted = count === 0 ? [] : seqs.slice(-count)
        t.same(await rig.seqs(paths, place.seq), wanted, `${count} of ${JSON.stringify(paths)}`)
      }
    }
  })
}

async function lossContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('who comes back is told exactly how many messages of its channels are gone', async t => {
    const rig = await Rig.open(t, kind, { maxCount: 2 })
    // Of each channel the last two are kept: 1 to 4 and 6 are gone, 5 is the only one of x.
    await rig.put('a', 'b/c', 'a', 'b/c', 'x', 'a', 'b/c', 'a', 'b/c', 'a')
    const gone: ReadonlyMap<string, readonly number[]> = new Map([
      ['a', [1, 3, 6]],
      ['b/c', [2, 4]],
      ['x', []],
      ['nobody', []],
    ])
    for (const [paths, names] of [
      [['a'], ['a']],
      [['x'], ['x']],
      [['nobody'], ['nobody']],
      [
        ['a', 'x'],
        ['a', 'x'],
      ],
      [['b/'], ['b/c']],
      [
        ['b/', 'a'],
        ['b/c', 'a'],
      ],
      [[''], ['a', 'b/c']],
    ] as const) {
      for (const seq of range(0, 10)) {
        const missedCount = names.flatMap(name => gone.get(name) ?? []).filter(number => number > seq).length
        const text = `${JSON.stringify(paths)} behind ${seq}`
        t.match(await rig.after(paths, seq), { seq, missedCount, isReset: false }, text)
      }
    }
    t.match(await rig.locate(['a'], { kind: 'all' }), { missedCount: 0, isReset: false }, 'what is kept')
    t.match(await rig.locate(['a'], { kind: 'last', count: 9 }), { missedCount: 0, isReset: false })
  })

  await t.test('what goes while somebody reads is told with the next page', async t => {
    const rig = await Rig.open(t, kind, { maxCount: 3 })
    await rig.put('a', 'a', 'a', 'b', 'b', 'b')
    const { store } = rig
    const paths = ['a', 'b']
    const { seq: startSeq, mark: startMark } = await rig.after(paths, 0)
    const first = await store.read({ paths, afterSeq: startSeq, maxCount: 2, mark: startMark })
    t.same([first.seq, first.lostCount], [2, 0])
    // Of what it has not got, 3 goes, and 7 with it; of what it has, 1 and 2.
    await rig.put('a', 'a', 'a', 'a', 'c')
    const second = await store.read({ paths, afterSeq: first.seq, maxCount: 2, mark: first.mark })
    t.equal(second.lostCount, 2)
    t.same(
      second.messages.map(({ seq }) => seq),
      [4, 5],
    )
    const third = await store.read({ paths, afterSeq: second.seq, maxCount: 2, mark: second.mark })
    t.equal(third.lostCount, 0, 'told once')
    t.same(
      third.messages.map(({ seq }) => seq),
      [6, 8],
    )
    // And once more, of what was not there yet when it began: 9 goes, 8 it has.
    await rig.put('a', 'a')
    const fourth = await store.read({ paths, afterSeq: third.seq, maxCount: 10, mark: third.mark })
    t.equal(fourth.lostCount, 1)
    t.same(
      fourth.messages.map(({ seq }) => seq),
      [10, 12, 13],
    )
  })

  await t.test('what goes between the place and the first page is told, too', async t => {
    const rig = await Rig.open(t, kind, { maxCount: 2 })
    await rig.put('a', 'a', 'a')
    for (const path of ['a', '']) {
      const start = rig.store.lastSeq - 2
      const { seq, missedCount, mark } = await rig.after([path], start - 1)
      t.equal(missedCount, 1)
      await rig.put('a')
      const { messages, lostCount } = await rig.store.read({
        ...{ paths: [path], afterSeq: seq, maxCount: 9, mark },
      })
      t.equal(lostCount, 1, 'and what was missed before is not told again')
      t.same(
        messages.map(message => message.seq),
        [start + 2, start + 3],
      )
    }
  })
}

async function retentionContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('by count: the newest of each channel are kept', async t => {
    const rig = await Rig.open(t, kind, { maxCount: 3 })
    await rig.put('a', 'a', 'b', 'a', 'a', 'a', 'b')
    t.same(await rig.seqs(['a']), [4, 5, 6])
    t.same(await rig.seqs(['b']), [3, 7], 'a busy channel pushes nothing out of a quiet one')
    t.same(await rig.seqs(['']), [3, 4, 5, 6, 7])
  })

  await t.test('a count of 0 keeps none, and they pass all the same', async t => {
    const rig = await Rig.open(t, kind, { maxCount: 0 })
    await rig.put('a', 'a', 'b')
    t.same(await rig.seqs(['']), [])
    t.equal(rig.followed.length, 3)
    t.equal(rig.store.lastSeq, 3)
    t.match(await rig.after(['a'], 1), { missedCount: 1, isReset: false })
    t.match(await rig.locate(['a'], { kind: 'last', count: 5 }), { seq: 3, missedCount: 0, isReset: false })
    const [record] = [...(await rig.store.channels())].filter(({ name }) => name === 'a')
    t.match(record, { messageCount: 2, keptCount: 0 })
    t.equal(record?.newest, undefined)
  })

  await t.test('by bytes: what is kept of a channel never exceeds them, and is the newest', async t => {
    const rig = await Rig.open(t, kind, { maxBytes: 10_000 })
    for (const body of ['x'.repeat(4000), 'x'.repeat(3000), 'x'.repeat(2000), 'x'.repeat(4000)]) {
      await rig.store.append([draftOf('a', body)])
      await rig.store.append([draftOf('b', '')])
    }
    t.same(await rig.seqs(['a']), [3, 5, 7])
    t.same(await rig.seqs(['b']), [2, 4, 6, 8])
    await rig.store.append([draftOf('a', 'x'.repeat(10_001))])
    t.same(await rig.seqs(['a']), [], 'one that is too large for the bound is not kept, like what is older')
    t.match(await rig.after(['a'], 7), { missedCount: 1, isReset: false })
  })

  await t.test('by age: nothing older is read, located or counted as kept', async t => {
    const rig = await Rig.open(t, kind, { maxAgeMs: 1000 })
    await rig.put('a')
    rig.pass(600)
    await rig.put('b')
    rig.pass(400)
    await rig.put('a')
    t.same(await rig.seqs(['']), [1, 2, 3], 'as old as is allowed')
    rig.pass(1)
    t.same(await rig.seqs(['']), [2, 3])
    t.match(await rig.after(['a'], 0), { missedCount: 1, isReset: false })
    rig.pass(600)
    t.match(await rig.after([''], 0), { missedCount: 2, isReset: false })
    t.match(await rig.locate(['b'], { kind: 'last', count: 1 }), { seq: 3 })
    rig.pass(1e9)
    t.same(await rig.seqs(['']), [])
    t.match(await rig.after([''], 1), { missedCount: 2, isReset: false })
    await rig.put('b')
    t.same(await rig.seqs(['']), [4])
  })

  await t.test('by count in total: the oldest of all channels go first', async t => {
    const rig = await Rig.open(t, kind, { maxTotalCount: 4 })
    await rig.put('a', 'b', 'a', 'c', 'a', 'a')
    t.same(await rig.seqs(['']), [3, 4, 5, 6])
    t.match(await rig.after(['b'], 0), { missedCount: 1, isReset: false })
    t.match(await rig.after(['c'], 0), { missedCount: 0, isReset: false })
  })

  await t.test('by bytes in total: the oldest of all channels go first', async t => {
    const rig = await Rig.open(t, kind, { maxTotalBytes: 10_000 })
    for (const channel of ['a', 'b', 'a', 'c']) await rig.store.append([draftOf(channel, 'x'.repeat(3000))])
    t.same(await rig.seqs(['']), [2, 3, 4])
    await rig.store.append([draftOf('d', 'x'.repeat(9000))])
    t.same(await rig.seqs(['']), [5])
  })

  await t.test('by rule: a channel, or all below a name, has limits of its own', async t => {
    const rules = [
      { paths: ['cam/'], maxCount: 1 },
      { paths: ['cam/door', 'log'], maxCount: 3 },
      { paths: ['cam/yard/'], maxBytes: 1000 },
      { paths: ['none'], maxCount: 0 },
    ]
    const rig = await Rig.open(t, kind, { maxCount: 2, rules })
    const names = ['cam', 'cam/a', 'cam/door', 'cam/door/x', 'cam/yard/a', 'log', 'log/x', 'none', 'camera']
    for (let round = 0; round < 4; round++) {
      for (const name of names) await rig.store.append([draftOf(name, 'x'.repeat(400))])
    }
    const counts = new Map([...(await rig.store.channels())].map(({ name, keptCount }) => [name, keptCount]))
    t.same(
      names.map(name => counts.get(name)),
      [2, 1, 3, 1, 1, 3, 2, 0, 2],
    )
    t.same(await rig.seqs(['cam/']), [12, 21, 29, 30, 31, 32])
    t.same(await rig.seqs(['cam/door', 'none']), [12, 21, 30])
    t.match(await rig.after(['none'], 0), { missedCount: 4, isReset: false })
    t.match(await rig.after(['cam/door'], 0), { missedCount: 1, isReset: false })
  })

  await t.test(
    'by rule: what is too old of one channel goes, though older messages of others stay',
    async t => {
      const rules = [
        { paths: ['short/'], maxAgeMs: 100 },
        { paths: ['long'], maxAgeMs: 10_000 },
        { paths: ['ever'], maxAgeMs: Infinity },
      ]
      const rig = await Rig.open(t, kind, { maxAgeMs: 1000, rules })
      await rig.put('ever', 'long', 'usual', 'short/a', 'short/b')
      rig.pass(60)
      await rig.put('short/a', 'usual')
      rig.pass(41)
      t.same(await rig.seqs(['']), [1, 2, 3, 6, 7])
      t.same(await rig.seqs(['short/a']), [6])
      t.match(await rig.after(['short/'], 0), { missedCount: 2, isReset: false })
      const { mark } = await rig.locate([''], { kind: 'now' })
      rig.pass(60)
      const page = await rig.store.read({ paths: [''], afterSeq: 3, maxCount: 9, mark })
      t.equal(page.lostCount, 1)
      t.same(
        page.messages.map(({ seq }) => seq),
        [7],
      )
      rig.pass(900)
      t.same(await rig.seqs(['']), [1, 2])
      await rig.put('short/a')
      rig.pass(101)
      t.same(await rig.seqs(['']), [1, 2])
      rig.pass(1e9)
      t.same(await rig.seqs(['']), [1])
      t.match(await rig.after([''], 0), { missedCount: 7, isReset: false })
    },
  )

  await t.test('by rule: the limits in total count all the same', async t => {
    const rig = await Rig.open(t, kind, {
      maxCount: 1,
      maxTotalCount: 4,
      rules: [{ paths: ['a'], maxCount: 9 }],
    })
    await rig.put('a', 'a', 'b', 'a', 'a', 'b', 'a')
    t.same(await rig.seqs(['']), [4, 5, 6, 7])
  })

  await t.test('whatever limit is met first counts', async t => {
    const rig = await Rig.open(t, kind, { maxCount: 3, maxAgeMs: 1000, maxTotalCount: 4 })
    await rig.put('a', 'a', 'a', 'a', 'b', 'b')
    t.same(await rig.seqs(['']), [3, 4, 5, 6])
    rig.pass(500)
    await rig.put('a')
    t.same(await rig.seqs(['']), [4, 5, 6, 7])
    rig.pass(501)
    t.same(await rig.seqs(['']), [7])
  })

  await t.test('a clock that is set back loses nothing and breaks nothing', async t => {
    const rig = await Rig.open(t, kind, { maxAgeMs: 10_000 })
    await rig.put('a')
    rig.pass(-5000)
    await rig.put('a')
    rig.pass(-5000)
    await rig.put('a')
    t.same(await rig.seqs(['a']), [1, 2, 3])
    t.same(
      rig.followed.map(({ time }) => time - START_MS),
      [0, 0, 0],
      'times of a channel never fall',
    )
  })
}

async function capabilityContract(t: Test, kind: StoreKind): Promise<void> {
  await t.test('a durable store that is opened again counts on, whatever is left of a channel', async t => {
    const { reopen } = kind
    if (reopen === undefined) {
      t.pass('it is not durable')
      return
    }
    for (const [maxCount, channel] of [
      [Infinity, 'a'],
      [1, 'a'],
      [0, 'a'],
    ] as const) {
      const rig = await Rig.open(t, kind, { maxCount })
      rig.pass(2000)
      await rig.put(channel, channel)
      rig.pass(-5000)
      await rig.store.close()
      const again = new Rig(await reopen(t, rig.store), { nowMs: START_MS })
      t.teardown(() => again.store.close())
      await again.put(channel, channel)
      const wanted = [
        [2, 2],
        [2, 3],
      ] as const
      t.same(momentsOf(again.followed), wanted, `of ${maxCount}`)
    }
  })

  await t.test(
    'over restarts a reader is told of what its own channels have lost, and of nothing else',
    async t => {
      const { reopen } = kind
      if (reopen === undefined) {
        t.pass('it is not durable')
        return
      }
      const rules = [
        { paths: ['none'], maxCount: 0 },
        { paths: ['small'], maxBytes: 1000 },
        { paths: ['short'], maxAgeMs: 500 },
      ]
      const rig = await Rig.open(t, kind, { maxCount: 2, rules })
      await rig.put('quiet', 'busy', 'short')
      // Numbers 4 to 6: what is appended together is perhaps written and deleted together.
      await rig.store.append([draftOf('quiet'), draftOf('small'), draftOf('none')])
      rig.pass(1000)
      // Too large for its channel, like all before it then.
      await rig.store.append([draftOf('small', 'x'.repeat(2000))])
      await rig.put('short', 'busy', 'none', 'busy')
      rig.pass(1000)
      t.same(await rig.seqs(['']), [1, 4, 9, 11])
      const { epoch } = rig.store
      const followed = [...rig.followed]
      let open = rig
      for (let life = 1; life <= 3; life++) {
        await open.store.close()
        open = new Rig(await reopen(t, open.store), { nowMs: START_MS })
        const { store } = open
        t.teardown(() => store.close())
        t.equal(store.epoch, epoch)
        // What has gone may be there again, if it was not deleted.
        const seqs = new Set(await open.seqs(['']))
        t.ok(
          [1, 4, 9, 11].every(seq => seqs.has(seq)),
          `life ${life}`,
        )
        await checkTold(t, open, followed)
        if (life !== 2) continue
        await open.put('none', 'small', 'short')
        followed.push(...open.followed)
        await checkTold(t, open, followed)
      }
    },
  )

  await t.test('a durable store goes on where it was closed', async t => {
    const { store, put } = await openFor(t, kind)
    if (!store.supports.has('durable')) {
      t.equal(kind.reopen, undefined, 'it is not durable')
      return
    }
    if (kind.reopen === undefined) throw new TypeError('Cannot test a durable store: "reopen" is missing')
    await put('a', 'b')
    await store.close()
    const again = new Rig(await kind.reopen(t, store), { nowMs: START_MS })
    t.teardown(() => again.store.close())
    t.equal(again.store.epoch, store.epoch)
    t.equal(again.store.lastSeq, 2)
    t.same(await again.seqs(['']), [1, 2])
    await again.put('a')
    t.same(await again.seqs(['a']), [1, 3])
    t.match(await again.after(['a'], 1), { seq: 1, missedCount: 0, isReset: false })
    t.same(
      again.followed.map(({ seq }) => seq),
      [3],
      'the follower gets what is new',
    )
  })

  await t.test('a shared store has one order for all who append', async t => {
    const { store, followed, put } = await openFor(t, kind)
    if (!store.supports.has('shared')) {
      t.equal(kind.share, undefined, 'it is not shared')
      return
    }
    if (kind.share === undefined) throw new TypeError('Cannot test a shared store: "share" is missing')
    const other = new Rig(await kind.share(t, store), { nowMs: START_MS })
    t.teardown(() => other.store.close())
    t.equal(other.store.epoch, store.epoch)
    await Promise.all(range(1, 20).map(at => (at % 2 === 0 ? put('a') : other.put('a'))))
    while (followed.length < 20 || other.followed.length < 20) await new Promise(setImmediate)
    t.same(
      followed.map(({ seq }) => seq),
      range(1, 20),
    )
    t.same(other.followed, followed)
    t.same(await other.seqs(['a']), range(1, 20))
  })
}

/** Asks for every channel, from everywhere: who misses something is told, and who misses nothing is not. */
async function checkTold(t: Test, rig: Rig, followed: readonly Message[]): Promise<void> {
  const kept = new Set(await rig.seqs(['']))
  const names = ['quiet', 'busy', 'none', 'small', 'short', 'nobody']
  for (const paths of [...names.map(name => [name]), ['busy', 'quiet'], ['nobody', 'quiet'], ['']]) {
    const own = followed.filter(({ channel }) => paths.includes(channel) || paths.includes(''))
    const lost = own.filter(({ seq }) => !kept.has(seq))
    for (const { seq, time, ordinal } of [{ seq: 0, time: 0, ordinal: -1 }, ...followed]) {
      const { isReset, missedCount } = await rig.after(paths, seq)
      const isTold = isReset || missedCount > 0
      t.equal(
        isTold,
        lost.some(message => message.seq > seq),
        `${paths.join()} behind ${seq}`,
      )
      const moment = { second: Math.floor(time / 1000), ordinal }
      const place = await rig.locate(paths, { kind: 'moment', moment })
      const isLost = lost.some(message => isMessageAfter(message, moment))
      if (isLost || lost.length === 0) {
        t.equal(
          place.isReset || place.missedCount > 0,
          isLost,
          `${paths.join()} after ${JSON.stringify(moment)}`,
        )
      }
    }
  }
}

async function openFor(t: Test, kind: StoreKind) {
  const rig = await Rig.open(t, kind)
  return { store: rig.store, followed: rig.followed, put: rig.put.bind(rig) }
}
