import fc from 'fast-check'
import t from 'tap'
import {
  ByteSearch,
  indexOfByte,
  isBlank,
  LF,
  latin1Bytes,
  latin1Text,
  startsAt,
} from '../../src/codec/bytes.ts'

await t.test('search finds the first occurrence between two positions', t => {
  const search = new ByteSearch(latin1Bytes('\n--B'))
  const bytes = latin1Bytes('a\n--A\n--B\n--B')
  t.equal(search.indexIn(bytes, 0, bytes.length), 5)
  t.equal(search.indexIn(bytes, 5, bytes.length), 5)
  t.equal(search.indexIn(bytes, 6, bytes.length), 9)
  t.equal(search.indexIn(bytes, 0, 8), -1, 'not beyond the end')
  t.equal(search.indexIn(bytes, 10, bytes.length), -1)
  t.end()
})

await t.test('search agrees with the search of strings', t => {
  const letters = (maxLength: number) =>
    fc.array(fc.constantFrom('a', 'b', '\n'), { maxLength }).map(list => list.join(''))
  fc.assert(
    fc.property(letters(60), letters(6), fc.nat(10), (text, needle, from) => {
      fc.pre(needle !== '' && from <= text.length)
      const search = new ByteSearch(latin1Bytes(needle))
      return search.indexIn(latin1Bytes(text), from, text.length) === text.indexOf(needle, from)
    }),
  )
  t.end()
})

await t.test('search takes needles longer than a byte can count', t => {
  const needle = `x${'a'.repeat(511)}`
  const text = `${'b'.repeat(1000)}${needle}a`
  t.equal(new ByteSearch(latin1Bytes(needle)).indexIn(latin1Bytes(text), 0, text.length), 1000)
  t.end()
})

await t.test('text and bytes are each other, one character per byte', t => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  const text = latin1Text(bytes, 0, 256)
  t.equal(text.length, 256)
  t.equal(text.charCodeAt(0x80), 0x80)
  t.same(latin1Bytes(text), bytes)
  t.equal(latin1Text(bytes, 0x41, 0x4c), 'ABCDEFGHIJK')
  t.throws(() => latin1Bytes('\u20ac'), RangeError)
  t.end()
})

await t.test('small questions about bytes', t => {
  const bytes = latin1Bytes('ab\ncd\n')
  t.equal(indexOfByte(bytes, LF, 0, 6), 2)
  t.equal(indexOfByte(bytes, LF, 3, 6), 5)
  t.equal(indexOfByte(bytes, LF, 3, 5), -1)
  t.ok(startsAt(bytes, 3, latin1Bytes('cd?'), 2))
  t.notOk(startsAt(bytes, 3, latin1Bytes('cx'), 2))
  t.same([0x20, 0x09, 0x0a, undefined].map(isBlank), [true, true, false, false])
  t.end()
})
