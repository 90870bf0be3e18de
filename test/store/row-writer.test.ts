// How a group of messages becomes rows: what shares a row, the place of each message, and that each is read as it was written.

import t from 'tap'
import type { Draft } from '../../src/message.ts'
import { decodeRow, recordBytes } from '../../src/store/file/record.ts'
import { type Arrival, RowWriter } from '../../src/store/file/row-writer.ts'
import type { StoredMessage } from '../../src/store/file/rows.ts'
import { History } from '../../src/store/history.ts'
import { completeRetention } from '../../src/store/retention.ts'

const TIME = 1_700_000_000_000

function newWriter(): RowWriter {
  const history = new History<StoredMessage>({ retention: completeRetention({}), now: () => TIME })
  return new RowWriter({ sequence: { epoch: 'abc' }, history })
}

function arrivalOf(given: Partial<Draft>, time = TIME): Arrival {
  const draft = { channel: 'a', type: 'text/plain', sender: null, body: Buffer.from('hello'), ...given }
  return { draft, time, byteCount: recordBytes(draft) }
}

await t.test('every message is read as it was written', t => {
  const writer = newWriter()
  const group = [
    arrivalOf({}),
    arrivalOf({ body: Buffer.alloc(0) }),
    arrivalOf({ channel: 'Küche/日本', type: '', sender: '' }),
    arrivalOf({ channel: 'n'.repeat(255), type: 't'.repeat(1_000), sender: 's'.repeat(1_000) }),
    arrivalOf({ sender: 'J\xf6rg', body: new Uint8Array([0, 255, 0]) }),
    arrivalOf({ body: Buffer.alloc(70_000, 'x') }),
  ]
  // Alone, in memory that was used before, and in a group that has memory of its own.
  for (const more of [[], [], [arrivalOf({ body: Buffer.alloc(2 ** 20, 'y') })]]) {
    const all = [...group, ...more]
    const rows = writer.write(all)
    const read = rows.flatMap(({ bytes }) => {
      const { records, isWhole } = decodeRow(bytes)
      t.ok(isWhole)
      return records
    })
    t.same(
      read.map(({ channel, type, sender, body, bytes }) => ({
        draft: { channel, type, sender, body: Buffer.from(body) },
        time: TIME,
        byteCount: bytes.length,
      })),
      all.map(({ draft, ...rest }) => ({ draft: { ...draft, body: Buffer.from(draft.body) }, ...rest })),
    )
    t.same(
      rows.flatMap(({ messages }) => messages.map(({ id }) => id)),
      all.map((_, at) => `abc-${at + 1}`),
    )
  }
  t.end()
})

await t.test('names that no record can hold are refused before they are in a group', t => {
  const draft = { channel: 'a', type: 'b', sender: 'c', body: Buffer.alloc(0) }
  for (const change of [
    { channel: 'ü'.repeat(128) },
    { type: 't'.repeat(65_536) },
    { sender: 's'.repeat(65_535) },
  ]) {
    t.throws(() => recordBytes({ ...draft, ...change }), RangeError)
  }
  t.end()
})

await t.test('small messages share a row up to 32 KiB, which has the number of its first', t => {
  const body = Buffer.alloc(10_000)
  const group = [1, 2, 3, 4, 5].map(() => arrivalOf({ body }))
  const rows = newWriter().write([...group, arrivalOf({ body: Buffer.alloc(50_000) }), arrivalOf({})])
  t.same(
    rows.map(({ number, messages }) => [number, messages.length]),
    [
      [1, 3],
      [4, 2],
      [6, 1],
      [7, 1],
    ],
  )
  t.same(newWriter().write([]), [])
  t.end()
})

await t.test('each message of a group has the place behind the one before it on its channel', t => {
  const group = [
    arrivalOf({ channel: 'a' }),
    arrivalOf({ channel: 'b' }),
    arrivalOf({ channel: 'a' }, TIME + 1),
    // The clock was set back.
    arrivalOf({ channel: 'a' }, TIME - 5_000),
    arrivalOf({ channel: 'b' }, TIME + 1_000),
  ]
  const [row] = newWriter().write(group)
  const { records } = decodeRow(row?.bytes ?? Buffer.alloc(0))
  t.same(
    records.map(({ seq, previousSeq, time, ordinal }) => [seq, previousSeq, time - TIME, ordinal]),
    [
      [1, 0, 0, 0],
      [2, 0, 0, 0],
      [3, 1, 1, 1],
      [4, 3, 1, 2],
      [5, 2, 1_000, 0],
    ],
  )
  t.end()
})
