// A store on a full disk: publishing is refused, reading goes on, nothing that was acknowledged is lost, and as soon as there
// is room it goes on by itself.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openFileStore } from '../../src/store/file.ts'
import { needs } from '../needs.ts'
import { TestLog } from '../wire/server.ts'
import { readNumbers } from './killing.ts'
import { draftOf } from './workload.ts'

const OPTIONS = { writeBufferBytes: 256 * 1024 }
const DISK_BYTES = 16 * 2 ** 20
const TIMEOUT_MS = 60_000

/** Mounts a small disk, or says why not. */
function mountDisk(t: Test): string | null {
  if (!needs(t, process.getuid?.() === 0 ? 'mount' : '/only/root/may/mount')) return null
  // Not in the test's own folder, which is removed before anything else is.
  const path = mkdtempSync(join(tmpdir(), 'msgbus-disk-'))
  const leave = (): void => {
    spawnSync('umount', ['--lazy', path])
    rmSync(path, { recursive: true, force: true })
  }
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', path])
  t.teardown(leave)
  if (status !== 0) throw new Error(`Cannot mount a disk: ${stderr.toString()}`)
  return path
}

/** Waits, and keeps this process alive meanwhile: a store alone does not. */
async function withinReason(promise: Promise<unknown>): Promise<void> {
  const deadline = setTimeout(() => undefined, TIMEOUT_MS)
  await promise.finally(() => {
    clearTimeout(deadline)
  })
}

await t.test('a full disk', async t => {
  const disk = mountDisk(t)
  if (disk === null) return
  const path = join(disk, 'store')
  const ballast = join(disk, 'ballast')
  const log = new TestLog()
  const store = await openFileStore(path, { ...OPTIONS, log })
  const acknowledged: number[] = []
  const refusals: unknown[] = []
  let number = 0
  const publish = async (): Promise<boolean> => {
    try {
      await store.append([draftOf(++number)])
      acknowledged.push(number)
      return true
    } catch (error) {
      refusals.push((error as { code?: string }).code)
      return false
    }
  }
  const delivered: string[] = []
  store.follow(({ sender }) => delivered.push(sender ?? ''))

  for (let round = 1; round <= 3; round++) {
    for (let at = 0; at < 50; at++) await publish()
    // All but a little.
    const { bsize, bavail } = statfsSync(disk)
    writeFileSync(ballast, Buffer.alloc(bsize * Math.max(0, bavail - 8 * round)))
    while (await publish());
    t.match(await log.until('store.full', round), { directory: path })
    t.equal(await publish(), false)
    t.same([...new Set(refusals)], ['MSGBUS_STORE_FULL'])
    t.equal((await readNumbers(store)).length, acknowledged.length, 'reading goes on')
    rmSync(ballast)
    await withinReason(log.until('store.room', round))
    t.equal(await publish(), true, 'there is room again')
  }
  await publish()
  t.same(delivered.map(Number), acknowledged, 'what was refused was not delivered')
  t.same(await readNumbers(store), acknowledged)
  await store.close()
  const again = await openFileStore(path, OPTIONS)
  t.teardown(() => again.close())
  t.equal(again.epoch, store.epoch)
  t.same(await readNumbers(again), acknowledged)
})

await t.test('where channels end that went while the disk was full is known all the same', async t => {
  const disk = mountDisk(t)
  if (disk === null) return
  const path = join(disk, 'store')
  const ballast = join(disk, 'ballast')
  const log = new TestLog()
  const options = { ...OPTIONS, rules: [{ paths: ['end/'], maxCount: 0 }], log }
  const store = await openFileStore(path, options)
  const { bsize, bavail } = statfsSync(disk)
  writeFileSync(ballast, Buffer.alloc(bsize * (bavail - 40)))
  let count = 0
  // Each write has to say, too, that the channel of the one before has ended.
  const publish = async (): Promise<boolean> => {
    return store.append([{ ...draftOf(1), channel: `end/${count + 1}`, body: Buffer.alloc(9000) }]).then(
      () => ++count > 0,
      () => false,
    )
  }
  while (await publish());
  t.ok(count > 1)
  await log.until('store.full')
  rmSync(ballast)
  await withinReason(log.until('store.room'))
  await store.append([draftOf(1)])
  await store.close()
  const again = await openFileStore(path, options)
  t.teardown(() => again.close())
  for (let number = 1; number <= count; number++) {
    const cursor = { epoch: again.epoch, seq: number - 1 }
    const { isReset, missedCount } = again.locate([`end/${number}`], { kind: 'after', cursor })
    t.ok(isReset || missedCount === 1, `${number} of ${count}`)
  }
})

await t.test('a store cannot be opened on a disk that is full, and says so', async t => {
  const disk = mountDisk(t)
  if (disk === null) return
  const path = join(disk, 'store')
  const first = await openFileStore(path, OPTIONS)
  await first.append([draftOf(1)])
  await first.close()
  const { bsize, bavail } = statfsSync(disk)
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(bsize * bavail))
  await t.rejects(openFileStore(path, OPTIONS), {
    name: 'StoreError',
    message: /: the disk is full(?: \(ENOSPC\))?$/,
  })
  rmSync(ballast)
  const store = await openFileStore(path, OPTIONS)
  t.teardown(() => store.close())
  t.same(await readNumbers(store), [1])
})
