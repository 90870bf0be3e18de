import t from 'tap'
import { MAX_TARGET_BYTES, parseQuery, parseTarget } from '../../src/http/target.ts'

await t.test('a target is cut into path and query and otherwise left as it is', t => {
  const rows = [
    ['/', '/', ''],
    ['/a?b', '/a', 'b'],
    ['/a?b?c', '/a', 'b?c'],
    ['/a?', '/a', ''],
    ['/a/../b', '/a/../b', ''],
    ['/a/%2e%2E/b', '/a/%2e%2E/b', ''],
    ['/a//b', '/a//b', ''],
    ['/%00%ff', '/%00%ff', ''],
    ['/?//', '/', '//'],
    ['/a?http://x/', '/a', 'http://x/'],
  ] as const
  for (const [text, path, query] of rows)
    t.strictSame(parseTarget(text), { path, query, authority: null }, text)
  t.end()
})

await t.test('the absolute form names a server', t => {
  const rows = [
    ['http://a.b/c?d', '/c', 'd', 'a.b'],
    ['HTTPS://a.b:1/c', '/c', '', 'a.b:1'],
    ['http://a.b', '/', '', 'a.b'],
    ['http://[::1]:8888/c', '/c', '', '[::1]:8888'],
    ['http://user@a.b/c', '/c', '', 'user@a.b'],
  ] as const
  for (const [text, path, query, authority] of rows)
    t.strictSame(parseTarget(text), { path, query, authority }, text)
  t.end()
})

await t.test('what is not a path of a server is refused', t => {
  const targets = [
    '',
    '*',
    'a',
    '//',
    '//a',
    '///',
    '/a#b',
    '/#',
    '/a\\b',
    '\\',
    '/?\\',
    '/?#',
    '?',
    'a.b:80',
  ]
  const absolute = [
    'http:',
    'http:/a',
    'http://',
    'http:///a',
    'http://a//b',
    'http://a\\b',
    'http://a?b',
    'http://a#b',
    'ftp://a/b',
  ]
  for (const text of [...targets, ...absolute])
    t.throws(() => parseTarget(text), { code: 'MSGBUS_TARGET' }, text)
  t.end()
})

await t.test('4 KiB are enough and one byte more too many', t => {
  t.equal(parseTarget('/'.padEnd(MAX_TARGET_BYTES, 'a')).path.length, 4096)
  t.throws(() => parseTarget('/'.padEnd(MAX_TARGET_BYTES + 1, 'a')), { code: 'MSGBUS_URL_TOO_LONG' })
  t.end()
})

await t.test('of a query the first of equal keys counts, values are decoded and a plus stays one', t => {
  const rows: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
    ['', []],
    ['a', []],
    ['a=', [['a', '']]],
    ['=a', [['', 'a']]],
    ['a=b=c', [['a', 'b=c']]],
    [
      'a=1&a=2&b=3',
      [
        ['a', '1'],
        ['b', '3'],
      ],
    ],
    ['&&a=1&', [['a', '1']]],
    ['a=%2B+%20%26%3D', [['a', '+'.concat('+ &=')]]],
    ['a=%252f', [['a', '%2f']]],
    ['%61=b', [['%61', 'b']]],
    [
      '__proto__=x&constructor=y',
      [
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ],
    ],
    ['a=1;b=2', [['a', '1;b=2']]],
  ]
  for (const [query, expected] of rows) t.strictSame([...parseQuery(query)], expected, query)
  t.end()
})

await t.test('a broken escape in a query is refused, unless nobody asked for that one', t => {
  for (const value of ['%', '%2', '%zz', '%ff', '%c0%af', '%ed%a0%80']) {
    t.throws(() => parseQuery(`a=${value}`), { code: 'MSGBUS_QUERY' }, value)
  }
  t.strictSame([...parseQuery('a=1&a=%')], [['a', '1']])
  t.throws(
    () => parseQuery(`${'k'.repeat(1000)}=%`),
    { message: /^Cannot read "k{32}" / },
    'a long key is cut',
  )
  t.end()
})
