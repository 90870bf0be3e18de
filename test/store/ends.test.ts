// Notes of where channels ended: what is on disk of them, and what is still to be written.

import t from 'tap'
import { decodeEnd, encodeEnds, Ends } from '../../src/store/file/ends.ts'

const END = { seq: 2 ** 40 + 1, time: 1_700_000_000_123, ordinal: -1 }

await t.test('a note is read as it was written, on its own channel, or not at all', t => {
  const note = encodeEnds(new Map([['a/ü', END]])).get('a/ü') ?? Buffer.alloc(0)
  t.same(decodeEnd('a/ü', note), END)
  t.equal(decodeEnd('a/u', note), null)
  for (let at = 0; at < note.length; at++) {
    const damaged = Buffer.from(note)
    damaged[at] = (damaged[at] ?? 0) ^ 1
    t.equal(decodeEnd('a/ü', damaged), null)
    t.equal(decodeEnd('a/ü', note.subarray(0, at)), null)
  }
  t.end()
})

await t.test('what is taken is written once, and again if it could not be', t => {
  const ends = new Ends()
  ends.note('a', END)
  ends.note('b', END)
  ends.forget('b')
  const taken = ends.take()
  t.same([...encodeEnds(taken).keys()], ['a', 'b'])
  t.equal(encodeEnds(taken).get('b'), null, 'a channel that is forgotten has none')
  t.equal(ends.take().size, 0)
  ends.note('b', { ...END, seq: 7 })
  ends.putBack(taken)
  t.same(
    [...ends.take()],
    [
      ['a', END],
      ['b', { ...END, seq: 7 }],
    ],
    'what came meanwhile counts',
  )
  t.end()
})
