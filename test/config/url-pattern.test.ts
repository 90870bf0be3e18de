// What the locations of hbpush match, and which expressions are refused before anybody can keep the process busy with them.

import t from 'tap'
import * as v from 'valibot'
import { PATH_EXPRESSION, PATH_PREFIX } from '../../src/config/url-pattern.ts'

function channelOf(pattern: RegExp, path: string): string | undefined {
  return pattern.exec(path)?.[1]
}

await t.test('a prefix is literal, and all behind it is the channel', t => {
  for (const [prefix, path, channel] of [
    ['/publisher/', '/publisher/a', 'a'],
    ['/publisher/', '/publisher/a/b%2F', 'a/b%2F'],
    ['/publisher/', '/publisher/', undefined],
    ['/publisher/', '/x/publisher/a', undefined],
    ['/publisher/', '/Publisher/a', undefined],
    ['/', '/a', 'a'],
    ['/p', '/pa', 'a'],
    ['/a.b/', '/a.b/x', 'x'],
    ['/a.b/', '/axb/x', undefined],
    ['/(a+)$*,-/', '/(a+)$*,-/x', 'x'],
    ['/%C3%A9/', '/%C3%A9/x', 'x'],
  ] as const) {
    t.equal(channelOf(v.parse(PATH_PREFIX, prefix), path), channel, `${prefix} ${path}`)
  }
  t.end()
})

await t.test('what is no beginning of a path is refused', t => {
  for (const wrong of [
    '',
    'a/',
    '/a?',
    '/a#',
    '/[^/]+/',
    '/a\\d/',
    '/{a}/',
    '/a|b/',
    '/^a/',
    '/é/',
    '/ /',
    '/%zz/',
    5,
  ]) {
    const { success, issues } = v.safeParse(PATH_PREFIX, wrong)
    t.notOk(success, String(wrong))
    t.match(issues?.[0].message, /^the beginning of a path, as it stands in a URL/)
  }
  t.end()
})

await t.test('an expression is for the whole path', t => {
  for (const [source, path, channel] of [
    [String.raw`/c/(\d+)/pub/`, '/c/12/pub/', '12'],
    [String.raw`/c/(\d+)/pub/`, '/c/ab/pub/', undefined],
    [String.raw`/c/(\d+)/pub/`, '/c/12/pub/x', undefined],
    [String.raw`/c/(\d+)/pub/`, '/x/c/12/pub/', undefined],
    ['/(.+)', '/a/b', 'a/b'],
    ['/a/(b)|/c/d', '/a/b', 'b'],
    ['/a/(b)|/c/d', '/a/bx', undefined],
    ['/(?:x|y)/([^/]+)/?', '/y/a/', 'a'],
    [String.raw`/\(([^)(]+)\)`, '/(a)', 'a'],
    [String.raw`/(\d{4}-\d{2}-\d{2})\.\w+`, '/2026-11-20.log', '2026-11-20'],
    ['/(?<id>x)', '/x', 'x'],
    ['^/(x)$', '/x', 'x'],
  ] as const) {
    t.equal(channelOf(v.parse(PATH_EXPRESSION, source), path), channel, `${source} ${path}`)
  }
  const pattern = v.parse(PATH_EXPRESSION, '/(.+)')
  t.equal(channelOf(pattern, `/${'x'.repeat(1023)}`)?.length, 1023)
  t.equal(channelOf(pattern, `/${'x'.repeat(1024)}`), undefined, 'longer than any channel')
  t.end()
})

await t.test('what is no expression, has no one group, or could keep the process busy is refused', t => {
  for (const [source, text] of [
    ['/(', 'as JavaScript has them'],
    ['/(a', 'as JavaScript has them'],
    ['/a)|(b', 'as JavaScript has them'],
    ['/(?P<id>a)', 'as JavaScript has them'],
    ['/(?i)(a)', 'as JavaScript has them'],
    [String.raw`\A/(a)\Z`, 'as JavaScript has them'],
    ['/(a)\\', 'as JavaScript has them'],
    ['/(a)**', 'as JavaScript has them'],
    ['', 'exactly one group'],
    ['/a', 'exactly one group'],
    ['/(?:a)', 'exactly one group'],
    [String.raw`/\(a\)`, 'exactly one group'],
    ['/[(a)]', 'exactly one group'],
    ['/(a)/(b)', 'exactly one group'],
    ['/((a))', 'exactly one group'],
    [`/(${'a'.repeat(200)})`, 'at most 200 characters'],
    ['/(a+)+', 'repeats nothing'],
    ['/((?:a*b?)*)', 'repeats nothing'],
    ['/(a|a)*', 'repeats nothing'],
    ['/(?:a?){30}(b)', 'repeats nothing'],
    ['/((?:x(?:a+))+)', 'repeats nothing'],
    ['/.*.*.*(.*)', 'at most 4 of * + ? {}, and 3 of them not ?'],
    ['/a?a?a?a?(b?)', 'at most 4 of'],
    ['/a{1,9}b{1,}c{2,3}(.+)', 'at most 4 of'],
  ] as const) {
    const { success, issues } = v.safeParse(PATH_EXPRESSION, source)
    t.notOk(success, source)
    t.ok(issues?.[0].message.includes(text), `${source}: ${issues?.[0].message ?? ''}`)
  }
  t.equal(v.safeParse(PATH_EXPRESSION, 5).success, false)
  t.end()
})
