import t from 'tap'
import type { Message } from '../../src/message.ts'
import { ChannelLog, costOf } from '../../src/store/channel-log.ts'
import { DEFAULT_RETENTION } from '../../src/store/retention.ts'

function messageOf(seq: number, body = ''): Message {
  return {
    ...{ id: `e-${seq}`, seq, channel: 'a', time: 1000 * seq, ordinal: 0, type: 'text/plain', sender: null },
    body: Buffer.from(body),
  }
}

function logOf(...seqs: readonly number[]): ChannelLog {
  const log = new ChannelLog('a', DEFAULT_RETENTION)
  for (const seq of seqs) log.push(messageOf(seq))
  return log
}

function seqsOf(messages: readonly Message[]): readonly number[] {
  return messages.map(({ seq }) => seq)
}

await t.test('it counts what it keeps, and what it ever had', t => {
  const log = new ChannelLog('a', DEFAULT_RETENTION)
  const messages = [messageOf(2, 'xy'), messageOf(5, ''), messageOf(9, 'z')]
  for (const message of messages) log.push(message)
  const all = messages.reduce((sum, message) => sum + costOf(message), 0)
  t.match(log, { keptCount: 3, messageCount: 3, byteCount: 3, costBytes: all })
  t.same(log.latest, { seq: 9, time: 9000, ordinal: 0 })
  t.equal(log.oldest, messages[0])
  t.equal(log.newest, messages[2])
  t.equal(log.shift(1), messages[0])
  t.match(log, { keptCount: 2, messageCount: 3, byteCount: 3, costBytes: all - costOf(messageOf(0, 'xy')) })
  t.same(
    [2, 5, 9].map(seq => log.holds(messageOf(seq))),
    [false, true, true],
  )
  t.end()
})

await t.test('it reads from the middle and from the end', t => {
  const log = logOf(2, 5, 9)
  t.same(seqsOf(log.after(0, 9)), [2, 5, 9])
  t.same(seqsOf(log.after(2, 9)), [5, 9])
  t.same(seqsOf(log.after(4, 1)), [5])
  t.same(seqsOf(log.after(9, 9)), [])
  t.same(seqsOf(log.last(0)), [])
  t.same(seqsOf(log.last(2)), [5, 9])
  t.same(seqsOf(log.last(9)), [2, 5, 9])
  t.end()
})

await t.test('what is gone is counted behind a number and since a mark, until it is forgotten', t => {
  const log = logOf(2, 5, 9, 11)
  for (const mark of [3, 4, 8]) log.shift(mark)
  t.same(
    [0, 2, 4, 5, 9, 11].map(seq => log.missedCount(seq, 0)),
    [3, 2, 2, 1, 0, 0],
  )
  t.same(
    [0, 3, 4, 7, 8].map(mark => log.missedCount(0, mark)),
    [3, 2, 1, 1, 0],
  )
  t.equal(log.missedCount(5, 4), 1)
  t.same(log.allGone, { seq: 11, mark: 8, second: 11, ordinal: 0 }, 'once all of it is gone')
  log.forget()
  t.equal(log.rememberedCount, 2)
  t.same(
    [0, 1, 2, 5].map(seq => log.missedCount(seq, 0)),
    [null, null, 2, 1],
  )
  t.same(
    [2, 3].map(mark => log.missedCount(0, mark)),
    [null, 2],
  )
  log.forget()
  log.forget()
  t.equal(log.missedCount(8, 0), null)
  t.equal(log.missedCount(9, 0), 0)
  t.same(log.allGone, { seq: 11, mark: 8, second: 11, ordinal: 0 }, 'the mark of the last is known for ever')
  t.end()
})

await t.test('what it may have had before its first message is gone for whoever was there', t => {
  const log = new ChannelLog('a', DEFAULT_RETENTION, { seq: 4, mark: 2, second: 4, ordinal: 3 })
  t.same(log.latest, { seq: 4, time: 4_000, ordinal: 3 })
  t.same(
    [3, 4].map(seq => log.missedCount(seq, 0)),
    [null, 0],
  )
  t.same(
    [2, 3].map(ordinal => log.missedCountAfter({ second: 4, ordinal })),
    [null, 0],
  )
  t.equal(log.missedCount(3, 2), 0, 'not for who came later')
  t.end()
})

await t.test('it may have gone on behind what is there, which nobody can count', t => {
  const log = logOf(2, 5)
  t.notOk(log.endAt({ seq: 5, time: 9_000, ordinal: 9 }, 1), 'that is known')
  t.ok(log.endAt({ seq: 8, time: 8_500, ordinal: 1 }, 1))
  t.same(log.latest, { seq: 8, time: 8_500, ordinal: 1 })
  t.same(
    [0, 5, 7, 8].map(seq => log.missedCount(seq, 0)),
    [null, null, null, 0],
  )
  t.same(log.missedCountAfter({ second: 8, ordinal: 0 }), null)
  t.ok(log.endAt({ seq: 9, time: 1_000, ordinal: 0 }, 1))
  t.same(log.latest, { seq: 9, time: 8_500, ordinal: 1 }, 'moments never fall')
  t.end()
})

await t.test('an empty one has no oldest, no newest and nothing to let go', t => {
  const log = logOf()
  t.equal(log.oldest, undefined)
  t.equal(log.newest, undefined)
  t.equal(log.shift(1), undefined)
  t.match(log, { keptCount: 0, rememberedCount: 0, costBytes: 0, latest: { seq: 0 } })
  log.forget()
  t.equal(log.missedCount(0, 0), 0)
  t.end()
})
