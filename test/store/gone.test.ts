import fc from 'fast-check'
import t from 'tap'
import { type Gone, GoneRow, NOT_GONE } from '../../src/store/gone.ts'

function goneAt(at: number): Gone {
  return { seq: at, mark: at + 1, second: at + 2, ordinal: at + 3 }
}

await t.test('a row of what is gone does what an array does, whatever is done to it', t => {
  // As many in a row as it takes for the ring to grow while its start stands somewhere in it.
  const run = fc.record({ pushCount: fc.nat({ max: 12 }), shiftCount: fc.nat({ max: 10 }) })
  fc.assert(
    fc.property(fc.array(run, { maxLength: 40 }), runs => {
      const row = new GoneRow()
      const model: Gone[] = []
      let at = 0
      for (const { pushCount, shiftCount } of runs) {
        for (let i = 0; i < pushCount; i++, at++) {
          const gone = goneAt(at)
          row.push(gone.seq, gone.mark, gone.second, gone.ordinal)
          model.push(gone)
        }
        for (let i = 0; i < shiftCount; i++) {
          const gone = { ...NOT_GONE }
          row.shiftTo(gone)
          if (JSON.stringify(gone) !== JSON.stringify(model.shift() ?? NOT_GONE)) return false
        }
        const middle = model[model.length >> 1]?.seq ?? 0
        const isSame =
          row.length === model.length &&
          JSON.stringify(row.last) === JSON.stringify(model.at(-1)) &&
          row.countFrom(({ seq }) => seq >= middle) === model.filter(({ seq }) => seq >= middle).length
        if (!isSame) return false
      }
      return true
    }),
    { seed: 1, numRuns: 300 },
  )
  t.end()
})

await t.test('an empty row has nothing', t => {
  const row = new GoneRow()
  t.equal(row.length, 0)
  t.equal(row.last, undefined)
  const gone = goneAt(7)
  row.shiftTo(gone)
  t.same(gone, goneAt(7))
  t.equal(
    row.countFrom(() => true),
    0,
  )
  t.end()
})
