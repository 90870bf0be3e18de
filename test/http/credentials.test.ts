import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { credentialsOf, PasswordRule } from '../../src/http/credentials.ts'

function requestWith(authorization: string | undefined): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  req.headers = authorization === undefined ? {} : { authorization }
  return req
}

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`
}

await t.test('Basic credentials name a user and a password', t => {
  const rows = [
    ['a:b', 'a', 'b'],
    [':', '', ''],
    ['a:', 'a', ''],
    [':b', '', 'b'],
    ['a:b:c', 'a', 'b:c'],
    ['\u00e9:\u{1f40e}', '\u00e9', '\u{1f40e}'],
    ['__proto__:constructor', '__proto__', 'constructor'],
  ] as const
  for (const [text, user, password] of rows)
    t.strictSame(credentialsOf(requestWith(basic(text))), { user, password })
  t.strictSame(credentialsOf(requestWith(basic('a:b').replace('Basic', 'bAsIc'))), {
    user: 'a',
    password: 'b',
  })
  t.end()
})

await t.test('what cannot be read names nobody and throws nothing', t => {
  const texts = [
    '',
    'Basic',
    'Basic ',
    'Basic !',
    'Bearer x',
    basic('no colon'),
    `${basic('a:b')}, ${basic('c:d')}`,
    'Basic \0',
  ]
  for (const text of [undefined, ...texts]) t.equal(credentialsOf(requestWith(text)), null, text ?? 'nothing')
  t.end()
})

await t.test('one password opens, whoever comes with it', t => {
  const rule = new PasswordRule('s\u00e9cret')
  for (const user of ['', 'a', 's\u00e9cret']) rule.check({ user, password: 's\u00e9cret' })
  const wrong = [
    '',
    's',
    's\u00e9cret ',
    'S\u00c9CRET',
    's\u00e9cre',
    's\u00e9cret\0',
    'se\u0301cret',
    'x'.repeat(100_000),
  ]
  for (const password of wrong) {
    t.throws(
      () => {
        rule.check({ user: 'a', password })
      },
      { code: 'MSGBUS_PASSWORD', message: 'A password is required' },
    )
  }
  t.throws(
    () => {
      rule.check(null)
    },
    { code: 'MSGBUS_PASSWORD' },
  )
  t.end()
})

await t.test('without a password nobody is asked, with an empty one everybody', t => {
  new PasswordRule(null).check(null)
  new PasswordRule('').check({ user: 'a', password: '' })
  t.throws(
    () => {
      new PasswordRule('').check(null)
    },
    { code: 'MSGBUS_PASSWORD' },
  )
  t.end()
})
