// What a worker remembers of the newest messages: bounded, whatever is under way.

import t from 'tap'
import type { Message } from '../../../src/message.ts'
import { Recent } from '../../../src/store/remote/recent.ts'

const MAX_COUNT = 1_000

function messageOf(seq: number): Message {
  const body = Buffer.from('x')
  return { id: `e-${seq}`, seq, time: 0, ordinal: 0, channel: 'a', type: 'a/b', sender: null, body }
}

await t.test('what is needed stays, however much it is, and goes when it is not needed any more', t => {
  const recent = new Recent()
  for (let seq = 1; seq <= 2 * MAX_COUNT; seq++) recent.push(messageOf(seq), 1)
  t.equal(recent.get(1)?.seq, 1)
  recent.push(messageOf(2 * MAX_COUNT + 1), Infinity)
  t.equal(recent.get(MAX_COUNT + 1), undefined)
  t.equal(recent.get(MAX_COUNT + 2)?.seq, MAX_COUNT + 2)
  t.end()
})

await t.test('somebody who always asks does not keep all messages', t => {
  const recent = new Recent()
  const last = 5 * MAX_COUNT
  for (let seq = 1; seq <= last; seq++) recent.push(messageOf(seq), recent.firstSeq(seq - 1))
  t.equal(recent.get(last)?.seq, last)
  t.equal(recent.get(last - MAX_COUNT - 1), undefined)
  t.end()
})
