import t from 'tap'
import { completeRetention, DEFAULT_RETENTION, limitsByChannel } from '../../src/store/retention.ts'

await t.test('the longest path that fits counts, and what it does not name is as for all', t => {
  const rules = [
    { paths: ['a/'], maxCount: 1, maxAgeMs: 10 },
    { paths: ['a/b/', 'x'], maxCount: 2 },
    { paths: ['a/b'], maxBytes: 3 },
  ]
  const limitsOf = limitsByChannel({ ...DEFAULT_RETENTION, rules })
  const { maxCount, maxBytes, maxAgeMs } = DEFAULT_RETENTION
  const usual = { maxCount, maxBytes, maxAgeMs }
  for (const [channel, limits] of [
    ['a', usual],
    ['ab', usual],
    ['b/a', usual],
    ['x/a', usual],
    ['a/c', { ...usual, maxCount: 1, maxAgeMs: 10 }],
    ['a/bc/d', { ...usual, maxCount: 1, maxAgeMs: 10 }],
    ['a/b', { ...usual, maxBytes: 3 }],
    ['a/b/c', { ...usual, maxCount: 2 }],
    ['a/b/c/d', { ...usual, maxCount: 2 }],
    ['x', { ...usual, maxCount: 2 }],
  ] as const) {
    t.same(limitsOf(channel), limits, channel)
  }
  t.end()
})

await t.test('an empty path is everything, and the later of two rules for one path counts', t => {
  const rules = [
    { paths: [''], maxCount: 1 },
    { paths: ['a'], maxCount: 2 },
    { paths: ['a'], maxCount: 3 },
  ]
  const limitsOf = limitsByChannel({ ...DEFAULT_RETENTION, rules })
  t.same(
    ['b', 'b/c', 'a'].map(channel => limitsOf(channel).maxCount),
    [1, 1, 3],
  )
  t.end()
})

await t.test('a limit of a rule is checked like any other', t => {
  const rulesOf = (maxCount: number) => ({ rules: [{ paths: ['a'], maxCount }] })
  for (const wrong of [-1, NaN]) t.throws(() => completeRetention(rulesOf(wrong)), RangeError)
  for (const right of [0, 5, Infinity]) {
    t.same(completeRetention(rulesOf(right)), { ...DEFAULT_RETENTION, ...rulesOf(right) })
  }
  t.end()
})
