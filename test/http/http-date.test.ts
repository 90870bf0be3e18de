// Dates of HTTP: three forms, and nothing else.

import t from 'tap'
import { parseHttpDate } from '../../src/http/http-date.ts'

const SECONDS = 784_111_777

await t.test('the three forms of a date are read', t => {
  for (const text of [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ]) {
    t.equal(parseHttpDate(text), SECONDS, text)
  }
  for (const second of [0, 1, 59, 951_782_399, 1_700_000_000, 2 ** 31, 253_402_300_799, -1]) {
    t.equal(parseHttpDate(new Date(second * 1000).toUTCString()), second)
  }
  t.equal(parseHttpDate('Friday, 20-Nov-26 00:00:00 GMT'), Date.UTC(2026, 10, 20) / 1000)
  t.equal(parseHttpDate('Sun, 01 Jan 0099 00:00:00 GMT'), Date.parse('0099-01-01') / 1000)
  t.end()
})

await t.test('anything else is no date', t => {
  for (const text of [
    '',
    'abcd',
    '0',
    '784111777',
    '1994-11-06T08:49:37Z',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 GMT; length=1',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'sun, 06 nov 1994 08:49:37 gmt',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nev 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    'Sun, 06 Nov 19944 08:49:37 GMT',
    'x'.repeat(100_000),
  ]) {
    t.equal(parseHttpDate(text), null, text.slice(0, 40))
  }
  t.end()
})
