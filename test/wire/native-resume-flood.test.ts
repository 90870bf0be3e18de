// Coming back while others publish and while one reads slowly: between the past and now nothing is missing, doubled or
// skipped in silence, and history waits for its reader without being held for it.

import t, { type Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../src/store/memory.ts'
import type { Page, PageRequest } from '../../src/store/store.ts'
import { LaterStore } from '../store/later-store.ts'
import {
  type Connection,
  connect,
  get,
  type Head,
  put,
  requestText,
  start,
  type TestServer,
} from './server.ts'

const LOTS: MemoryStoreOptions = { maxCount: 100_000, maxBytes: Infinity, maxTotalBytes: Infinity }

/** Asks for a stream and reads its head and opening. */
async function resume(t: Test, server: TestServer, path: string) {
  const { stream, head } = await get(t, server, path)
  await stream.readChunk()
  return { stream, head }
}

/** What a reader got: numbers that bodies begin with, and what it was told is missing. */
class Account {
  readonly numbers: number[] = []
  missedCount: number
  #last: number

  /** @param afterNumber Of the last message that it has. */
  constructor(afterNumber: number, head: Head) {
    this.#last = afterNumber
    this.missedCount = Number(/^gap; missed=(\d+)$/.exec(head.headers.get('msgbus-resume') ?? '')?.[1] ?? 0)
    this.#last += this.missedCount
  }

  /** Reads up to a number; throws for anything that is missing without having been told right there. */
  async readTo(stream: Connection, boundary: string, lastNumber: number): Promise<void> {
    while (this.#last < lastNumber) {
      const { body, headers } = await stream.readPart(boundary)
      const number = Number.parseInt(body, 10)
      const skippedCount = Number(headers.get('msgbus-skipped') ?? 0)
      if (number !== this.#last + skippedCount + 1) {
        throw new Error(`${number} came after ${this.#last}, and ${skippedCount} are said to be missing`)
      }
      this.missedCount += skippedCount
      this.numbers.push(number)
      this.#last = number
    }
  }
}

async function flood(server: TestServer, count: number, perTurn: number, firstNumber = 1): Promise<void> {
  for (let at = 0; at < count; at++) {
    put(server, 'a', `${firstNumber + at}`)
    if (at % perTurn === perTurn - 1) await new Promise(setImmediate)
  }
}

for (const [name, options, perTurn] of [
  ['everything is kept', LOTS, 20],
  ['little is kept', { maxCount: 100 }, 20],
  ['less is kept than comes in a turn', { maxCount: 10 }, 50],
] as const) {
  await t.test(
    `in the middle of a flood of 5,000 messages nothing is missed in silence: ${name}`,
    async t => {
      const server = await start(t, { bus: new Bus({ store: new MemoryStore(options) }) })
      const { boundary, position } = server.server.bus
      const flooding = flood(server, 5000, perTurn)
      const readers = Array.from({ length: 4 }, async (_, at) => {
        while (server.server.bus.position.seq < at * 1200) await new Promise(setImmediate)
        const afterSeq = Math.max(0, server.server.bus.position.seq - at * 60)
        const { head, stream } = await resume(t, server, `/msgbus/a?since=${position.epoch}-${afterSeq}`)
        const account = new Account(afterSeq, head)
        await account.readTo(stream, boundary, 5000)
        t.equal(afterSeq + account.numbers.length + account.missedCount, 5000, `behind ${afterSeq}`)
        if (options === LOTS) t.equal(account.missedCount, 0)
      })
      await Promise.all([flooding, ...readers])
    },
  )
}

/** Knows how far its readers have asked. */
class WatchedStore extends MemoryStore {
  furthestSeq = 0
  readCount = 0

  override read(request: PageRequest): Page {
    this.readCount++
    this.furthestSeq = Math.max(this.furthestSeq, request.afterSeq)
    return super.read(request)
  }

  /** Waits until nobody has asked for a while. */
  async untilQuiet(): Promise<void> {
    for (let before = -1, quiet = 0; quiet < 100; quiet++) {
      if (before !== this.readCount) quiet = 0
      before = this.readCount
      await new Promise(setImmediate)
    }
  }
}

const MEBIBYTE = 2 ** 20

function putLarge(server: TestServer, number: number): string {
  return put(server, 'a', `${number} `.padEnd(MEBIBYTE, 'x'))
}

async function openStalled(t: Test, server: TestServer, path: string) {
  const stream = await connect(t, server)
  stream.send(requestText('GET', path))
  const head = await stream.readHead()
  stream.socket.pause()
  return { stream, head }
}

await t.test('30 bodies of a mebibyte come whole and in order', async t => {
  const server = await start(t, { bus: new Bus({ store: new MemoryStore(LOTS) }) })
  for (let number = 1; number <= 30; number++) putLarge(server, number)
  const { stream, head } = await resume(t, server, '/msgbus/a?since=all')
  const account = new Account(0, head)
  await account.readTo(stream, server.server.bus.boundary, 30)
  t.equal(account.numbers.length, 30)
})

for (const slow of ['drop', 'close']) {
  await t.test(`${slow}: history waits for a reader that stalls, unread, and loses nothing`, async t => {
    const store = new WatchedStore(LOTS)
    const server = await start(t, { bus: new Bus({ store }) })
    const count = 64
    for (let number = 1; number <= count; number++) putLarge(server, number)
    const { stream, head } = await openStalled(t, server, `/msgbus/a?since=all&slow=${slow}`)
    await server.log.until('sub')
    await store.untilQuiet()
    t.ok(store.furthestSeq < count / 2, `asked for ${store.furthestSeq} so far: what the kernel takes`)
    stream.socket.resume()
    await stream.readChunk()
    const account = new Account(0, head)
    await account.readTo(stream, server.server.bus.boundary, count)
    t.equal(account.numbers.length, count)
    putLarge(server, count + 1)
    await account.readTo(stream, server.server.bus.boundary, count + 1)
  })
}

await t.test('what goes while a reader stalls in its history is told in the next part', async t => {
  const store = new WatchedStore({ ...LOTS, maxCount: 30 })
  const server = await start(t, { bus: new Bus({ store }) })
  for (let number = 1; number <= 30; number++) putLarge(server, number)
  const { stream, head } = await openStalled(t, server, '/msgbus/a?since=all')
  await server.log.until('sub')
  await store.untilQuiet()
  for (let number = 31; number <= 60; number++) putLarge(server, number)
  stream.socket.resume()
  await stream.readChunk()
  const account = new Account(0, head)
  await account.readTo(stream, server.server.bus.boundary, 60)
  t.ok(account.missedCount > 0)
  t.equal(account.numbers.length + account.missedCount, 60)
  t.same(
    account.numbers.slice(-30),
    Array.from({ length: 30 }, (_, at) => 31 + at),
    'all that was kept',
  )
})

await t.test('a reader that stalls in its history for the write timeout is cut off', async t => {
  const bus = new Bus({ store: new MemoryStore(LOTS) })
  const server = await start(t, { bus, writeTimeoutMs: 200 })
  for (let number = 1; number <= 30; number++) putLarge(server, number)
  const { stream } = await openStalled(t, server, '/msgbus/a?since=all')
  t.equal((await server.log.until('sub.slow')).reason, 'timeout')
  await server.log.until('unsub')
  stream.socket.resume()
  t.notOk((await stream.readToEnd()).endsWith('0\r\n\r\n'))
})

await t.test('a reader that leaves in the middle of its history is forgotten', async t => {
  const store = new WatchedStore(LOTS)
  const server = await start(t, { bus: new Bus({ store }) })
  for (let number = 1; number <= 30; number++) putLarge(server, number)
  const { stream } = await openStalled(t, server, '/msgbus/a?since=all')
  await store.untilQuiet()
  stream.socket.destroy()
  await server.log.until('unsub')
  const { readCount } = store
  putLarge(server, 31)
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  t.equal(store.readCount, readCount)
  t.same([...server.server.bus.subscriberCounts()], [])
})

await t.test('a server that closes ends a stream in the middle of its history in good order', async t => {
  const store = new WatchedStore(LOTS)
  const server = await start(t, { bus: new Bus({ store }) })
  for (let number = 1; number <= 30; number++) putLarge(server, number)
  const { stream } = await openStalled(t, server, '/msgbus/a?since=all')
  await store.untilQuiet()
  const closed = server.server.close()
  await server.log.until('unsub')
  stream.socket.resume()
  t.ok((await stream.readToEnd()).endsWith(`\r\n--${server.server.bus.boundary}--\r\n\r\n0\r\n\r\n`))
  await closed
})

for (const [name, options] of [
  ['everything is kept', LOTS],
  ['little is kept', { maxCount: 20 }],
] as const) {
  await t.test(`over a store that answers later, nothing is missed in silence either: ${name}`, async t => {
    const server = await start(t, { bus: new Bus({ store: new LaterStore(new MemoryStore(options)) }) })
    const { boundary, position } = server.server.bus
    let openCount = 0
    const publishing = (async () => {
      let number = 0
      // Until everybody has come in the middle of it.
      while (number < 600 || openCount < 20) {
        const body = Buffer.from(`${++number}`)
        const published = server.server.bus.publish({ channel: 'a', type: 'a/b', sender: null, body })
        if (number % 5 === 0) await published
      }
      return number
    })()
    const readers = Array.from({ length: 20 }, async (_, at) => {
      while (server.server.bus.position.seq < at * 20) await new Promise(setImmediate)
      // More than is kept: what it has not got yet goes while it asks where to begin.
      const afterSeq = Math.max(0, server.server.bus.position.seq - 100)
      const { head, stream } = await resume(t, server, `/msgbus/a?since=${position.epoch}-${afterSeq}`)
      openCount++
      const count = await publishing
      const account = new Account(afterSeq, head)
      await account.readTo(stream, boundary, count)
      t.equal(account.numbers.length + account.missedCount, count - afterSeq)
      if (options === LOTS) t.equal(account.missedCount, 0)
    })
    await Promise.all(readers)
  })
}
