// What the benchmark says of what its readers got: a figure must not count before this is right.

import t from 'tap'
import { Course } from '../../bench/peers/course.ts'
import { Reader } from '../../bench/peers/reader.ts'
import { blankBody, Stencil } from '../../bench/peers/stencil.ts'
import { Tally } from '../../bench/peers/tally.ts'

const BODY_BYTES = 100
const message = new Stencil(
  Buffer.concat([Buffer.from('head\r\n\r\n'), blankBody(BODY_BYTES), Buffer.from('\r\n')]),
)

function rig(readerCount: number): { course: Course; tally: Tally; readers: Reader[] } {
  const tally = new Tally()
  const course = new Course(BODY_BYTES, tally)
  return { course, tally, readers: Array.from({ length: readerCount }, () => new Reader(course, tally)) }
}

function send(course: Course, count: number): Buffer {
  const sent = Array.from({ length: count }, () => message.numbered(course.sends(performance.now())))
  return Buffer.concat(sent)
}

/** Hands bytes to a reader as they may come: in pieces of any size. */
function trickle(reader: Reader, bytes: Buffer, step: number): void {
  for (let at = 0; at < bytes.length; at += step) reader.take(bytes.subarray(at, at + step))
}

await t.test('what all readers get in pieces of their own sizes is right', t => {
  const { course, tally, readers } = rig(3)
  // Many times what is kept: the slowest reader is never far behind.
  for (let round = 0; round < 200; round++) {
    const bytes = send(course, 100)
    readers.forEach((reader, at) => {
      trickle(reader, bytes, [7, 1_000, 100_000][at] ?? 1)
    })
  }
  t.equal(tally.deliveredCount, 60_000)
  t.equal(tally.faultCount, 0)
  t.strictSame(
    readers.map(({ lastNumber }) => lastNumber),
    [19_999, 19_999, 19_999],
  )
  t.throws(() => course.join(), new RangeError('Cannot join: its first bytes are forgotten'))
  t.end()
})

await t.test('a reader that is far behind gets what is kept for it', t => {
  const { course, tally, readers } = rig(2)
  const [fast, slow] = readers
  const bytes = send(course, 10_000)
  fast?.take(bytes)
  fast?.take(send(course, 1))
  if (slow !== undefined) trickle(slow, bytes, 999)
  t.equal(tally.deliveredCount, 20_001)
  t.equal(tally.faultCount, 0)
  t.end()
})

await t.test('a message that one reader misses is missing in the count, and is no fault', t => {
  const { course, tally, readers } = rig(2)
  const before = send(course, 3)
  const lost = send(course, 1)
  const after = send(course, 3)
  readers[0]?.take(Buffer.concat([before, lost, after]))
  readers[1]?.take(Buffer.concat([before, after]))
  t.equal(tally.deliveredCount, 13)
  t.equal(tally.faultCount, 0)
  t.end()
})

for (const [what, spoil] of [
  ['another byte', (bytes: Buffer) => bytes.fill('x', 60, 61)],
  ['a message twice', (bytes: Buffer) => Buffer.concat([bytes, bytes.subarray(-110)])],
  ['messages out of order', (bytes: Buffer) => Buffer.concat([bytes.subarray(110), bytes.subarray(0, 110)])],
] as const) {
  await t.test(`${what} is a fault, at the first reader and at the others`, t => {
    for (const at of [0, 1]) {
      const { course, tally, readers } = rig(2)
      const bytes = send(course, 3)
      readers[0]?.take(at === 0 ? spoil(Buffer.from(bytes)) : bytes)
      readers[1]?.take(at === 1 ? spoil(Buffer.from(bytes)) : bytes)
      t.ok(tally.faultCount > 0)
    }
    t.end()
  })
}
