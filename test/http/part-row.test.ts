import t from 'tap'
import { assemble } from '../../src/http/chunk.ts'
import { PartRow } from '../../src/http/part-row.ts'

const TAIL = '\r\n--b\r\n'

await t.test('a part is what it would be by itself, chunked or not, of any length', t => {
  for (const isChunked of [true, false]) {
    const row = new PartRow(TAIL, isChunked)
    const made = [0, 1, 100, 16_000, 16_383, 16_384, 17_000, 70_000, 3, 65_000].map(byteCount => {
      const body = Buffer.alloc(byteCount, `${byteCount}`)
      return { bytes: row.add('A: b\r\n\r\n', body), body }
    })
    // All of them at the end, so that none has written over another one.
    for (const { bytes, body } of made) {
      t.ok(bytes.equals(assemble({ head: 'A: b\r\n\r\n', body, tail: TAIL }, isChunked)), `${body.length}`)
    }
  }
  t.end()
})

await t.test('short parts lie side by side', t => {
  const row = new PartRow(TAIL, true)
  const [first, second, long, third] = [10, 20, 20_000, 30].map(byteCount =>
    row.add('', Buffer.alloc(byteCount)),
  )
  t.equal(second?.buffer, first?.buffer)
  t.equal(second?.byteOffset, (first?.byteOffset ?? 0) + (first?.length ?? 0))
  t.not(long?.buffer, first?.buffer)
  t.equal(third?.byteOffset, (second?.byteOffset ?? 0) + (second?.length ?? 0))
  t.end()
})
