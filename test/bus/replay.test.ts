// From the past to now: what is kept first, at the reader's pace, then what is published, without a hole or a repeat
// between the two, whoever publishes in the meantime and however late the store answers.

import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { Bus, type Subscription, type SubscriptionRequest } from '../../src/bus/bus.ts'
import type { Batch, Encoder, Pace, Sink } from '../../src/bus/sink.ts'
import { standardFormat } from '../../src/codec/multipart.ts'
import type { StreamFormat } from '../../src/codec/stream-format.ts'
import { Filter } from '../../src/filter.ts'
import { matchesChannel, parseMatcher } from '../../src/matcher.ts'
import type { Message } from '../../src/message.ts'
import { PartEncoder } from '../../src/protocols/native/part-encoder.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { LaterStore } from '../store/later-store.ts'

const PAGE_COUNT = 256

const DRAFT = { channel: 'a', type: 'text/plain', sender: null, body: Buffer.alloc(0) } as const

/** The number of a message and a semicolon; null for a message of the type `x/left-out`. */
const encoder: Encoder = {
  encode: ({ seq, type }) => (type === 'x/left-out' ? null : Buffer.from(`${seq};`)),
}

/** Takes everything, and is busy whenever it is told to be. */
class Reader implements Sink, Pace {
  readonly batches: Batch[] = []
  readonly skipped: { readonly count: number; readonly beforeSeq: number | undefined }[] = []
  readonly #news = new EventEmitter()
  #onReady: (() => void) | null = null
  /** Becomes busy when it has so many messages; then it has to be told to go on. */
  busyAt: number

  constructor(busyAt = Infinity) {
    this.busyAt = busyAt
  }

  get pace(): Pace {
    return this
  }

  get isBusy(): boolean {
    return this.seqs.length >= this.busyAt
  }

  onceReady(callback: () => void): void {
    if (this.#onReady !== null) throw new Error('asked twice')
    this.#onReady = callback
    this.#news.emit('news')
  }

  /** True when history waits for it. */
  get isAwaited(): boolean {
    return this.#onReady !== null
  }

  /** Takes so many more. */
  goOn(count = Infinity): void {
    this.busyAt = this.seqs.length + count
    const callback = this.#onReady
    this.#onReady = null
    callback?.()
  }

  skip(count: number): void {
    this.skipped.push({ count, beforeSeq: this.seqs.at(-1) })
  }

  write(batch: Batch): void {
    this.batches.push(batch)
    this.#news.emit('news')
  }

  get messages(): readonly Message[] {
    return this.batches.flatMap(({ messages }) => messages)
  }

  get seqs(): readonly number[] {
    return this.messages.map(({ seq }) => seq)
  }

  get text(): string {
    return this.batches.map(({ bytes }) => Buffer.from(bytes).toString()).join('')
  }

  async until(isSo: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(20_000)
    while (!isSo()) await once(this.#news, 'news', { signal })
  }
}

/** A bus over a store of its own, filled with numbered messages. */
function fill(options: MemoryStoreOptions, ...channels: readonly string[]): Bus {
  const bus = new Bus({ store: new MemoryStore(options) })
  publish(bus, ...channels)
  return bus
}

function publish(bus: Bus, ...channels: readonly string[]): void {
  for (const channel of channels) {
    void bus.publish({ channel, type: 'text/plain', sender: null, body: Buffer.alloc(0) })
  }
}

function times(count: number, channel = 'a'): readonly string[] {
  return Array.from({ length: count }, () => channel)
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at)
}

function read(
  bus: Bus,
  sink: Sink,
  spelling: string,
  options: Partial<SubscriptionRequest> = {},
): Subscription {
  return bus.subscribe({ matcher: parseMatcher(spelling), filter: new Filter(), encoder, sink, ...options })
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

const LOTS: MemoryStoreOptions = { maxCount: 100_000 }

await t.test('a reader gets what is kept behind its place, and then what comes', async t => {
  const bus = fill(LOTS, ...times(5))
  const reader = new Reader()
  read(bus, reader, 'a', { afterSeq: 2 })
  t.equal(reader.text, '3;4;5;', 'at once, since the store answers at once')
  publish(bus, 'a', 'b', 'a')
  await turn()
  t.equal(reader.text, '3;4;5;6;8;')
})

await t.test(
  'onCaughtUp is called once, when all of the past is written and nothing of the future',
  async t => {
    const bus = fill(LOTS, ...times(PAGE_COUNT + 1))
    for (const afterSeq of [0, 1, PAGE_COUNT, PAGE_COUNT + 1, PAGE_COUNT + 9]) {
      const reader = new Reader()
      const counts: number[] = []
      read(bus, reader, 'a', { afterSeq, onCaughtUp: () => counts.push(reader.seqs.length) })
      await turn()
      await turn()
      t.same(counts, [Math.max(0, PAGE_COUNT + 1 - afterSeq)], `behind ${afterSeq}`)
    }
    const reader = new Reader()
    let count = 0
    read(bus, reader, 'a', { onCaughtUp: () => count++ })
    t.equal(count, 1, 'at once for who wants only what comes')
  },
)

await t.test('between two pages everybody else has a turn', async t => {
  const bus = fill(LOTS, ...times(3 * PAGE_COUNT))
  const reader = new Reader()
  read(bus, reader, 'a', { afterSeq: 0 })
  t.equal(reader.seqs.length, PAGE_COUNT)
  await turn()
  t.equal(reader.seqs.length, 2 * PAGE_COUNT)
  publish(bus, 'a')
  await turn()
  await turn()
  t.same(reader.seqs, range(1, 3 * PAGE_COUNT + 1))
})

for (const count of [PAGE_COUNT - 1, PAGE_COUNT, PAGE_COUNT + 1, 2 * PAGE_COUNT]) {
  await t.test(`the seam between two pages of ${count} messages shows no hole and no repeat`, async t => {
    const bus = fill(LOTS, ...times(count))
    const reader = new Reader()
    read(bus, reader, 'a', { afterSeq: 0 })
    while (reader.seqs.length < count) await turn()
    publish(bus, 'a')
    await turn()
    t.same(reader.seqs, range(1, count + 1))
  })
}

await t.test(
  'only what the matcher and the filter want is written, and the rest does not stop it',
  async t => {
    const bus = fill(LOTS)
    for (let at = 1; at <= 3 * PAGE_COUNT; at++) {
      const type = at % 100 === 0 ? 'image/png' : 'text/plain'
      const channel = at % 2 === 0 ? 'a/b' : 'a'
      void bus.publish({ channel, type, sender: null, body: Buffer.alloc(0) })
    }
    const reader = new Reader()
    let hasCaughtUp = false
    const filter = new Filter({ type: 'image/*' })
    read(bus, reader, 'a/', { afterSeq: 50, filter, onCaughtUp: () => (hasCaughtUp = true) })
    while (!hasCaughtUp) await turn()
    t.same(reader.seqs, [100, 200, 300, 400, 500, 600, 700])
    const none = new Reader()
    read(bus, none, 'nobody', { afterSeq: 0 })
    publish(bus, 'nobody')
    await turn()
    t.equal(none.seqs.length, 1)
  },
)

await t.test('what a format leaves out is in no batch of history either', t => {
  const bus = fill(LOTS)
  for (const type of ['x/left-out', 'a/b', 'x/left-out', 'a/b', 'x/left-out']) {
    void bus.publish({ channel: 'a', type, sender: null, body: Buffer.alloc(0) })
  }
  const reader = new Reader()
  read(bus, reader, 'a', { afterSeq: 0 })
  t.equal(reader.text, '2;4;')
  t.same(reader.seqs, [2, 4])
  t.end()
})

await t.test(
  'history waits for a slow reader, and goes on where it was, in the middle of a page too',
  async t => {
    // Each message is a batch of its own, so that a reader may become busy behind any of them.
    const bus = fill({ ...LOTS, maxBytes: Infinity, maxTotalBytes: Infinity })
    for (let at = 0; at < 20; at++) publish(bus, 'a')
    const large: Encoder = { encode: ({ seq }) => Buffer.alloc(70_000, `${seq}`) }
    const reader = new Reader(3)
    read(bus, reader, 'a', { afterSeq: 0, encoder: large })
    await reader.until(() => reader.isAwaited)
    t.same(reader.seqs, [1, 2, 3])
    publish(bus, 'a')
    for (let at = 0; at < 5; at++) await turn()
    t.same(reader.seqs, [1, 2, 3], 'nothing is pressed upon it')
    reader.goOn(5)
    await reader.until(() => reader.isAwaited)
    t.same(reader.seqs, range(1, 8))
    reader.goOn()
    await reader.until(() => reader.seqs.length === 21)
    publish(bus, 'a')
    await reader.until(() => reader.seqs.length === 22)
    t.same(reader.seqs, range(1, 22))
    t.same(reader.skipped, [])
  },
)

await t.test('a reader that is busy to begin with gets nothing before it is ready', async t => {
  const bus = fill(LOTS, 'a', 'a')
  const reader = new Reader(0)
  read(bus, reader, 'a', { afterSeq: 0 })
  t.ok(reader.isAwaited)
  publish(bus, 'a')
  await turn()
  t.equal(reader.text, '')
  reader.goOn()
  t.equal(reader.text, '1;2;3;')
})

await t.test('a sink without a pace takes all that there is', async t => {
  const bus = fill(LOTS, ...times(2 * PAGE_COUNT))
  const seqs: number[] = []
  const sink: Sink = {
    write: ({ messages }) => {
      seqs.push(...messages.map(({ seq }) => seq))
    },
  }
  read(bus, sink, 'a', { afterSeq: 0 })
  await turn()
  t.same(seqs, range(1, 2 * PAGE_COUNT))
})

await t.test('what goes while a reader is slow is told before the next message, to the last one', async t => {
  const bus = fill({ maxCount: 10 }, ...times(10))
  const paths = parseMatcher('a')
  const place = await bus.locate(paths, { kind: 'all' })
  const large: Encoder = { encode: () => Buffer.alloc(70_000) }
  const reader = new Reader(3)
  read(bus, reader, 'a', { afterSeq: place.seq, mark: place.mark, encoder: large })
  t.same(reader.seqs, [1, 2, 3])
  publish(bus, ...times(7), 'b')
  reader.goOn(2)
  // Of 1 to 17, the last ten are kept. It has three.
  await reader.until(() => reader.isAwaited)
  t.same(reader.seqs, [1, 2, 3, 8, 9])
  t.same(reader.skipped, [{ count: 4, beforeSeq: 3 }])
  reader.goOn()
  await reader.until(() => reader.seqs.at(-1) === 17)
  t.same(reader.seqs, [1, 2, 3, ...range(8, 17)])
  t.equal(reader.skipped.length, 1, 'told once')
})

await t.test(
  'what is gone further on is told when it goes, and not again when it would have come',
  async t => {
    const bus = fill({ maxCount: 5 }, ...times(5, 'b'), ...times(5, 'a'))
    const large: Encoder = { encode: () => Buffer.alloc(70_000) }
    const reader = new Reader(1)
    const { mark } = await bus.locate(parseMatcher('a,b'), { kind: 'now' })
    read(bus, reader, 'a,b', { afterSeq: 0, mark, encoder: large })
    publish(bus, ...times(5, 'a'))
    for (let at = 0; at < 3; at++) {
      reader.goOn(1)
      await reader.until(() => reader.isAwaited)
    }
    reader.goOn()
    await reader.until(() => reader.seqs.at(-1) === 15)
    t.same(reader.seqs, [...range(1, 5), ...range(11, 15)])
    t.same(reader.skipped, [{ count: 5, beforeSeq: 1 }])
  },
)

await t.test('a loss is told, too, when nothing follows it in history', async t => {
  const bus = fill({ maxCount: 5 }, ...times(5))
  const reader = new Reader(0)
  read(bus, reader, 'a', { afterSeq: 0, mark: (await bus.locate(parseMatcher('a'), { kind: 'now' })).mark })
  for (let at = 0; at < 5; at++) {
    void bus.publish({ channel: 'a', type: 'x/left-out', sender: null, body: Buffer.alloc(0) })
  }
  reader.goOn()
  publish(bus, 'a')
  await reader.until(() => reader.seqs.length === 1)
  t.same(reader.skipped, [{ count: 5, beforeSeq: undefined }])
  t.same(reader.seqs, [11])
})

await t.test('a loss that nobody has counted ends the subscription, and says so', async t => {
  const bus = fill({ maxCount: 1 }, 'a')
  const reader = new Reader(0)
  const faults: unknown[] = []
  const { mark } = await bus.locate(parseMatcher('a'), { kind: 'now' })
  read(bus, reader, 'a', { afterSeq: 0, mark, onFault: error => faults.push(error) })
  publish(bus, ...times(20_000))
  reader.goOn()
  publish(bus, 'a')
  await turn()
  t.match(faults, [{ code: 'MSGBUS_BUSY' }])
  t.equal(faults.length, 1)
  t.same(reader.seqs, [])
})

for (const [name, wait] of [
  ['between two pages', () => turn()],
  ['before the second page', () => Promise.resolve()],
] as const) {
  await t.test(`a subscription that is closed ${name} gets nothing more`, async t => {
    const bus = fill(LOTS, ...times(3 * PAGE_COUNT))
    const reader = new Reader()
    let hasCaughtUp = false
    const subscription = read(bus, reader, 'a', { afterSeq: 0, onCaughtUp: () => (hasCaughtUp = true) })
    await wait()
    const { length } = reader.seqs
    subscription.close()
    subscription.close()
    publish(bus, 'a')
    for (let at = 0; at < 5; at++) await turn()
    t.equal(reader.seqs.length, length)
    t.notOk(hasCaughtUp)
    t.same([...bus.subscriberCounts()], [])
  })
}

await t.test(
  'a subscription that is closed while its reader is slow stays closed when it is ready',
  async t => {
    const bus = fill(LOTS, 'a', 'a')
    const reader = new Reader(0)
    read(bus, reader, 'a', { afterSeq: 0 }).close()
    reader.goOn()
    publish(bus, 'a')
    await turn()
    t.same(reader.seqs, [])
  },
)

await t.test('a subscription that has caught up is closed like any other', async t => {
  const bus = fill(LOTS, 'a')
  const reader = new Reader()
  const subscription = read(bus, reader, 'a', { afterSeq: 0 })
  t.same([...bus.subscriberCounts()], [['a', 1]])
  subscription.close()
  publish(bus, 'a')
  await turn()
  t.equal(reader.text, '1;')
  t.same([...bus.subscriberCounts()], [])
})

await t.test('a bus that closes while somebody reads its history tells that reader', async t => {
  const bus = fill(LOTS, ...times(3 * PAGE_COUNT))
  const reader = new Reader()
  const faults: unknown[] = []
  read(bus, reader, 'a', { afterSeq: 0, onFault: error => faults.push(error) })
  await bus.close()
  await turn()
  t.match(faults, [{ code: 'MSGBUS_CLOSED' }])
  t.equal(reader.seqs.length, PAGE_COUNT)
})

function laterBus(options: MemoryStoreOptions, onFault?: (error: unknown) => void) {
  const store = new LaterStore(new MemoryStore(options))
  return { store, bus: new Bus({ store, ...(onFault === undefined ? {} : { onFault }) }) }
}

await t.test('with a store that answers later, nothing is lost or doubled while others publish', async t => {
  const { bus } = laterBus(LOTS)
  await bus.publishAll(times(300).map(() => DRAFT))
  const reader = new Reader()
  read(bus, reader, 'a', { afterSeq: 100 })
  for (let at = 0; at < 100; at++) {
    void bus.publish(DRAFT)
    if (at % 3 === 0) await turn()
  }
  await reader.until(() => reader.seqs.length === 300)
  t.same(reader.seqs, range(101, 400))
})

await t.test('with a store that answers later, a subscription may be closed while it waits', async t => {
  const { bus } = laterBus(LOTS)
  await bus.publish(DRAFT)
  const reader = new Reader()
  read(bus, reader, 'a', { afterSeq: 0 }).close()
  for (let at = 0; at < 5; at++) await turn()
  t.equal(reader.text, '')
})

await t.test('history that cannot be read ends that subscription alone, with the reason', async t => {
  const fault = new Error('unreadable')
  for (const isOwn of [true, false]) {
    const faults: unknown[] = []
    const heard: unknown[] = []
    const { bus, store } = laterBus(LOTS, error => heard.push(error))
    await bus.publish(DRAFT)
    const live = new Reader()
    read(bus, live, 'a')
    store.fault = fault
    const reader = new Reader()
    read(bus, reader, 'a', {
      afterSeq: 0,
      ...(isOwn ? { onFault: (error: unknown) => faults.push(error) } : {}),
    })
    for (let at = 0; at < 5; at++) await turn()
    t.strictSame([faults, heard], isOwn ? [[fault], []] : [[], [fault]])
    store.fault = null
    await bus.publish(DRAFT)
    await turn()
    t.equal(live.text, '2;')
    t.equal(reader.text, '')
  }
})

await t.test('a fault that comes after the subscription was closed concerns nobody', async t => {
  const heard: unknown[] = []
  const { bus, store } = laterBus(LOTS, error => heard.push(error))
  await bus.publish(DRAFT)
  store.fault = new Error('unreadable')
  read(bus, new Reader(), 'a', { afterSeq: 0 }).close()
  for (let at = 0; at < 5; at++) await turn()
  t.same(heard, [])
})

await t.test('a sink that throws over history is told of, and disturbs nobody', async t => {
  for (const isLater of [false, true]) {
    const heard: unknown[] = []
    const onFault = (error: unknown): void => {
      heard.push(error)
    }
    const memory = new MemoryStore(LOTS)
    const bus = new Bus({ store: isLater ? new LaterStore(memory) : memory, onFault })
    await bus.publish(DRAFT)
    const fault = new Error('not written')
    const bad: Sink = {
      write: () => {
        throw fault
      },
    }
    read(bus, bad, 'a', { afterSeq: 0 })
    const reader = new Reader()
    read(bus, reader, 'a', { afterSeq: 0 })
    await reader.until(() => reader.seqs.length === 1)
    t.strictSame(heard, [fault])
  }
})

await t.test('who goes live does not suffer from another sink that throws', t => {
  const heard: unknown[] = []
  const bus = new Bus({ onFault: error => heard.push(error) })
  const fault = new Error('not written')
  const bad: Sink = {
    write: () => {
      throw fault
    },
  }
  read(bus, bad, 'a')
  publish(bus, 'a')
  const reader = new Reader()
  read(bus, reader, 'a', { afterSeq: 0 })
  t.equal(reader.text, '1;')
  t.strictSame(heard, [fault])
  t.end()
})

/** A generator of numbers below a bound, the same for the same seed (mulberry32). */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed
  return bound => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) % bound
  }
}

const CHANNELS = ['a', 'a/b', 'c']
const SPELLINGS = ['a', 'a/', '', 'a,c', 'a/,a']

/**
 * Lets readers join at random while messages are published at random, each slow or not, from the past or from now.
 * @returns What is wrong, if anything.
 */
async function joinAtRandom(seed: number, joinCount: number): Promise<string | null> {
  const random = randomFrom(seed)
  const memory = new MemoryStore({ maxCount: Infinity })
  const store: Store = seed % 2 === 0 ? memory : new LaterStore(memory)
  const bus = new Bus({ store })
  const all: Message[] = []
  const put = (count: number): void => {
    for (let at = 0; at < count; at++) publish(bus, CHANNELS[random(CHANNELS.length)] ?? 'a')
  }
  put(random(600))
  const joined: { readonly reader: Reader; readonly spelling: string; readonly afterSeq: number }[] = []
  for (let at = 0; at < joinCount; at++) {
    const reader = new Reader(random(3) === 0 ? random(20) : Infinity)
    const spelling = SPELLINGS[random(SPELLINGS.length)] ?? ''
    const afterSeq = random(4) === 0 ? bus.position.seq : random(bus.position.seq + 1)
    read(bus, reader, spelling, { afterSeq })
    joined.push({ reader, spelling, afterSeq })
    put(random(4))
    if (random(3) === 0) await turn()
    joined[random(joined.length)]?.reader.goOn(random(50))
  }
  await turn()
  await turn()
  put(1)
  const { seq: lastSeq } = await until(bus, joined)
  all.push(...memory.read({ paths: [''], afterSeq: 0, maxCount: Infinity }).messages)
  for (const { reader, spelling, afterSeq } of joined) {
    const { paths } = parseMatcher(spelling)
    const wanted = all.filter(({ seq, channel }) => seq > afterSeq && matchesChannel(paths, channel))
    if (reader.seqs.join() !== wanted.map(({ seq }) => seq).join()) {
      return `seed ${seed}: "${spelling}" behind ${afterSeq} of ${lastSeq} got ${reader.seqs.join()}`
    }
  }
  return null
}

/** Lets all readers go on until every one of them has caught up and nothing waits any more. */
async function until(bus: Bus, joined: readonly { readonly reader: Reader }[]) {
  for (let quiet = 0; quiet < 4; quiet++) {
    const before = joined.reduce((sum, { reader }) => sum + reader.batches.length, 0)
    for (const { reader } of joined) reader.goOn()
    await turn()
    await turn()
    const after = joined.reduce((sum, { reader }) => sum + reader.batches.length, 0)
    if (after !== before) quiet = -1
  }
  return bus.position
}

await t.test('10,000 readers that join at random get everything once and in order', async t => {
  for (let seed = 1; seed <= 200; seed++) {
    const fault = await joinAtRandom(seed, 50)
    if (fault !== null) t.fail(fault)
  }
  t.end()
})

/** The standard form, which counts how often it is asked. */
class CountingFormat {
  count = 0

  get format(): StreamFormat {
    const standard = standardFormat('B')
    return {
      ...standard,
      part: (message, options) => {
        this.count++
        return standard.part(message, options)
      },
    }
  }
}

await t.test('2,000 readers that come back at once encode each message once', async t => {
  const bus = fill({ maxCount: 1000 }, ...times(600))
  const counting = new CountingFormat()
  const encoder = new PartEncoder({ format: counting.format, isWide: false, isChunked: true })
  const readers = Array.from({ length: 2000 }, () => new Reader())
  for (const reader of readers) read(bus, reader, 'a', { afterSeq: 100, encoder })
  for (let at = 0; at < 4; at++) await turn()
  t.ok(readers.every(reader => reader.seqs.length === 500))
  t.equal(counting.count, 500)
  t.equal(readers[0]?.text, readers.at(-1)?.text)
  publish(bus, 'a')
  await turn()
  t.equal(counting.count, 501)
})

await t.test('what is remembered of encoded messages is bounded, whatever a store keeps', t => {
  const counting = new CountingFormat()
  const encoder = new PartEncoder({ format: counting.format, isWide: false, isChunked: true })
  const memory = new MemoryStore({ maxCount: Infinity, maxBytes: Infinity })
  const draft = { channel: 'a', type: 'a/b', sender: null, body: Buffer.alloc(100_000) }
  const messages = memory.append(Array.from({ length: 100 }, () => draft))
  for (const message of messages) encoder.encode(message, 0)
  t.equal(counting.count, 100)
  for (const message of messages.slice(-20)) encoder.encode(message, 0)
  t.equal(counting.count, 100, 'the last ones are there')
  for (const message of messages.slice(0, 20)) encoder.encode(message, 0)
  t.equal(counting.count, 120, 'the first ones are not')
  t.end()
})
