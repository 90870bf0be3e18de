// A map that forgets.

import t from 'tap'
import { RecentMap } from '../../../src/protocols/hbpush/recent-map.ts'

await t.test('what was asked for longest ago is forgotten first', t => {
  const map = new RecentMap<string, number>(3)
  for (const [at, key] of ['a', 'b', 'c'].entries()) map.set(key, at)
  t.equal(map.get('a'), 0)
  map.set('d', 3)
  t.same(
    ['a', 'b', 'c', 'd'].map(key => map.get(key)),
    [0, undefined, 2, 3],
  )
  map.set('c', 22)
  map.set('e', 4)
  t.same(
    ['a', 'c', 'd', 'e'].map(key => map.get(key)),
    [undefined, 22, 3, 4],
  )
  t.end()
})
