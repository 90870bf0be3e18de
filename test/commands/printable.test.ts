import t from 'tap'
import {
  formatSize,
  formatTime,
  printable,
  printableJson,
  printableLines,
  quote,
} from '../../client/commands/printable.ts'

await t.test('what a terminal would obey is shown as an escape', t => {
  t.equal(
    printable('a\n\r\t\0\x1b[m\x7f\x9b\u202e\u2028\ufeff\u{e0001}\ud800'),
    'a\\n\\r\\t\\x00\\x1b[m\\x7f\\x9b\\u202e\\u2028\\ufeff\\u{e0001}\\ud800',
  )
  t.equal(printableLines('a\r\nb\tc\rd\n'), 'a\nb\tc\\rd\n')
  t.end()
})

await t.test('text of any script, and emoji, stay as they are', t => {
  const text = 'grün 日本語 עברית می‌خواهم 👩‍👩‍👧 ❤️'
  t.equal(printable(text), text)
  t.end()
})

await t.test('JSON keeps its meaning', t => {
  const value = { text: '\x1b\x7f\x9b\u202e\u{e0001}\ud800"\\\n', 'k\u2028': 1 }
  const json = printableJson(JSON.stringify(value))
  t.strictSame(JSON.parse(json), value)
  t.match(json, /^[ -~]*$/)
  t.end()
})

await t.test('what is quoted in an error is short and holds no credentials', t => {
  t.equal(quote('http://me:p@ss/w@host/x'), '"http://***@host/x"')
  t.equal(quote('me:pass@host:8888/msgbus/a'), '"***@host:8888/msgbus/a"')
  t.equal(quote('a\x1bb'), '"a\\x1bb"')
  t.equal(quote('x'.repeat(100)).length, 63)
  t.end()
})

await t.test('sizes and times are short', t => {
  const sizes = [0, 999, 1000, 1_234_567, 5e9, 7e12].map(formatSize)
  t.strictSame(sizes, ['0 B', '999 B', '1.0 kB', '1.2 MB', '5.0 GB', '7000.0 GB'])
  const time = new Date(2026, 0, 2, 3, 4, 5)
  t.equal(formatTime(time, new Date(2026, 0, 2, 23)), '03:04:05')
  t.equal(formatTime(time, new Date(2026, 0, 3)), '2026-01-02 03:04:05')
  t.end()
})
