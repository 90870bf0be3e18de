import t from 'tap'
import { Pacer } from '../../tools/test-pub/pacer.ts'

const MS = 1e6

await t.test('messages are due at equal intervals from the start, the first one at once', t => {
  const pacer = new Pacer(1_000, 100)
  t.equal(pacer.dueCount(999), 0)
  t.equal(pacer.dueCount(1_000), 1)
  t.equal(pacer.dueCount(1_000 + 10 * MS - 1), 1)
  t.equal(pacer.dueCount(1_000 + 10 * MS), 2)
  t.equal(pacer.dueCount(1_000 + 3_600_000 * MS), 360_001)
  t.end()
})

await t.test('the wait for the next one counts from the start, so that no delay adds up', t => {
  const pacer = new Pacer(0, 100)
  t.equal(pacer.waitMs(1, 0), 10)
  t.equal(pacer.waitMs(1, 4 * MS), 6)
  t.equal(pacer.waitMs(1, 9.5 * MS), 1)
  t.equal(pacer.waitMs(2, 19 * MS), 1)
  t.end()
})

await t.test('a message that had to wait for its turn carries the time when it was due', t => {
  const pacer = new Pacer(0, 100)
  t.equal(pacer.sendingNs(3, 31 * MS), 31 * MS)
  t.equal(pacer.sendingNs(3, 500 * MS), 30 * MS)
  t.end()
})

await t.test('without a rate everything is due, and goes when it goes', t => {
  const pacer = new Pacer(5, Infinity)
  t.equal(pacer.dueCount(4), 0)
  t.equal(pacer.dueCount(5), Infinity)
  t.equal(pacer.sendingNs(3, 500 * MS), 500 * MS)
  t.end()
})
