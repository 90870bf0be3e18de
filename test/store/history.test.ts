// What a store has to be told so that its next life knows as much: which channels end with a message that is not kept, and
// which nobody remembers. And what it makes of that.

import t from 'tap'
import { History } from '../../src/store/history.ts'
import { completeRetention, type Retention } from '../../src/store/retention.ts'
import type { KeptMessage } from '../../src/store/store.ts'

const EPOCH = 'e'
const NOW_MS = 100_000
const NOBODY = { seq: 0, second: 0, ordinal: -1 }

/** Message `seq` of a channel came in second `seq`. */
function messageOf(channel: string, seq: number): KeptMessage {
  const times = { time: seq * 1000, ordinal: 0 }
  return { id: `${EPOCH}-${seq}`, seq, channel, ...times, type: 'a/b', sender: null, body: { length: 0 } }
}

function open(retention: Partial<Retention> = {}) {
  const ended: string[] = []
  const forgotten: string[] = []
  const history = new History<KeptMessage>({
    retention: completeRetention({ maxAgeMs: Infinity, ...retention }),
    now: () => NOW_MS,
    onEnded: ({ name, latest }) => ended.push(`${name} ${latest.seq}`),
    onForgotten: channel => forgotten.push(channel),
  })
  const put = (channel: string): KeptMessage => {
    const message = messageOf(channel, history.lastSeq + 1)
    history.push(message)
    return message
  }
  return { history, ended, forgotten, put }
}

/** What readers of these paths are told, by id and by moment. */
function told(history: History<KeptMessage>, path: string, seq: number): readonly (number | 'reset')[] {
  const paths = path.split(',')
  return [
    history.locate(EPOCH, paths, { kind: 'after', cursor: { epoch: EPOCH, seq } }),
    history.locate(EPOCH, paths, { kind: 'moment', moment: { second: seq, ordinal: 0 } }),
  ].map(({ isReset, missedCount }) => (isReset ? 'reset' : missedCount))
}

await t.test('a channel has ended when nothing is kept of it, or its last message is lost', t => {
  const { history, ended, put } = open({ rules: [{ paths: ['none'], maxCount: 0 }] })
  put('none')
  t.same(ended, ['none 1'])
  const [first, , last] = [put('a'), put('b'), put('a')]
  history.lose(first)
  t.same(ended, ['none 1'], 'the last is there')
  history.lose(last)
  t.same(ended, ['none 1', 'a 4'])
  put('none')
  t.same(ended, ['none 1', 'a 4', 'none 5'])
  t.end()
})

await t.test('a channel that is lost, and then forgotten, is told of by number and by moment', t => {
  const { history, forgotten, put } = open()
  history.lose(put('lost'))
  for (let at = 0; at < 100_000; at++) put(`c/${at}`)
  t.same(forgotten, ['lost'])
  t.same(history.forgotten, { seq: 1, second: 1, ordinal: 0 })
  t.same(told(history, 'lost', 0), [1, 'reset'])
  t.same(history.lastOf('lost'), { seq: 1, time: 1000, ordinal: 0 })
  t.end()
})

await t.test('more is lost than can be counted: those are told who read that channel', t => {
  const { history, put } = open({ maxCount: Infinity, maxTotalCount: Infinity })
  put('quiet')
  const messages = Array.from({ length: 10_001 }, () => put('a'))
  put('a')
  for (const message of messages.toReversed()) history.lose(message)
  t.same(told(history, 'quiet', 0), [0, 0])
  // The newest was lost first, and forgotten first.
  t.same(told(history, 'a', 1), ['reset', 'reset'])
  t.same(told(history, 'a', 10_002), [0, 0])
  t.end()
})

await t.test('behind an end that was noted everything is told, and nothing of other channels', t => {
  const { history, ended } = open()
  history.restore(messageOf('head', 1), 0)
  history.restore(messageOf('quiet', 2), 0)
  history.restore(messageOf('late', 3), 2)
  history.restoreEnd('head', { seq: 5, time: 5000, ordinal: 0 })
  history.restoreEnd('none', { seq: 7, time: 7000, ordinal: 0 })
  history.restoreEnd('quiet', { seq: 1, time: 1000, ordinal: 0 })
  history.resume(9, NOBODY)
  t.same(ended, [], 'it is on disk')
  // What is gone of the last came in its second or in one before, as far as anybody knows.
  for (const [path, untilSeq, untilSecond = untilSeq] of [
    ['head', 5],
    ['none', 7],
    ['late', 2, 3],
    ['quiet', 0],
    ['nobody', 0],
    ['quiet,nobody', 0],
    ['quiet,head', 5],
    ['', 7],
  ] as const) {
    for (let seq = 0; seq <= 9; seq++) {
      const wanted = [untilSeq, untilSecond].map(until => (seq < until ? 'reset' : 0))
      t.same(told(history, path, seq), wanted, `${path} behind ${seq}`)
    }
  }
  t.same(history.lastOf('none'), { seq: 7, time: 7000, ordinal: 0 })
  t.same([...history.channels()].length, 3, 'what had no message in this life is not counted')
  t.end()
})

await t.test('a channel without a log is told of what nobody remembers, also when it has one again', t => {
  const { history } = open()
  history.restore(messageOf('quiet', 2), 0)
  history.resume(9, { seq: 6, second: 6, ordinal: 0 })
  t.same(told(history, 'quiet', 0), [0, 0])
  t.same(told(history, '', 5), ['reset', 'reset'])
  for (const round of ['unknown', 'born anew']) {
    t.same(told(history, 'x', 5), ['reset', 'reset'], round)
    t.same(told(history, 'x', 6), [0, 0], round)
    t.same(told(history, 'quiet,x', 5), ['reset', 'reset'], round)
    if (round === 'unknown') t.same(history.lastOf('x'), { seq: 6, time: 6000, ordinal: 0 })
    history.push(messageOf('x', history.lastSeq + 1))
  }
  t.end()
})

await t.test('what is damaged concerns those of whom nothing is there behind it', t => {
  const { history, ended } = open()
  history.restore(messageOf('before', 1), 0)
  history.restore(messageOf('behind', 2), 0)
  history.restore(messageOf('behind', 6), 2)
  history.restore(messageOf('torn', 7), 4)
  history.resume(9, NOBODY)
  history.doubt(5)
  t.same(ended, ['before 5'], 'it is to be told in the next life, too')
  for (const [path, untilSeq] of [
    ['before', 5],
    ['behind', 0],
    ['torn', 4],
    ['nobody', 5],
    ['', 5],
  ] as const) {
    for (let seq = 0; seq <= 9; seq++) {
      const [byId, byMoment] = told(history, path, seq)
      t.equal(byId, seq < untilSeq ? 'reset' : 0, `${path} behind ${seq}`)
      if (byId === 'reset') t.equal(byMoment, 'reset', `${path} after second ${seq}`)
    }
  }
  t.same(told(history, 'behind', 2), [0, 0])
  // It may have had a message as late as now.
  t.same(history.lastOf('before'), { seq: 5, time: NOW_MS + 1000, ordinal: -1 })
  t.same(history.lastOf('nobody'), { seq: 5, time: NOW_MS + 1000, ordinal: -1 })
  t.end()
})
