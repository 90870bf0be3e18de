// The store in a directory: all that every store must do, and what only this one promises: it goes on over restarts, in a
// directory of its own, and bounds what it takes of the disk and the memory.

import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Message } from '../../src/message.ts'
import { FILE_RETENTION, type FileStore, type FileStoreOptions, openFileStore } from '../../src/store/file.ts'
import { StoreError } from '../../src/store/store-error.ts'
import type { Page } from '../../src/store/store.ts'
import { draftOf, storeContract } from '../contract/store.ts'
import { TestLog } from '../wire/server.ts'
import { listen, startPublisher, Victim } from './killing.ts'

let directoryCount = 0

function newPath(t: Test): string {
  return join(t.testdir(), `${++directoryCount}`)
}

async function open(t: Test, path: string, options: FileStoreOptions = {}): Promise<FileStore> {
  const store = await openFileStore(path, options)
  t.teardown(() => store.close())
  return store
}

async function put(
  store: FileStore,
  channel: string,
  ...bodies: readonly (string | Uint8Array)[]
): Promise<void> {
  await store.append(bodies.map(body => draftOf(channel, body)))
}

async function readAll(store: FileStore, path: string, afterSeq = 0): Promise<readonly Message[]> {
  const messages: Message[] = []
  for (let seq = afterSeq; seq < store.lastSeq;) {
    const page = await store.read({ paths: [path], afterSeq: seq, maxCount: 100 })
    messages.push(...page.messages)
    seq = page.seq
  }
  return messages
}

async function bodies(store: FileStore, path: string): Promise<readonly string[]> {
  return (await readAll(store, path)).map(({ body }) => Buffer.from(body).toString())
}

function after(store: FileStore, path: string, seq: number, epoch = store.epoch) {
  return store.locate([path], { kind: 'after', cursor: { epoch, seq } })
}

function byteCount(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

await t.test('the store in a directory keeps the contract', t => {
  const placeOf = new Map<object, { readonly path: string; readonly options: FileStoreOptions }>()
  return storeContract(t, {
    open: async (t, { retention, now }) => {
      const path = newPath(t)
      const options = { ...retention, now }
      const store = await openFileStore(path, options)
      placeOf.set(store, { path, options })
      return store
    },
    reopen: async (_, closed) => {
      const place = placeOf.get(closed)
      if (place === undefined) throw new TypeError('Cannot open it again: it was not opened here')
      const store = await openFileStore(place.path, place.options)
      placeOf.set(store, place)
      return store
    },
  })
})

await t.test('by default 10,000 messages or a day of each channel are kept, and 1 GiB of all', t => {
  t.match(FILE_RETENTION, { maxCount: 10_000, maxAgeMs: 86_400_000, maxTotalBytes: 2 ** 30 })
  t.end()
})

await t.test('what is missed over a restart is told, and nothing else is', async t => {
  const path = newPath(t)
  const options = { maxCount: 2 }
  const first = await openFileStore(path, options)
  await put(first, 'quiet', '1')
  for (const body of ['2', '3', '4', '5']) await put(first, 'busy', body)
  await put(first, 'quiet', '6')
  await first.close()
  const store = await open(t, path, options)
  t.equal(store.epoch, first.epoch)
  t.same(await bodies(store, ''), ['1', '4', '5', '6'])
  t.match(after(store, 'quiet', 0), { missedCount: 0, isReset: false })
  t.match(after(store, 'quiet', 3), { missedCount: 0, isReset: false })
  t.match(after(store, 'busy', 3), { seq: 3, missedCount: 0, isReset: false })
  t.match(after(store, 'busy', 2), { isReset: true }, 'how many had gone is not known any more')
  t.match(after(store, '', 2), { isReset: true })
  t.match(after(store, 'nobody', 0), { missedCount: 0, isReset: false })
  await put(store, 'busy', '7')
  t.match(after(store, 'busy', 3), { seq: 3, missedCount: 1, isReset: false }, 'what goes now is counted')
})

await t.test('a channel of which nothing is left over a restart is not taken for a new one', async t => {
  const path = newPath(t)
  const clock = { nowMs: 1_700_000_000_000 }
  const options = { maxAgeMs: 1000, now: () => clock.nowMs }
  const first = await openFileStore(path, options)
  await put(first, 'old', '1', '2')
  clock.nowMs += 2000
  await put(first, 'new', '3', '4')
  await put(first, 'new', '5')
  await first.close()
  const store = await open(t, path, options)
  t.same(await bodies(store, ''), ['3', '4', '5'])
  t.match(after(store, 'old', 1), { isReset: true })
  t.match(after(store, 'old', 2), { missedCount: 0, isReset: false })
  t.match(after(store, 'new', 3), { missedCount: 0, isReset: false })
  t.equal(store.lastSeq, 5)
})

await t.test('numbers go on although everything has gone', async t => {
  const path = newPath(t)
  const clock = { nowMs: 1_700_000_000_000 }
  const options = { maxAgeMs: 1000, now: () => clock.nowMs }
  const first = await openFileStore(path, options)
  await put(first, 'a', '1', '2', '3')
  clock.nowMs += 2000
  await put(first, 'a', '4')
  clock.nowMs += 2000
  await first.close()
  const second = await openFileStore(path, options)
  t.same(await bodies(second, ''), [])
  t.equal(second.lastSeq, 4)
  await put(second, 'a', '5')
  await second.close()
  const store = await open(t, path, options)
  t.match(await readAll(store, 'a'), [{ id: `${first.epoch}-5` }])
})

await t.test('the newest messages are read at once, older ones from disk', async t => {
  const path = newPath(t)
  const first = await openFileStore(path)
  await put(first, 'a', 'x', 'y')
  const read = (store: FileStore, afterSeq: number): Page | Promise<Page> =>
    store.read({ paths: ['a'], afterSeq, maxCount: 9 })
  t.notOk(read(first, 0) instanceof Promise)
  await first.close()
  const store = await open(t, path)
  await put(store, 'a', 'z')
  t.ok(read(store, 0) instanceof Promise)
  t.notOk(read(store, 2) instanceof Promise)
  t.same(await bodies(store, 'a'), ['x', 'y', 'z'])
  const [one, other] = await Promise.all([read(store, 0), read(store, 0)])
  t.equal(one.messages[0], other.messages[0], 'who comes back together gets the same messages')
  const before = read(store, 0)
  await put(store, 'a', 'later')
  t.match(await before, { seq: 3 }, 'a page goes as far as it did when it was asked for')
})

await t.test('a page from disk is bounded in bytes', async t => {
  const path = newPath(t)
  const first = await openFileStore(path)
  await put(first, 'a', ...Array.from({ length: 30 }, (_, at) => Buffer.alloc(1_000_000, at)))
  await first.close()
  const store = await open(t, path)
  const page = await store.read({ paths: ['a'], afterSeq: 0, maxCount: 256 })
  t.ok(page.messages.length >= 1 && page.messages.length <= 5, `${page.messages.length} of 30`)
  t.equal(page.seq, page.messages.at(-1)?.seq)
  t.same(
    (await readAll(store, 'a')).map(({ body }) => [body.length, body[999_999]]),
    Array.from({ length: 30 }, (_, at) => [1_000_000, at]),
  )
})

await t.test('what is gone while a page is read is counted by the next', async t => {
  const path = newPath(t)
  const options = { maxCount: 10 }
  const first = await openFileStore(path, options)
  for (let at = 1; at <= 10; at++) await put(first, 'a', `${at}`)
  await first.close()
  const store = await open(t, path, options)
  const request = { paths: ['a'], afterSeq: 0, maxCount: 4, mark: store.locate(['a'], { kind: 'all' }).mark }
  const reading = store.read(request)
  await put(store, 'a', ...Array.from({ length: 8 }, () => 'new'))
  // Deletes what has gone.
  await put(store, 'b', 'x')
  const page = await reading
  const next = await store.read({ ...request, afterSeq: page.seq, mark: page.mark })
  const seqs = [...page.messages, ...next.messages].map(({ seq }) => seq)
  t.equal((page.lostCount ?? NaN) + (next.lostCount ?? NaN) + seqs.length, seqs.at(-1), seqs.join())
})

await t.test('many publishers share one write, in order, and are told each of their own', async t => {
  const store = await open(t, newPath(t))
  const followed: string[] = []
  store.follow(({ body }) => followed.push(Buffer.from(body).toString()))
  const told = await Promise.all(
    Array.from({ length: 10_000 }, (_, at) => store.append([draftOf(`c/${at % 10}`, `${at}`)])),
  )
  t.same(
    followed,
    Array.from({ length: 10_000 }, (_, at) => `${at}`),
  )
  t.same(
    told.map(([message]) => Buffer.from(message?.body ?? []).toString()),
    followed,
  )
  t.same((await readAll(store, 'c/3')).length, 1000)
})

await t.test('who does not look at the answers is stopped before the memory is full', async t => {
  const store = await open(t, newPath(t))
  const draft = draftOf('a', Buffer.alloc(2 ** 20))
  const answers: Promise<unknown>[] = []
  t.throws(
    () => {
      for (;;) answers.push(store.append([draft]))
    },
    { code: 'MSGBUS_BUSY' },
  )
  t.ok(answers.length >= 64 && answers.length < 80, `${answers.length} MiB waited`)
  await Promise.all(answers)
  t.equal(store.lastSeq, answers.length, 'what was taken is kept')
  await put(store, 'a', 'again')
})

await t.test('a flood beside a quiet channel leaves the quiet one, and gives the disk back', async t => {
  const path = newPath(t)
  const options = { maxCount: 200, writeBufferBytes: 2 ** 20 }
  const store = await open(t, path, options)
  const body = Buffer.alloc(1000, 'x')
  // One quiet message in each group: what was written together is not deleted together.
  for (let round = 0; round < 150; round++) {
    await store.append([
      ...Array.from({ length: 500 }, () => draftOf('flood', body)),
      draftOf('quiet', `${round}`),
    ])
  }
  t.same(
    await bodies(store, 'quiet'),
    Array.from({ length: 150 }, (_, at) => `${at}`),
  )
  t.equal((await readAll(store, 'flood')).length, 200)
  await store.close()
  const again = await open(t, path, options)
  t.same(
    await bodies(again, 'quiet'),
    Array.from({ length: 150 }, (_, at) => `${at}`),
  )
  t.equal((await readAll(again, 'flood')).length, 200)
  const bytes = byteCount(path)
  t.ok(bytes < 40 * 2 ** 20, `${bytes} bytes are left of 75 MB`)
})

await t.test('what stands beside waste is kept when the waste is swept out', async t => {
  const path = newPath(t)
  const rules = [{ paths: ['flood'], maxCount: 1 }]
  const options = { rules, writeBufferBytes: 2 ** 20, syncIntervalMs: 3_600_000 }
  const store = await open(t, path, options)
  const body = Buffer.alloc(30_000, 'x')
  // Each of the first kind shares its place on disk with one of the second, which is all that is left of both.
  const written = Array.from({ length: 1_000 }, (_, at) => `${at}`)
  for (const text of written) await store.append([draftOf('flood', body), draftOf('quiet', text)])
  t.same(await bodies(store, 'quiet'), written)
  await store.close()
  const again = await open(t, path, options)
  t.same(await bodies(again, 'quiet'), written)
  t.equal((await readAll(again, 'flood')).length, 1)
})

await t.test('what is too old goes although nobody publishes or reads', async t => {
  const { setInterval: everySoOften } = globalThis
  t.capture(globalThis, 'setInterval', (run: () => void) => everySoOften(run, 1))
  const clock = { nowMs: 1_700_000_000_000 }
  const store = await open(t, newPath(t), { maxAgeMs: 1000, now: () => clock.nowMs })
  await put(store, 'a', 'x')
  t.same(
    [...store.channels()].map(({ keptCount }) => keptCount),
    [1],
  )
  clock.nowMs += 2000
  while ([...store.channels()].some(({ keptCount }) => keptCount > 0)) await new Promise(setImmediate)
  t.pass('it has gone')
})

await t.test('retention by total bytes and count holds over restarts', async t => {
  const path = newPath(t)
  const first = await openFileStore(path)
  for (let at = 0; at < 50; at++) await put(first, `c/${at % 3}`, Buffer.alloc(744))
  await first.close()
  const second = await openFileStore(path, { maxTotalCount: 30 })
  t.equal((await readAll(second, '')).length, 30)
  await second.close()
  const store = await open(t, path, { maxTotalBytes: 10_000 })
  t.same(
    (await readAll(store, '')).map(({ seq }) => seq),
    Array.from({ length: 10 }, (_, at) => 41 + at),
  )
})

await t.test('a place in which no directory can be made is refused', async t => {
  await t.rejects(openFileStore('/proc/self/no/store'), { name: 'StoreError', message: /cannot be made/ })
})

await t.test('a directory is made, with all above it, for its owner alone', async t => {
  const path = join(newPath(t), 'a', 'b')
  await open(t, path)
  t.equal(statSync(path).mode & 0o777, 0o700)
})

await t.test('an empty directory is taken, also one that was left in the middle of being taken', async t => {
  for (const names of [[], ['lost+found'], ['msgbus-store.new']]) {
    const path = newPath(t)
    mkdirSync(path)
    for (const name of names) writeFileSync(join(path, name), 'msgb')
    const store = await open(t, path)
    await put(store, 'a', 'x')
  }
})

await t.test('a link to a directory is followed', async t => {
  const path = newPath(t)
  mkdirSync(path)
  symlinkSync(path, `${path}.link`)
  const store = await open(t, `${path}.link`)
  await put(store, 'a', 'x')
  t.ok(readdirSync(path).length > 0)
})

await t.test('what is not ours is refused in one line, and left as it is', async t => {
  const path = newPath(t)
  for (const [tree, reason] of [
    [
      { 'photo.jpg': 'x' },
      /the directory is not empty and holds no store of msgbus; nothing in it was changed$/,
    ],
    [{ LOCK: '', CURRENT: 'MANIFEST-000001\n', '000003.log': 'x' }, /holds no store of msgbus/],
    [{ 'msgbus-store': 'msgbus store, form 2\n', new: 'x' }, /it is of another version of msgbus$/],
    [{ 'msgbus-store': '' }, /it is of another version of msgbus$/],
  ] as const) {
    const place = `${path}-${readdirSync(t.testdirName).length}`
    mkdirSync(place)
    for (const [name, text] of Object.entries(tree)) writeFileSync(join(place, name), text)
    await t.rejects(openFileStore(place), { name: 'StoreError', isMisconfigured: true, message: reason })
    t.same(
      readdirSync(place).map(name => [name, readFileSync(join(place, name), 'latin1')]),
      Object.entries(tree).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    )
  }
  const file = `${path}.file`
  writeFileSync(file, 'x')
  for (const place of [file, join(file, 'below')]) {
    await t.rejects(openFileStore(place), {
      name: 'StoreError',
      message: /: it is no directory \(E[A-Z]+\)$/,
    })
  }
  t.equal(readFileSync(file, 'latin1'), 'x')
})

await t.test('one process has it at a time, and a dead one has it no more', async t => {
  const path = newPath(t)
  const child = startPublisher({ path, options: {}, first: 1, count: 1e6, publishers: 1 })
  t.teardown(() => child.kill('SIGKILL'))
  const said = listen(child)
  await once(child.stdout ?? child, 'data')
  const refused = openFileStore(path)
  await t.rejects(refused, { name: 'StoreError', isMisconfigured: false })
  await t.rejects(refused, { message: `Cannot open store "${path}": process ${child.pid} has it open` })
  child.kill('SIGKILL')
  await new Victim(path).check(1, await said)
})

await t.test('it cannot be opened twice by one process either, under whatever name', async t => {
  const path = newPath(t)
  const store = await open(t, path)
  symlinkSync(path, `${path}.link`)
  for (const name of [path, `${path}.link`]) await t.rejects(openFileStore(name), StoreError, name)
  await put(store, 'a', 'x')
})

await t.test('what a process was refused because it has it already, others are refused, too', async t => {
  const path = newPath(t)
  const store = await open(t, path)
  await t.rejects(openFileStore(path), {
    message: `Cannot open store "${path}": process ${process.pid} has it open`,
  })
  const quietly = ['sh', '-c', 'exec "$@" 2>/dev/null', 'sh']
  const child = startPublisher({ path, options: {}, first: 1, count: 1, publishers: 1 }, quietly)
  t.same(await listen(child), { epoch: undefined, acknowledged: new Map(), refusals: [], isClosed: false })
  await put(store, 'a', 'x')
  await store.close()
  t.same(await bodies(await open(t, path), 'a'), ['x'])
})

await t.test(
  'with an interval messages are acknowledged before they are on disk, and survive the process',
  async t => {
    const path = newPath(t)
    const options = { syncIntervalMs: 3_600_000 }
    const child = startPublisher({ path, options, first: 1, count: 1e6, publishers: 8 })
    t.teardown(() => child.kill('SIGKILL'))
    const said = listen(child)
    let saidBytes = 0
    child.stdout?.on('data', (data: string) => {
      saidBytes += data.length
      if (saidBytes > 2000) child.kill('SIGKILL')
    })
    const { acknowledged } = await said
    t.ok(acknowledged.size > 50)
    await new Victim(path, options).check(1, await said)
  },
)

await t.test('a body without bytes, and without memory, is there again', async t => {
  const path = newPath(t)
  const log = new TestLog()
  const first = await openFileStore(path)
  const body = new Uint8Array(new ArrayBuffer(0))
  await first.append([{ channel: 'a', type: 'a/b', sender: null, body }])
  await first.close()
  const store = await open(t, path, { log })
  t.same(await bodies(store, 'a'), [''])
  t.same(log.events, [])
})

await t.test('a limit that is none is refused', async t => {
  const path = newPath(t)
  await t.rejects(openFileStore(path, { maxCount: -1 }), RangeError)
  t.throws(() => statSync(path), { code: 'ENOENT' }, 'nothing was made')
})

await t.test('a store that is closed in the middle of reading says so', async t => {
  const path = newPath(t)
  const first = await openFileStore(path)
  await put(first, 'a', 'x')
  await first.close()
  const store = await open(t, path)
  const reading = Promise.resolve(store.read({ paths: ['a'], afterSeq: 0, maxCount: 9 }))
  const [result] = await Promise.allSettled([reading, store.close()])
  if (result.status === 'rejected') t.match(result.reason, { code: 'MSGBUS_CLOSED' })
  else t.equal(result.value.messages.length, 1)
})

await t.test('what happens to it is in the log', async t => {
  const log = new TestLog()
  const path = newPath(t)
  const store = await open(t, path, { log })
  await put(store, 'a', 'x')
  await store.close()
  await open(t, path, { log })
  t.same(log.events, [], 'nothing, as long as all is well')
})
