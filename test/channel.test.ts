// Which names a channel may have, and their spellings in a URL.

import t from 'tap'
import { checkChannel, decodeChannel, encodeChannel } from '../src/channel.ts'

const FAULT = { code: 'MSGBUS_CHANNEL_NAME' }

const names: readonly (readonly [name: string, spelling: string])[] = [
  ['a', 'a'],
  ['A', 'A'],
  ['a/b/c', 'a/b/c'],
  ['a b', 'a%20b'],
  ['é', '%C3%A9'],
  ['😀', '%F0%9F%98%80'],
  ['a,b', 'a%2Cb'],
  ['100%', '100%25'],
  ['%2F', '%252F'],
  ['a?b#c', 'a%3Fb%23c'],
  ['a+b', 'a%2Bb'],
  ['-', '-'],
  ['...', '...'],
  ['.a', '.a'],
  ['0', '0'],
  ['-1', '-1'],
  ['constructor', 'constructor'],
  ['__proto__', '__proto__'],
  ['\u00a0', '%C2%A0'],
]

for (const [name, spelling] of names) {
  await t.test(`${JSON.stringify(name)} is a name and is written ${spelling}`, t => {
    t.equal(checkChannel(name), name)
    t.equal(encodeChannel(name), spelling)
    t.equal(decodeChannel(spelling), name)
    t.end()
  })
}

await t.test('other spellings of a name are the same name, decoded once', t => {
  for (const [spelling, name] of [
    ['%61', 'a'],
    ['%61/%62', 'a/b'],
    ['%c3%a9', 'é'],
    ['é', 'é'],
    ['a+b', 'a+b'],
    ['%2561', '%61'],
    ['%252e%252e', '%2e%2e'],
  ] as const) {
    t.equal(decodeChannel(spelling), name, spelling)
  }
  t.end()
})

const bad: readonly (readonly [why: string, name: string])[] = [
  ['nothing', ''],
  ['a slash', '/'],
  ['a slash at its start', '/a'],
  ['a slash at its end', 'a/'],
  ['two slashes', 'a//b'],
  ['a dot', '.'],
  ['two dots', '..'],
  ['a dot segment', 'a/./b'],
  ['a segment of two dots', 'a/../b'],
  ['a backslash', 'a\\b'],
  ['a NUL', 'a\0b'],
  ['a line feed', 'a\nb'],
  ['a carriage return', 'a\rb'],
  ['a tab', 'a\tb'],
  ['an escape', 'a\x1bb'],
  ['a DEL', 'a\x7fb'],
  ['a C1 control', 'a\x85b'],
  ['a zero-width blank', 'a\u200bb'],
  ['a zero-width joiner', 'a\u200db'],
  ['a byte order mark', '\ufeffa'],
  ['a soft hyphen', 'a\u00adb'],
  ['a direction override', 'a\u202eb'],
  ['a line separator', 'a\u2028b'],
  ['a paragraph separator', 'a\u2029b'],
  ['a letter and its accent apart', 'e\u0301'],
  ['a compatibility sign', '\u212b'],
]

for (const [why, name] of bad) {
  await t.test(`${why} is refused as a name, however it is written`, t => {
    t.throws(() => checkChannel(name), FAULT)
    t.throws(() => decodeChannel(name), FAULT)
    t.throws(() => decodeChannel(encodeChannel(name)), FAULT)
    t.end()
  })
}

await t.test('a lone surrogate is refused as a name', t => {
  t.throws(() => checkChannel('a\ud800b'), FAULT)
  t.throws(() => decodeChannel('a\ud800b'), FAULT)
  t.end()
})

await t.test('a spelling that is no percent-encoded UTF-8, or hides a slash, is refused', t => {
  const spellings = [
    ...['%', '%4', '%zz', 'a%', '%ff', '%c3', '%c3%28', '%c0%af', '%e0%80%af', '%ed%a0%80', '%f5%80%80%80'],
    ...[
      '%2F',
      '%2f',
      'a%2Fb',
      '%2fa',
      'a/%2F/b',
      '%00',
      '%0a',
      '%2e',
      '%2E%2e',
      '.%2e',
      'a/%2e%2e/b',
      '%5c',
      '%5C',
    ],
  ]
  for (const spelling of spellings) t.throws(() => decodeChannel(spelling), FAULT, spelling)
  t.end()
})

await t.test('a name has 255 bytes and 16 segments at most', t => {
  t.equal(checkChannel('x'.repeat(255)).length, 255)
  t.throws(() => checkChannel('x'.repeat(256)), FAULT)
  t.doesNotThrow(() => checkChannel(`${'é'.repeat(127)}x`))
  t.throws(() => checkChannel('é'.repeat(128)), FAULT, 'bytes count, not characters')
  t.doesNotThrow(() => checkChannel(Array(16).fill('a').join('/')))
  t.throws(() => checkChannel(Array(17).fill('a').join('/')), FAULT)
  t.end()
})

await t.test('an error tells what is wrong in visible ASCII and does not repeat the name', t => {
  for (const [, name] of bad) {
    try {
      checkChannel(name)
    } catch (error) {
      t.match((error as Error).message, /^Cannot use this channel name: [\x20-\x7e]+$/)
    }
  }
  t.end()
})
