import t from 'tap'
import { Sequences } from '../../tools/test-sub/sequences.ts'
import { type Source, Tally } from '../../tools/test-sub/tally.ts'

const RUN_NS = 1_000

function source(index = 0, options: Partial<Source> = {}): Source {
  return { index, clock: 1, runNs: RUN_NS, publisher: 0, channel: 1, isOfThisClock: true, ...options }
}

/** What these numbers of one source come to, for a reader that opened before the run began unless told otherwise. */
function counts(numbers: readonly number[], openedNs = RUN_NS - 1, of = source()) {
  const tally = new Tally()
  const sequences = new Sequences(tally)
  sequences.open(openedNs)
  for (const number of numbers) sequences.take(of, number)
  return countsOf(tally)
}

function countsOf({ lostCount, skippedCount, repeatedCount, reorderedCount }: Tally) {
  return { lost: lostCount, skipped: skippedCount, repeated: repeatedCount, reordered: reorderedCount }
}

const CLEAN = { lost: 0, skipped: 0, repeated: 0, reordered: 0 }

await t.test('numbers in order, each once, are clean', t => {
  t.strictSame(counts([0, 1, 2, 3]), CLEAN)
  t.end()
})

await t.test('what is left out is lost, and what comes later after all is out of order', t => {
  t.strictSame(counts([0, 4]), { ...CLEAN, lost: 3 })
  t.strictSame(counts([0, 4, 2]), { ...CLEAN, lost: 2, reordered: 1 })
  t.strictSame(counts([0, 4, 2, 1, 3, 5]), { ...CLEAN, reordered: 3 })
  t.strictSame(counts([0, 2, 4, 1, 3]), { ...CLEAN, reordered: 2 })
  t.end()
})

await t.test('what comes again is repeated, late ones too', t => {
  t.strictSame(counts([0, 1, 1, 0]), { ...CLEAN, repeated: 2 })
  t.strictSame(counts([0, 2, 1, 1]), { ...CLEAN, reordered: 1, repeated: 1 })
  t.end()
})

await t.test(
  'of a run that began after the stream every number is due, of others those from the first on',
  t => {
    t.strictSame(counts([2, 3]), { ...CLEAN, lost: 2 })
    t.strictSame(counts([2, 3], RUN_NS + 1), CLEAN)
    t.strictSame(counts([2, 3], RUN_NS - 1, source(0, { isOfThisClock: false })), CLEAN)
    t.end()
  },
)

await t.test('each source has numbers of its own', t => {
  const tally = new Tally()
  const sequences = new Sequences(tally)
  sequences.open(0)
  for (const number of [0, 1, 2]) for (const index of [0, 3, 1]) sequences.take(source(index), number)
  t.strictSame(countsOf(tally), CLEAN)
  sequences.take(source(3), 4)
  t.strictSame(countsOf(tally), { ...CLEAN, lost: 1 })
  t.end()
})

await t.test('what the server has told of is not lost a second time, whichever source it shows in', t => {
  const tally = new Tally()
  const sequences = new Sequences(tally)
  sequences.open(0)
  sequences.take(source(0), 0)
  sequences.take(source(1), 0)
  sequences.tellSkipped(3)
  sequences.take(source(0), 3)
  sequences.take(source(1), 2)
  t.strictSame(countsOf(tally), { ...CLEAN, skipped: 3 })
  sequences.take(source(1), 5)
  t.strictSame(countsOf(tally), { ...CLEAN, skipped: 3, lost: 2 })
  t.end()
})

await t.test('a damaged message fills its place, if that is the next one', t => {
  const tally = new Tally()
  const sequences = new Sequences(tally)
  sequences.open(0)
  sequences.take(source(), 0)
  sequences.takeDamaged(source(), 1)
  sequences.takeDamaged(source(), 7)
  sequences.take(source(), 2)
  t.strictSame(countsOf(tally), CLEAN)
  t.end()
})
