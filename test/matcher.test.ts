// How the spelling of a subscription's channels in a URL becomes a matcher.

import t from 'tap'
import { parseMatcher } from '../src/matcher.ts'

const spellings: readonly (readonly [spelling: string, paths: readonly string[], isWide: boolean])[] = [
  ['', [''], true],
  ['a', ['a'], false],
  ['a/b', ['a/b'], false],
  ['a/', ['a/'], true],
  ['a/b/', ['a/b/'], true],
  ['a,b', ['a', 'b'], true],
  ['b,a', ['a', 'b'], true],
  ['a,a', ['a'], false],
  ['a,%61', ['a'], false],
  ['a,a/', ['a', 'a/'], true],
  ['a%2Cb', ['a,b'], false],
  ['%C3%A9%20x', ['é x'], false],
  ['constructor,__proto__', ['__proto__', 'constructor'], true],
  ['7', ['7'], false],
]

for (const [spelling, paths, isWide] of spellings) {
  await t.test(`"${spelling}" is ${JSON.stringify(paths)}`, t => {
    t.same(parseMatcher(spelling), { paths, isWide })
    t.end()
  })
}

const bad = [
  '/',
  '//',
  'a//',
  '/a',
  'a,',
  ',a',
  ',',
  'a,,b',
  'a//b',
  '.',
  'a/../b',
  '%2F',
  'a%2fb',
  '%00',
  '%ff',
  '%',
  'a,/',
]

for (const spelling of bad) {
  await t.test(`"${spelling}" is refused`, t => {
    t.throws(() => parseMatcher(spelling), { code: 'MSGBUS_CHANNEL_NAME' })
    t.end()
  })
}

await t.test('64 channels can be read at once', t => {
  const names = Array.from({ length: 65 }, (_, at) => `c${at}`)
  t.equal(parseMatcher(names.slice(1).join(',')).paths.length, 64)
  t.throws(() => parseMatcher(names.join(',')), { code: 'MSGBUS_CHANNEL_NAME' })
  t.end()
})
