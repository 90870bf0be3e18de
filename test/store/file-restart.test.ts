// A store that is opened again, after it was closed or its process was killed: readers of single channels are told what is
// gone of those, and of those alone, also where only a part of what went is gone from the disk.

import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Engine } from '../../src/store/file/engine.ts'
import { type FileStore, type FileStoreOptions, openFileStore } from '../../src/store/file.ts'
import { draftOf } from '../contract/store.ts'
import { TestLog } from '../wire/server.ts'
import { listen, startPublisher } from './killing.ts'

async function open(t: Test, path: string, options: FileStoreOptions = {}): Promise<FileStore> {
  const store = await openFileStore(path, options)
  t.teardown(() => store.close())
  return store
}

/** True for a reader of a channel that is told that something may be missing behind a number. */
function isTold(store: FileStore, channel: string, seq: number): boolean {
  const start = { kind: 'after', cursor: { epoch: store.epoch, seq } } as const
  const { isReset, missedCount } = store.locate([channel], start)
  return isReset || missedCount > 0
}

/** Up to where readers of a channel are told so. */
function toldUntil(store: FileStore, channel: string): number {
  let seq = 0
  while (isTold(store, channel, seq)) seq++
  for (let other = seq; other <= store.lastSeq; other++) {
    if (isTold(store, channel, other)) throw new Error(`told behind ${other}, and not behind ${seq}`)
  }
  return seq
}

await t.test('the last messages of a channel are deleted, and an older one is still on disk', async t => {
  const path = `${t.testdir()}/store`
  const options = { rules: [{ paths: ['small'], maxBytes: 1000 }] }
  const first = await open(t, path, options)
  // Written together, and so deleted together.
  await first.append([draftOf('small', '1'), draftOf('quiet', '2')])
  await first.append([draftOf('small', Buffer.alloc(2000))])
  await first.append([draftOf('busy', '4')])
  await first.append([draftOf('busy', '5')])
  await first.close()
  for (let life = 1; life <= 3; life++) {
    const store = await open(t, path, options)
    t.equal(store.lastSeq, 5)
    t.equal(toldUntil(store, 'small'), 3, `life ${life}`)
    t.equal(toldUntil(store, 'quiet'), 0)
    t.equal(toldUntil(store, 'busy'), 0)
    t.equal(toldUntil(store, 'nobody'), 0)
    t.equal(toldUntil(store, ''), 3)
    await store.close()
  }
})

await t.test('a channel of which nothing was left is published to again, over several lives', async t => {
  const path = `${t.testdir()}/store`
  const clock = { nowMs: 1_700_000_000_000 }
  const options = { rules: [{ paths: ['short'], maxAgeMs: 1000 }], now: () => clock.nowMs }
  let store = await open(t, path, options)
  await store.append([draftOf('short')])
  await store.append([draftOf('quiet')])
  await store.append([draftOf('short')])
  clock.nowMs += 2000
  for (let life = 1; life <= 4; life++) {
    // Lets go of what is too old, and deletes it.
    await store.append([draftOf('busy')])
    await store.close()
    store = await open(t, path, options)
    t.equal(toldUntil(store, 'quiet'), 0)
    t.equal(toldUntil(store, 'short'), life < 3 ? 3 : 6, `life ${life}`)
    if (life !== 2) continue
    await store.append([draftOf('short')])
    t.equal(toldUntil(store, 'short'), 3)
    clock.nowMs += 2000
  }
})

await t.test('a process that was killed leaves as much to know', async t => {
  const path = `${t.testdir()}/store`
  // Numbers are channels, too, `room/0` to `room/6` in turn: of the first nothing is kept, of the second never for long.
  const rules = [
    { paths: ['room/0'], maxCount: 0 },
    { paths: ['room/1'], maxAgeMs: 1 },
    { paths: ['room/2'], maxBytes: 300 },
  ]
  const options = { rules, maxTotalCount: 1_000_000, writeBufferBytes: 2 ** 18 }
  let first = 1
  for (let life = 1; life <= 6; life++) {
    const child = startPublisher({ path, options, first, count: 1e6, publishers: 20 })
    t.teardown(() => child.kill('SIGKILL'))
    const said = listen(child)
    let saidBytes = 0
    child.stdout?.on('data', (text: string) => {
      saidBytes += text.length
      if (saidBytes > 2000) child.kill('SIGKILL')
    })
    await once(child, 'close')
    t.ok((await said).acknowledged.size > 50)
    const store = await open(t, path, options)
    first = store.lastSeq + 1
    // Each message has the number that it was made of.
    const lastOf = (room: number): number => store.lastSeq - ((store.lastSeq - room + 7) % 7)
    t.equal(toldUntil(store, 'room/0'), lastOf(0), `life ${life}`)
    t.equal(toldUntil(store, 'room/1'), lastOf(1))
    const page = await store.read({ paths: ['room/2'], afterSeq: 0, maxCount: 1_000_000 })
    const kept = new Set(page.messages.map(({ seq }) => seq))
    for (let seq = 2; seq <= store.lastSeq; seq += 7) {
      if (!kept.has(seq)) t.ok(isTold(store, 'room/2', seq - 1), `who misses ${seq} is told`)
    }
    for (const room of [3, 4, 5, 6]) t.equal(toldUntil(store, `room/${room}`), 0)
    t.equal(toldUntil(store, 'nobody'), 0)
    await store.close()
  }
})

await t.test('a note of where a channel ended that is damaged is not relied on', async t => {
  const path = `${t.testdir()}/store`
  const options = { rules: [{ paths: ['none'], maxCount: 0 }] }
  const first = await open(t, path, options)
  for (const channel of ['quiet', 'none', 'busy']) await first.append([draftOf(channel)])
  await first.close()
  const engine = await Engine.open(join(path, 'messages'))
  const state = (await engine.state()) ?? Buffer.alloc(0)
  const notes = new Map<string, Buffer | null>()
  for await (const [channel, note] of engine.notes()) notes.set(channel, note.fill(1))
  t.same([...notes.keys()], ['none'])
  await engine.write({ rows: [], deleted: [], notes, state }, true)
  await engine.close()
  for (const events of [['store.corrupt'], []]) {
    const log = new TestLog()
    const store = await open(t, path, { ...options, log })
    t.same(
      log.events.map(({ name }) => name),
      events,
    )
    t.ok(isTold(store, 'none', 1))
    t.ok(isTold(store, 'quiet', 1), 'whose it was cannot be told for sure')
    t.equal(toldUntil(store, 'busy'), 0)
    await store.close()
  }
})
