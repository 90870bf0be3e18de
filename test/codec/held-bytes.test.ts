import fc from 'fast-check'
import t from 'tap'
import { HeldBytes } from '../../src/codec/held-bytes.ts'

await t.test('what is appended comes out in order, whatever is consumed in between', t => {
  const step = fc.record({
    appendedBytes: fc.nat(3000),
    consumedShare: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const held = new HeldBytes()
      let next = 0
      let first = 0
      for (const { appendedBytes, consumedShare } of steps) {
        const piece = Uint8Array.from({ length: appendedBytes + 2 }, (_, i) => (next + i - 1) % 251)
        held.append(piece, 1, appendedBytes + 1)
        next += appendedBytes
        for (let at = held.start; at < held.end; at++) {
          if (held.bytes[at] !== (first + at - held.start) % 251) return false
        }
        if (held.end - held.start !== next - first) return false
        const count = Math.floor((held.end - held.start) * consumedShare)
        held.consume(held.start + count)
        first += count
        if (held.isEmpty !== (first === next)) return false
      }
      return true
    }),
  )
  t.end()
})

await t.test('memory is given back after a large body, whether or not something is left behind it', t => {
  const large = new Uint8Array(1024 * 1024)
  for (const leftBytes of [0, 1]) {
    const held = new HeldBytes()
    held.append(large, 0, large.length)
    held.consume(held.end - leftBytes)
    held.append(large, 0, 100)
    t.equal(held.end - held.start, 100 + leftBytes)
    t.ok(held.bytes.length <= 128 * 1024)
  }
  t.end()
})

await t.test('clear forgets everything', t => {
  const held = new HeldBytes()
  held.append(new Uint8Array(10), 0, 10)
  held.clear()
  t.ok(held.isEmpty)
  t.equal(held.bytes.length, 0)
  t.end()
})
