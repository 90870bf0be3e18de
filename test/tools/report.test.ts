import t from 'tap'
import { Latency } from '../../tools/latency.ts'
import { countOf, rows, short, times } from '../../tools/report.ts'

await t.test('numbers are written with as many digits as matter, and all of them before the point', t => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0'],
    [0.012345, '0.0123'],
    [0.5, '0.5'],
    [10, '10'],
    [99.94, '99.9'],
    [99.99, '100'],
    [100, '100'],
    [1_234_567.8, '1,234,568'],
  ]
  for (const [value, text] of cases) t.equal(short(value), text)
  t.equal(countOf(1, 'message'), '1 message')
  t.equal(countOf(1_000, 'message'), '1,000 messages')
  t.equal(
    rows([
      ['a', 'x'],
      ['long', 'y'],
    ]),
    'a     x\nlong  y\n',
  )
  t.end()
})

await t.test('times are those of the histogram, in milliseconds, and the longest one is exact', t => {
  const latency = new Latency()
  t.equal(latency.summary(), null)
  t.equal(times(null), 'not known')
  for (let us = 1; us <= 1_000; us++) latency.record(us * 1_000)
  latency.record(7_654_321_000)
  t.match(latency.summary(), { p50: 0.501, p99: 0.991, max: 7_654.321 })
  const summary = { p50: 0.5, p99: 1.25, p999: 10, max: 7_654.321 }
  t.equal(times(summary), 'p50 0.5 ms, p99 1.25 ms, p99.9 10 ms, max 7,654 ms')
  t.end()
})

await t.test('a time that cannot be breaks nothing', t => {
  const latency = new Latency()
  for (const ns of [-5, 0, 1e18, Infinity]) latency.record(ns)
  t.strictSame(latency.summary(), { p50: 0.001, p99: 3_600_000, p999: 3_600_000, max: 3_600_000 })
  t.end()
})
