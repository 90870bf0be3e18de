import t from 'tap'
import { GatheredBytes } from '../../src/http/gathered-bytes.ts'

await t.test('a body is its pieces in order, however they are cut', t => {
  const whole = Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251))
  for (const size of [1, 2, 1023, 1024, 1025, 4999, 5000]) {
    const gathered = new GatheredBytes()
    for (let at = 0; at < whole.length; at += size) gathered.add(whole.subarray(at, at + size))
    t.equal(gathered.byteCount, whole.length)
    t.ok(gathered.toBuffer().equals(whole), `pieces of ${size}`)
  }
  t.equal(new GatheredBytes().toBuffer().length, 0)
  t.end()
})

await t.test('a single piece is kept as it is, and several take the memory of what they hold', t => {
  const piece = Buffer.from('only')
  const one = new GatheredBytes()
  one.add(Buffer.alloc(0))
  one.add(piece)
  t.equal(one.toBuffer(), piece)
  const many = new GatheredBytes()
  for (let count = 0; count < 100_000; count++) many.add(Buffer.from('x'))
  const bytes = many.toBuffer()
  t.equal(bytes.length, 100_000)
  t.ok(bytes.buffer.byteLength <= 100_000 + 8192)
  t.equal(piece.toString(), 'only', 'and what was given is not written to')
  t.end()
})
