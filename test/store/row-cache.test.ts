// What readers of the file store share who read the same rows: the read, the messages, and no more memory than is allowed.

import t from 'tap'
import { recordBytes, writeRecord } from '../../src/store/file/record.ts'
import { RowCache } from '../../src/store/file/row-cache.ts'
import type { Row } from '../../src/store/file/rows.ts'

const ROW_BYTES = 1_000

/** Row `number` holds one message, whose number is the same. */
function rowOf(number: number): Row {
  const size = { costBytes: ROW_BYTES, keptBytes: ROW_BYTES, keptCount: 1 }
  return { number, lastSeq: number, isUnreadable: false, ...size }
}

function bytesOf(number: number): Buffer {
  const draft = { channel: 'a', type: 'text/plain', sender: null, body: Buffer.from(`${number}`) }
  const bytes = Buffer.alloc(recordBytes(draft))
  writeRecord(bytes, 0, bytes.length, { ...draft, seq: number, time: 0, ordinal: 0 }, 0)
  return bytes
}

/** A disk that has rows up to 9 and notes what it is asked for. */
class Disk {
  readonly asked: number[][] = []
  fault: Error | null = null

  readonly read = (numbers: readonly number[]): Promise<ReadonlyMap<number, Buffer>> => {
    this.asked.push([...numbers])
    if (this.fault !== null) return Promise.reject(this.fault)
    return Promise.resolve(
      new Map(numbers.filter(number => number < 10).map(number => [number, bytesOf(number)])),
    )
  }
}

await t.test('readers who come together share one read, and each message', async t => {
  const disk = new Disk()
  const cache = new RowCache(disk.read)
  const rows = [1, 2, 3].map(rowOf)
  const [row] = rows
  const all = await Promise.all(Array.from({ length: 1_000 }, () => cache.get([...rows, ...rows])))
  t.same(disk.asked, [[1, 2, 3]])
  const messages = new Set(all.map(found => row && found.get(row)?.get(1, 'id')))
  t.equal(messages.size, 1)
  t.match([...messages], [{ id: 'id', seq: 1, body: Buffer.from('1') }])
  await cache.get([2, 4].map(rowOf))
  t.same(disk.asked.slice(1), [[4]], 'later ones ask for what is new')
})

await t.test('a message that a row does not have is not there', async t => {
  const row = rowOf(1)
  const found = await new RowCache(new Disk().read).get([row])
  t.equal(found.get(row)?.get(2, 'id'), undefined)
})

await t.test('no more is kept than is allowed, and what was read first goes first', async t => {
  const disk = new Disk()
  const cache = new RowCache(disk.read, 2 * ROW_BYTES)
  const rows = [1, 2, 3].map(rowOf)
  t.equal((await cache.get(rows)).size, 3, 'who asked has all of them')
  await cache.get(rows.slice(1))
  t.equal(disk.asked.length, 1)
  await cache.get(rows.slice(0, 1))
  t.same(disk.asked.slice(1), [[1]])
  const small = new RowCache(disk.read, ROW_BYTES - 1)
  t.equal((await small.get(rows)).size, 3)
  await small.get(rows)
  t.same(disk.asked.slice(2), [
    [1, 2, 3],
    [1, 2, 3],
  ])
})

await t.test('a row that is not there, or a disk that fails, is asked again', async t => {
  const disk = new Disk()
  const cache = new RowCache(disk.read)
  const [there, missing] = [rowOf(1), rowOf(10)]
  t.same([...(await cache.get([there, missing])).keys()], [there])
  disk.fault = new Error('the disk is on fire')
  await t.rejects(cache.get([there, missing]), disk.fault)
  disk.fault = null
  await cache.get([there, missing])
  t.same(disk.asked, [[1, 10], [10], [10]])
})
