// The rules of pattern lists and filters, row by row as OpenSSH's match.c has them, and their bounds.

import t from 'tap'
import { Filter, PatternList } from '../src/filter.ts'

const rows: readonly (readonly [value: string, list: string, matches: boolean])[] = [
  ['text/plain', 'text/*', true],
  ['text/plain', 'text/*,image/*', true],
  ['image/png', 'text/*,image/*', true],
  ['text/plain', '!text/*', false],
  ['image/png', '!text/*', false],
  ['text/plain', '*,!text/plain', false],
  ['text/plain', '!text/plain,*', false],
  ['text/plain', 'text/*,!text/plain', false],
  ['text/html', 'text/*,!text/plain', true],
  ['text/plain; charset=utf-8', 'text/plain', false],
  ['text/plain; charset=utf-8', 'text/plain*', true],
  ['text/plain', 'TEXT/plain', false],
  ['abc', ' abc', false],
  ['abc', 'abc ', false],
  ['abc', 'abc,', true],
  ['abc', ',abc', true],
  ['', ',abc', true],
  ['', '*', true],
  ['', '?', false],
  ['', '', false],
  ['', ',', true],
  ['abc', '', false],
  ['abc', '**', true],
  ['abc', '*?', true],
  ['abc', 'a??', true],
  ['abc', 'a???', false],
  ['abc', '*c', true],
  ['abc', '*b', false],
  ['!abc', '!!abc', false],
  ['abc', '!', false],
  ['a/b/c', 'a*c', true],
  ['a?c', 'a\\?c', false],
  ['a[b]c', 'a[b]c', true],
  ['abc', 'a[b]c', false],
  ['aab', 'a*ab', true],
  ['abab', 'a*b*b', true],
  ['ab', 'a*b*b', false],
]

for (const [value, list, matches] of rows) {
  await t.test(`"${value}" ${matches ? 'matches' : 'does not match'} the list "${list}"`, t => {
    t.equal(new PatternList(list).matches(value), matches)
    t.end()
  })
}

await t.test('a pattern list has bounds', t => {
  const fault = { code: 'MSGBUS_FILTER' }
  t.ok(new PatternList(Array.from({ length: 100 }, (_, at) => `${at}`).join(',')).matches('99'))
  t.throws(() => new PatternList(','.repeat(100)), fault)
  t.ok(new PatternList('x'.repeat(256)).matches('x'.repeat(256)))
  t.throws(() => new PatternList('x'.repeat(257)), fault)
  t.ok(new PatternList('*'.repeat(16)).matches('x'))
  t.throws(() => new PatternList('*'.repeat(17)), fault)
  t.ok(new PatternList('*?'.repeat(16)).matches('x'.repeat(16)))
  t.end()
})

await t.test('the worst pattern allowed is matched in time that can be borne', t => {
  // Tried anew from every place, this would take longer than anybody can wait.
  const list = new PatternList(`${'*a'.repeat(16)}b`)
  t.notOk(list.matches('a'.repeat(100_000)))
  t.end()
})

function message(type: string, sender: string | null) {
  return { id: 'e-1', channel: 'c', time: 0, type, sender, body: new Uint8Array() }
}

const filters: readonly (readonly [ConstructorParameters<typeof Filter>[0], readonly boolean[]])[] = [
  // text/plain by nobody, alice, carol and a publisher without a name but with credentials; image/png by alice
  [{}, [true, true, true, true, true]],
  [{ type: '*', sender: '*' }, [true, true, true, true, true]],
  [{ type: 'text/*' }, [true, true, true, true, false]],
  [{ type: '' }, [false, false, false, false, false]],
  [{ sender: 'alice,bob' }, [true, true, false, false, true]],
  [{ sender: '' }, [true, false, false, false, false]],
  [{ sender: '*,!carol' }, [true, true, false, true, true]],
  [{ sender: '!carol' }, [true, false, false, false, false]],
  [{ type: 'image/*', sender: 'alice' }, [false, false, false, false, true]],
]

for (const [options, expected] of filters) {
  await t.test(
    `the filter ${JSON.stringify(options)} asks for both, and the unnamed pass every sender list`,
    t => {
      const filter = new Filter(options)
      const messages = [
        ...[null, 'alice', 'carol', ''].map(sender => message('text/plain', sender)),
        message('image/png', 'alice'),
      ]
      t.same(
        messages.map(item => filter.matches(item)),
        expected,
      )
      t.end()
    },
  )
}

await t.test('filters have one key exactly when they let the same through', t => {
  t.equal(new Filter().key, new Filter({ type: '*', sender: '*' }).key)
  t.not(new Filter({ type: 'a' }).key, new Filter({ sender: 'a' }).key)
  t.not(new Filter({ type: 'a","b' }).key, new Filter({ type: 'a', sender: 'b' }).key)
  t.end()
})
