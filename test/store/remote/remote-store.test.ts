// A store that another process has: over a real socket, with the one in memory at the other end, it keeps the contract
// unchanged; and what only this one promises.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Message } from '../../../src/message.ts'
import { MemoryStore } from '../../../src/store/memory.ts'
import { openRemoteStore, type RemoteStore } from '../../../src/store/remote/remote-store.ts'
import { type HostOptions, StoreHost } from '../../../src/store/remote/store-host.ts'
import type { Page, PageRequest, Store } from '../../../src/store/store.ts'
import { draftOf, storeContract } from '../../contract/store.ts'

/** A pair of connected sockets. */
async function connectPair(t: Test): Promise<readonly [here: Socket, there: Socket]> {
  const folder = mkdtempSync(join(tmpdir(), 'msgbus-'))
  const server = createServer({ allowHalfOpen: true })
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  server.listen(join(folder, 'socket'))
  await once(server, 'listening')
  const here = connect({ path: join(folder, 'socket') })
  const [there] = (await once(server, 'connection')) as [Socket]
  server.close()
  t.teardown(() => {
    here.destroy()
    there.destroy()
  })
  return [here, there]
}

interface OpenOptions {
  readonly onLost?: () => void
  readonly onStuck?: () => void
  /** Given the two ends. */
  readonly onSockets?: (here: Socket, there: Socket) => void
}

interface Lent {
  readonly host: StoreHost
  readonly open: (options?: OpenOptions) => Promise<RemoteStore>
}

function lend(t: Test, store: Store, options: HostOptions = {}): Lent {
  const host = new StoreHost(store, options)
  const nothing = (): void => undefined
  const open: Lent['open'] = async ({ onLost = nothing, onStuck = nothing, onSockets = nothing } = {}) => {
    const [here, there] = await connectPair(t)
    onSockets(here, there)
    host.add(there, onStuck)
    return openRemoteStore(here, onLost)
  }
  return { host, open }
}

await t.test('a store that another process has keeps the contract', async t => {
  const lentOf = new WeakMap<Store, Lent>()
  await storeContract(t, {
    open: async (t, { retention, now }) => {
      const lent = lend(t, new MemoryStore({ ...retention, now }))
      const store = await lent.open()
      lentOf.set(store, lent)
      return store
    },
    share: async (_, store) => {
      const other = await lentOf.get(store)?.open()
      if (other === undefined) throw new TypeError('Cannot share: it was not opened here')
      return other
    },
  })
})

await t.test('nothing is missed between its opening and its following', async t => {
  const memory = new MemoryStore()
  const { open } = lend(t, memory)
  const store = await open()
  for (let at = 0; at < 10; at++) memory.append([draftOf('a', `${at}`)])
  await new Promise(resolve => setTimeout(resolve, 20))
  const seqs: number[] = []
  store.follow(({ seq }) => seqs.push(seq))
  await store.locate(['a'], { kind: 'now' })
  t.same(seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

await t.test('what one has appended is there for all whose question comes later', async t => {
  const { open } = lend(t, new MemoryStore())
  const [one, other] = [await open(), await open()]
  for (const store of [one, other]) store.follow(() => undefined)
  for (let round = 1; round <= 100; round++) {
    await one.append([draftOf('a', `${round}`)])
    const { seq } = await other.locate(['a'], { kind: 'last', count: 1 })
    const { messages } = await other.read({ paths: ['a'], afterSeq: seq, maxCount: 9 })
    t.same(
      messages.map(message => message.seq),
      [round],
    )
  }
})

const MIB = 2 ** 20

/** In which something is appended right behind each page, so that both leave in one piece. */
class BusyStore extends MemoryStore {
  override read(request: PageRequest): Page {
    setImmediate(() => this.append([draftOf('a')]))
    return super.read(request)
  }
}

await t.test('an answer is true when it is given, whatever comes behind it', async t => {
  const { open } = lend(t, new BusyStore())
  const store = await open()
  store.follow(() => undefined)
  for (let round = 0; round < 50; round++) {
    const page = await store.read({ paths: ['a'], afterSeq: -1, maxCount: 1000 })
    t.equal(page.seq, store.lastSeq)
  }
})

await t.test('a store that is gone before it was there is told', async t => {
  const [here, there] = await connectPair(t)
  there.destroy()
  await t.rejects(
    openRemoteStore(here, () => undefined),
    { code: 'MSGBUS_STORE' },
  )
})

await t.test(
  'messages that were given are not brought again, and others are brought once for many',
  async t => {
    const memory = new MemoryStore({ maxCount: Infinity })
    for (let at = 0; at < 5; at++) memory.append([draftOf('a', `${at}`)])
    const { open } = lend(t, memory)
    const store = await open()
    const followed: Message[] = []
    store.follow(message => followed.push(message))
    const [given] = await store.append([draftOf('a', 'new')])
    const request = { paths: ['a'], afterSeq: 0, maxCount: 99 }
    const [one, other] = await Promise.all([store.read(request), store.read(request)])
    t.same(
      one.messages.map(({ body }) => Buffer.from(body).toString()),
      ['0', '1', '2', '3', '4', 'new'],
    )
    t.equal(one.messages.at(-1), given)
    t.equal(given, followed[0])
    t.ok(one.messages.every((message, at) => message === other.messages[at]))
  },
)

await t.test('many messages at once are all told to who appended them', async t => {
  const { open } = lend(t, new MemoryStore())
  const store = await open()
  const followed: Message[] = []
  store.follow(message => followed.push(message))
  const drafts = Array.from({ length: 5_000 }, (_, at) => draftOf('a', `${at}`))
  const messages = await store.append(drafts)
  t.ok(messages.length === 5_000 && messages.every((message, at) => message === followed[at]))
  const large = Array.from({ length: 8 }, () => draftOf('a', Buffer.alloc(MIB)))
  t.equal((await store.append(large)).length, 8)
})

await t.test('a page of large messages comes in pieces', async t => {
  const memory = new MemoryStore({ maxBytes: Infinity })
  for (let at = 0; at < 10; at++) memory.append([draftOf('a', Buffer.alloc(MIB, at))])
  const { open } = lend(t, memory)
  const store = await open()
  store.follow(() => undefined)
  const seqs: number[] = []
  for (let seq = -1; seq < store.lastSeq;) {
    const page = await store.read({ paths: ['a'], afterSeq: seq, maxCount: 99 })
    t.ok(page.messages.length <= 4)
    seqs.push(...page.messages.map(message => message.seq))
    seq = page.seq
  }
  t.same(seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

await t.test('many that read at once are all answered', async t => {
  const memory = new MemoryStore()
  for (let at = 0; at < 50; at++) memory.append([draftOf('a')])
  const { open } = lend(t, memory)
  const store = await open()
  store.follow(() => undefined)
  const pages = await Promise.all(
    Array.from({ length: 50 }, async (_, at) => store.read({ paths: ['a'], afterSeq: at - 1, maxCount: 1 })),
  )
  t.same(
    pages.map(({ messages }) => messages[0]?.seq),
    pages.map((_, at) => Math.max(1, at)),
  )
})

await t.test('what one notes all others know', async t => {
  const { open } = lend(t, new MemoryStore())
  const [one, other] = [await open(), await open()]
  for (const store of [one, other]) store.follow(() => undefined)
  t.equal(await other.notes.get('a'), undefined)
  await one.notes.set('a', 0)
  t.equal(await other.notes.get('a'), 0)
  await other.notes.set('a', 7)
  t.equal(await one.notes.get('a'), 7)
})

await t.test('who has asked is told when the other side is gone', async t => {
  const { open } = lend(t, new MemoryStore())
  let lostCount = 0
  let there: Socket | undefined
  const store = await open({
    onLost: () => lostCount++,
    onSockets: (_, other) => {
      there = other
    },
  })
  store.follow(() => undefined)
  there?.pause()
  const asked = [store.append([draftOf('a')]), store.locate(['a'], { kind: 'all' }), store.channels()]
  there?.destroy()
  for (const answer of asked) await t.rejects(async () => answer, { code: 'MSGBUS_STORE' })
  await t.rejects(store.append([draftOf('a')]), { code: 'MSGBUS_STORE' })
  t.equal(lostCount, 1)
  await store.close()
})

await t.test('what is refused there is refused here, with its code', async t => {
  const memory = new MemoryStore()
  const { open } = lend(t, memory)
  const store = await open()
  store.follow(() => undefined)
  memory.close()
  await t.rejects(store.append([draftOf('a')]), { name: 'MsgbusError', code: 'MSGBUS_CLOSED' })
  await t.rejects(store.locate(['a'], { kind: 'all' }), { code: 'MSGBUS_CLOSED' })
})

await t.test('who appends without waiting for answers is refused before that fills the memory', async t => {
  const { open } = lend(t, new MemoryStore())
  let there: Socket | undefined
  const store = await open({
    onSockets: (_, other) => {
      there = other
    },
  })
  store.follow(() => undefined)
  there?.pause()
  const body = Buffer.alloc(MIB)
  const appended = Array.from({ length: 63 }, () => store.append([draftOf('a', body)]))
  t.throws(() => store.append([draftOf('a', body), draftOf('a', body)]), { code: 'MSGBUS_BUSY' })
  there?.resume()
  t.equal((await Promise.all(appended)).length, 63)
  await store.append([draftOf('a', body), draftOf('a', body)])
})

await t.test('publishers wait for one that lags, and go on when it has taken more', async t => {
  const { open } = lend(t, new MemoryStore())
  let lagging: Socket | undefined
  const [store, other] = [
    await open(),
    await open({
      onSockets: here => {
        lagging = here
      },
    }),
  ]
  const seqs: number[] = []
  store.follow(() => undefined)
  other.follow(({ seq }) => seqs.push(seq))
  lagging?.pause()
  let keptCount = 0
  const appended = Array.from({ length: 48 }, async () => {
    await store.append([draftOf('a', Buffer.alloc(64 * 1024))])
    keptCount++
  })
  // Asked behind them.
  await store.locate(['a'], { kind: 'now' })
  t.ok(keptCount > 0 && keptCount < 20, `${keptCount} MiB/16`)
  lagging?.resume()
  await Promise.all(appended)
  await other.locate(['a'], { kind: 'now' })
  t.equal(seqs.length, 48)
})

await t.test(
  'one that takes nothing is given up when too much waits for it, and nobody waits for it',
  async t => {
    const { open } = lend(t, new MemoryStore(), { maxWaitingBytes: 4 * MIB })
    let stuckCount = 0
    let stuck: Socket | undefined
    const store = await open()
    const other = await open({
      onStuck: () => stuckCount++,
      onSockets: here => {
        stuck = here
      },
    })
    store.follow(() => undefined)
    other.follow(() => undefined)
    stuck?.pause()
    for (let count = 0; stuckCount === 0; count++) {
      await store.append([draftOf('a', Buffer.alloc(MIB / 4))])
      if (count > 100) throw new Error('Cannot go on: 25 MiB wait for one that takes nothing')
    }
    await store.append([draftOf('a')])
    t.equal(stuckCount, 1)
  },
)
