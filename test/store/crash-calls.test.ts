// What survives when a process ends at a call of its choice, when the power goes, and when the disk answers with an error:
// strace sees every change to the files of a store, and does to them what no test could time.

import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openFileStore } from '../../src/store/file.ts'
import { needs } from '../needs.ts'
import { listen, readNumbers, type Said, Victim } from './killing.ts'
import { type Call, CHANGES, readTrace, tracePublisher, type TraceOptions } from './tracing.ts'
import { draftOf } from './workload.ts'

t.setTimeout(600_000)

// Small enough that a few messages make the engine begin a new log and sort the old one into a file.
const OPTIONS = { writeBufferBytes: 64 * 1024 }

// A small message, larger ones that fill the log, and small ones again.
const SIZES = [
  [1, 1_000],
  [20_000, 60_000],
  [60_000, 130_000],
  [1, 1_000],
  [1, 30_000],
] as const

const FIRST = Array.from({ length: 2_000_000 }, (_, number) => number).find(number =>
  SIZES.every(([min, max], at) => {
    const { length } = draftOf(number + at).body
    return length >= min && length <= max
  }),
)

function workIn(path: string, count: number = SIZES.length) {
  if (FIRST === undefined) throw new Error('Cannot find messages of these sizes')
  return { path, options: OPTIONS, first: FIRST, count, publishers: 1 }
}

async function run(options: TraceOptions): Promise<Said> {
  return listen(tracePublisher(options))
}

if (needs(t, 'strace')) {
  await t.test('a process that ends at any call leaves what it acknowledged', async t => {
    const root = t.testdir()
    const lanes = [CHANGES.filter((_, at) => at % 2 === 0), CHANGES.filter((_, at) => at % 2 === 1)]
    const killAt = async (call: string, count: number): Promise<boolean> => {
      const path = join(root, `${call}-${count}`)
      const work = workIn(path)
      const said = await run({
        work,
        traceFile: `${path}.trace`,
        inject: `${call}:signal=KILL:when=${count}`,
      })
      await new Victim(path, OPTIONS).check(work.first, said)
      rmSync(path, { recursive: true })
      return !said.isClosed
    }
    const killed = await Promise.all(
      lanes.map(async lane => {
        let killCount = 0
        for (const call of lane) for (let count = 1; await killAt(call, count); count++) killCount++
        return killCount
      }),
    )
    const killCount = killed.reduce((sum, count) => sum + count, 0)
    t.ok(killCount > 60, `ended at ${killCount} calls`)
  })

  await t.test('a message is on disk, under a name that is too, before it is acknowledged', async t => {
    const path = join(t.testdir(), 'store')
    const traceFile = `${path}.trace`
    const said = await run({ work: workIn(path), traceFile, only: null })
    t.ok(said.isClosed)
    const calls = readTrace(traceFile)
    const acknowledgements = calls.filter(
      ({ name, text }) => name === 'write' && /^write\(1<.*"\d+ \d+\\n"/.test(text),
    )
    t.equal(acknowledgements.length, SIZES.length)
    for (const acknowledgement of acknowledgements) {
      const before = calls.filter(call => call.end < acknowledgement.start)
      const isLog = ({ file }: Call): boolean => file.endsWith('.log')
      const written = before.findLast(call => call.name === 'write' && isLog(call))
      const synced = before.findLast(call => call.name === 'fdatasync' && isLog(call) && call.result === 0)
      t.ok(written !== undefined && synced !== undefined && synced.start > written.end, 'its bytes')
      t.equal(synced?.file, written?.file)
      const named = before.findLast(
        call => call.name === 'openat' && isLog(call) && call.text.includes('O_CREAT'),
      )
      const kept = before.findLast(
        call => call.name === 'fsync' && call.file === 'messages' && call.result === 0,
      )
      t.ok(named !== undefined && kept !== undefined && kept.start > named.end, 'its name')
    }
  })

  await t.test('nothing acknowledged is lost when the power goes', async t => {
    const root = t.testdir()
    for (let round = 0; round < 12; round++) {
      const path = join(root, `${round}`)
      const traceFile = `${path}.trace`
      const work = { ...workIn(path, 1_000_000), publishers: 1 + (round % 3) * 8 }
      const child = tracePublisher({ work, traceFile })
      const saying = listen(child)
      await once(child.stdout ?? child, 'data')
      await sleep(Math.random() * 300)
      // strace is to see its end.
      process.kill(Number.parseInt(readFileSync(join(path, 'process'), 'latin1'), 10), 'SIGKILL')
      const said = await saying
      cutPower(path, traceFile)
      await new Victim(path, OPTIONS).check(work.first, said)
    }
    t.pass('12 times')
  })

  for (const [call, file] of [
    ['fdatasync', 'messages/000003.log'],
    ['write', 'messages/000003.log'],
    // Of which the engine knows nothing.
    ['fsync', 'messages'],
  ] as const) {
    await t.test(
      `after EIO from ${call} nothing is acknowledged until the store is opened again`,
      async t => {
        const path = join(t.testdir(), 'store')
        const work = workIn(path, 40)
        const options = { work, traceFile: `${path}.trace`, only: [file] }
        // Only once: the next one would succeed.
        const said = await run({ ...options, inject: `${call}:error=EIO:when=3` })
        t.ok(said.isClosed)
        t.ok(said.acknowledged.size > 0)
        t.same([...new Set(said.refusals)], ['MSGBUS_STORE'])
        t.equal(said.acknowledged.size + said.refusals.length, 40)
        t.same(
          [...said.acknowledged.values()],
          Array.from({ length: said.acknowledged.size }, (_, at) => work.first + at),
          'none behind the first that was refused',
        )
        await checkKept(t, path, work.first, said)
      },
    )
  }

  await t.test('after a full disk it goes on, and loses nothing of what it acknowledges then', async t => {
    const path = join(t.testdir(), 'store')
    const work = workIn(path, 40)
    const options = { work, traceFile: `${path}.trace`, only: ['messages/000003.log'] }
    const said = await run({ ...options, inject: 'write:error=ENOSPC:when=3' })
    t.ok(said.isClosed)
    t.same([...new Set(said.refusals)], ['MSGBUS_STORE_FULL'])
    const numbers = [...said.acknowledged.values()]
    t.ok(numbers.includes(work.first + 39), 'it went on')
    t.ok(numbers.length < 40, 'behind what it refused')
    await checkKept(t, path, work.first, said)
  })
}

/** Leaves of each file what was synced, and of the folder the files whose names were. */
function cutPower(path: string, traceFile: string): void {
  const folder = join(path, 'messages')
  const sizes = new Map<string, { byteCount: number; syncedCount: number; isNamed: boolean }>()
  for (const { name, file, text, result } of readTrace(traceFile)) {
    if (result < 0) continue
    if (name === 'openat' && text.includes('O_TRUNC'))
      sizes.set(file, { byteCount: 0, syncedCount: 0, isNamed: false })
    const size = sizes.get(file)
    if (name === 'write' && size !== undefined) size.byteCount += result
    if (name === 'fdatasync' && size !== undefined) size.syncedCount = size.byteCount
    if (name === 'fsync' && file === 'messages') for (const each of sizes.values()) each.isNamed = true
  }
  for (const [file, { syncedCount, isNamed }] of sizes) {
    const place = join(folder, file)
    if (!existsSync(place)) continue
    if (isNamed) truncateSync(place, syncedCount)
    else rmSync(place)
  }
}

async function checkKept(t: Test, path: string, first: number, { acknowledged }: Said): Promise<void> {
  const store = await openFileStore(path, OPTIONS)
  t.teardown(() => store.close())
  const numbers = await readNumbers(store)
  for (const [seq, number] of acknowledged) {
    if (numbers[seq - 1] !== number)
      t.fail(`seq ${seq} was acknowledged as ${number}, and is ${numbers[seq - 1]}`)
  }
  t.ok(
    numbers.every(number => number !== null && number >= first),
    'nothing else is there',
  )
}
