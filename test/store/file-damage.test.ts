// A store whose files are damaged: what was damaged is never delivered, whoever may miss something is told, and everything
// else is served.

import {
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type FileStore, openFileStore } from '../../src/store/file.ts'
import { TestLog } from '../wire/server.ts'
import { numberOf, draftOf } from './workload.ts'

// Small enough that most messages are in sorted files, and the last ones in the log.
const OPTIONS = { writeBufferBytes: 64 * 1024 }
const COUNT = 60

// Each message is followed, so many numbers later, by the next one of its channel.
const CHANNELS = 7

/** Makes a store that ended in the middle, and returns the names of the engine's files by their kind. */
async function makeStore(path: string) {
  const open = await openFileStore(`${path}.open`, OPTIONS)
  for (let number = 1; number <= COUNT; number++) await open.append([draftOf(number)])
  cpSync(`${path}.open`, path, { recursive: true })
  await open.close()
  const names = readdirSync(join(path, 'messages')).filter(
    name => statSync(join(path, 'messages', name)).size > 0,
  )
  const ofKind = (kind: RegExp): string => names.findLast(name => kind.test(name)) ?? ''
  return {
    epoch: open.epoch,
    tables: names.filter(name => name.endsWith('.ldb')),
    log: ofKind(/\.log$/),
    manifest: ofKind(/^MANIFEST/),
  }
}

/** What a store gives that was opened after damage. */
interface Outcome {
  readonly store: FileStore
  readonly numbers: readonly (number | null)[]
  readonly events: readonly string[]
}

async function openDamaged(t: Test, path: string): Promise<Outcome> {
  const log = new TestLog()
  const store = await openFileStore(path, { ...OPTIONS, log })
  t.teardown(() => store.close())
  const numbers: (number | null)[] = []
  let lostCount = 0
  for (let seq = 0, mark = 0; seq < store.lastSeq;) {
    const page = await store.read({ paths: [''], afterSeq: seq, maxCount: 256, mark })
    for (const message of page.messages) {
      const number = numberOf(message)
      if (number !== message.seq) throw new Error(`${message.seq} is not as it was`)
      numbers.push(number)
    }
    lostCount += page.lostCount ?? 0
    seq = page.seq
    mark = page.mark
  }
  t.ok(store.lastSeq >= COUNT, 'no number is given out again')
  t.ok(lostCount <= store.lastSeq - numbers.length)
  return { store, numbers, events: log.events.map(({ name }) => name) }
}

/** Nobody who may miss something is told that all is well. */
function checkTold(t: Test, { store, numbers }: Outcome, epoch: string): void {
  const kept = new Set(numbers)
  for (let seq = 0; seq < COUNT; seq++) {
    const isAllThere = Array.from({ length: COUNT - seq }, (_, at) => seq + 1 + at).every(next =>
      kept.has(next),
    )
    const { isReset, missedCount } = store.locate([''], { kind: 'after', cursor: { epoch, seq } })
    if (!isAllThere && !isReset && missedCount === 0) t.fail(`who has ${seq} is not told`)
    const { channel } = draftOf(seq)
    const isNextThere = seq + CHANNELS > COUNT || kept.has(seq + CHANNELS)
    const place = store.locate([channel], { kind: 'after', cursor: { epoch, seq } })
    if (!isNextThere && !place.isReset && place.missedCount === 0)
      t.fail(`who has ${seq} of ${channel} is not told`)
  }
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  const place = at < 0 ? bytes.length + at : Math.floor(bytes.length * at)
  bytes[place] = (bytes[place] ?? 0) ^ 0x40
  writeFileSync(file, bytes)
}

function zero(file: string): void {
  writeFileSync(file, Buffer.alloc(statSync(file).size))
}

function halve(file: string): void {
  truncateSync(file, statSync(file).size >> 1)
}

type Files = Awaited<ReturnType<typeof makeStore>>

const DAMAGES: readonly {
  readonly title: string
  readonly minKept: number
  readonly damage: (folder: string, files: Files) => void
}[] = [
  {
    title: 'a bit of a body in a table',
    minKept: COUNT - 1,
    damage: (folder, { tables }) => {
      flip(join(folder, tables[0] ?? ''), 0.4)
    },
  },
  {
    title: 'the index of a table',
    minKept: 1,
    damage: (folder, { tables }) => {
      flip(join(folder, tables[0] ?? ''), -100)
    },
  },
  {
    title: 'the foot of a table',
    minKept: 1,
    damage: (folder, { tables }) => {
      flip(join(folder, tables[0] ?? ''), -3)
    },
  },
  {
    title: 'a table of zeros',
    minKept: 1,
    damage: (folder, { tables }) => {
      zero(join(folder, tables[0] ?? ''))
    },
  },
  {
    title: 'half a table',
    minKept: 1,
    damage: (folder, { tables }) => {
      halve(join(folder, tables[0] ?? ''))
    },
  },
  {
    title: 'a table that is missing',
    minKept: 1,
    damage: (folder, { tables }) => {
      rmSync(join(folder, tables[0] ?? ''))
    },
  },
  {
    title: 'a bit in the middle of the log',
    minKept: 1,
    damage: (folder, { log }) => {
      flip(join(folder, log), 0.5)
    },
  },
  {
    title: 'the last bytes of the log',
    minKept: 1,
    damage: (folder, { log }) => {
      flip(join(folder, log), -10)
    },
  },
  {
    title: 'half the log',
    minKept: 1,
    damage: (folder, { log }) => {
      halve(join(folder, log))
    },
  },
  {
    title: 'a log of zeros',
    minKept: 1,
    damage: (folder, { log }) => {
      zero(join(folder, log))
    },
  },
  {
    title: 'a log that is missing',
    minKept: 1,
    damage: (folder, { log }) => {
      rmSync(join(folder, log))
    },
  },
  {
    title: 'a bit of the manifest',
    minKept: COUNT,
    damage: (folder, { manifest }) => {
      flip(join(folder, manifest), 20 / 1000)
    },
  },
  {
    title: 'a manifest of zeros',
    minKept: COUNT,
    damage: (folder, { manifest }) => {
      zero(join(folder, manifest))
    },
  },
  {
    title: 'a manifest that is missing',
    minKept: COUNT,
    damage: (folder, { manifest }) => {
      rmSync(join(folder, manifest))
    },
  },
  {
    title: 'a pointer to nowhere',
    minKept: COUNT,
    damage: folder => {
      writeFileSync(join(folder, 'CURRENT'), 'xx')
    },
  },
  {
    title: 'a pointer that is missing',
    minKept: COUNT,
    damage: folder => {
      rmSync(join(folder, 'CURRENT'))
    },
  },
  {
    title: 'a file of somebody else',
    minKept: COUNT,
    damage: folder => {
      writeFileSync(join(folder, '999999.ldb'), 'x')
    },
  },
  {
    title: 'a note of what was acknowledged that is none',
    minKept: COUNT,
    damage: folder => {
      writeFileSync(join(folder, '..', 'acknowledged'), 'x')
    },
  },
  {
    title: 'an empty folder',
    minKept: 0,
    damage: folder => {
      rmSync(folder, { recursive: true })
    },
  },
]

await t.test('damage', async t => {
  const root = t.testdir()
  const original = join(root, 'original')
  const files = await makeStore(original)
  t.ok(files.tables.length > 3 && files.log !== '' && files.manifest !== '')

  for (const [at, { title, minKept, damage }] of DAMAGES.entries()) {
    await t.test(title, async t => {
      const path = join(root, `${at}`)
      cpSync(original, path, { recursive: true })
      damage(join(path, 'messages'), files)
      const outcome = await openDamaged(t, path)
      const { store, numbers, events } = outcome
      t.ok(numbers.length >= minKept, `${numbers.length} of ${COUNT} are there`)
      if (numbers.length < COUNT) t.ok(events.length > 0, events.join())
      checkTold(t, outcome, files.epoch)
      // It goes on, and what it takes now is kept.
      const [message] = await store.append([draftOf(store.lastSeq + 1)])
      t.equal(message?.seq, store.lastSeq)
      await store.close()
      const again = await openDamaged(t, path)
      t.same(again.numbers, [...numbers, store.lastSeq])
      t.equal(again.store.epoch, store.epoch)
    })
  }

  await t.test('any bit of any file', async t => {
    for (let round = 0; round < 30; round++) {
      const path = join(root, `bit-${round}`)
      cpSync(original, path, { recursive: true })
      const names = [...files.tables, files.log, files.manifest]
      flip(join(path, 'messages', names[round % names.length] ?? ''), Math.random())
      const outcome = await openDamaged(t, path)
      checkTold(t, outcome, files.epoch)
      await outcome.store.close()
    }
  })

  await t.test('a bit that turns while the store is open', async t => {
    const path = join(root, 'open')
    cpSync(original, path, { recursive: true })
    const log = new TestLog()
    const store = await openFileStore(path, { ...OPTIONS, log })
    t.teardown(() => store.close())
    const [table = ''] = readdirSync(join(path, 'messages')).filter(name => name.endsWith('.ldb'))
    // In place: the engine has it mapped into memory.
    const file = join(path, 'messages', table)
    flip(file, 0.4)
    const { mark } = store.locate([''], { kind: 'all' })
    const numbers: number[] = []
    let lostCount = 0
    for (let seq = 0; seq < store.lastSeq;) {
      const page = await store.read({ paths: [''], afterSeq: seq, maxCount: 7, mark })
      t.ok(page.messages.every(message => numberOf(message) === message.seq))
      numbers.push(...page.messages.map(message => message.seq))
      lostCount += page.lostCount ?? 0
      seq = page.seq
    }
    t.equal(numbers.length, COUNT - 1)
    t.equal(lostCount, 1, 'told with the page that it is missing in')
    t.match(
      log.events.map(({ name }) => name),
      ['store.corrupt'],
      'once',
    )
    const [missing = 0] = Array.from({ length: COUNT }, (_, at) => at + 1).filter(
      seq => !numbers.includes(seq),
    )
    const { channel } = draftOf(missing)
    const after = (path: string, seq: number) => {
      const { isReset, missedCount } = store.locate([path], {
        kind: 'after',
        cursor: { epoch: store.epoch, seq },
      })
      return { isReset, missedCount }
    }
    t.same(after(channel, missing - 1), { isReset: false, missedCount: 1 })
    t.same(after(channel, missing), { isReset: false, missedCount: 0 })
    t.same(
      after(draftOf(missing + 1).channel, 0),
      { isReset: false, missedCount: 0 },
      'nobody else is concerned',
    )
  })

  await t.test('another store put in its place is another epoch', async t => {
    const path = join(root, 'swapped')
    cpSync(original, path, { recursive: true })
    rmSync(join(path, 'messages'), { recursive: true })
    await makeStore(join(root, 'other'))
    renameSync(join(root, 'other', 'messages'), join(path, 'messages'))
    const store = await openFileStore(path, OPTIONS)
    t.teardown(() => store.close())
    t.not(store.epoch, files.epoch)
  })
})
