// A store that another process has: over a real socket, with the one in memory at the other end, it keeps the contract
// unchanged; and what only this one promises.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MemoryStore } from '../../../src/store/memory.ts'
import { openRemoteStore, type RemoteStore } from '../../../src/store/remote/remote-store.ts'
import { type HostOptions, StoreHost } from '../../../src/store/remote/store-host.ts'
import type { Store } from '../../../src/store/store.ts'
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

interface Lent {
  readonly host: StoreHost
  readonly open: (events?: { onLost?: () => void; onStuck?: () => void }) => Promise<RemoteStore>
}

function lend(t: Test, store: Store, options: HostOptions = {}): Lent {
  const host = new StoreHost(store, options)
  const open: Lent['open'] = async ({ onLost = () => undefined, onStuck = () => undefined } = {}) => {
    const [here, there] = await connectPair(t)
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
