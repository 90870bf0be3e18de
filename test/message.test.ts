// What the type and the sender of a message may be.

import t from 'tap'
import { checkSender, checkType } from '../src/message.ts'

const types = [
  'text/plain',
  'TEXT/Plain',
  'text/plain; charset=utf-8',
  'text/plain;charset="utf-8"',
  'text/plain ; a=b;c=d\t;\te="f\\"g;h" ',
  'image/svg+xml',
  'application/vnd.x-y.z_1+json',
  'multipart/mixed; boundary=x',
  // [RFC 9110 §5.6.6] parameters may be empty.
  'text/plain;',
  'a/b',
]

for (const type of types) {
  await t.test(`the type "${type}" is kept as it is`, t => {
    t.equal(checkType(type), type)
    t.end()
  })
}

const noTypes = [
  'text',
  'text/',
  '/plain',
  'text/plain/x',
  'text/html,text/plain',
  'text/plain; text/html',
  'text/plain; charset',
  'text/plain; charset="x',
  ' text/plain',
  '*/*',
  'text/*/x',
  'te xt/plain',
  '.a/b',
  `a/${'x'.repeat(128)}`,
]

for (const type of noTypes) {
  await t.test(`"${type}" is no type, and a message of it is just bytes`, t => {
    t.equal(checkType(type), 'application/octet-stream')
    t.end()
  })
}

// What would start a line of its own, end one early for some readers, or read differently to different ones.
const hostile = ['\r', '\n', '\r\nFrom: x', '\0', '\x0b', '\x1b', '\x7f', '\x80', '\xff', '€', '\ud800']

for (const text of hostile) {
  await t.test(`${JSON.stringify(text)} stands in no type and in no sender`, t => {
    for (const value of [text, `a/b; c="${text}"`, `a/b${text}`, `${text}a/b`]) {
      t.throws(() => checkType(value), { code: 'MSGBUS_TYPE' })
      t.throws(() => checkSender(value), { code: 'MSGBUS_SENDER' })
    }
    t.end()
  })
}

await t.test('a type must be there and has 256 characters at most', t => {
  t.throws(() => checkType(''), { code: 'MSGBUS_TYPE' })
  const longest = `a/b; c="${'x'.repeat(247)}"`
  t.equal(longest.length, 256)
  t.equal(checkType(longest), longest)
  t.throws(() => checkType(`${longest} `), { code: 'MSGBUS_TYPE' })
  t.end()
})

await t.test('a sender may be absent, empty, or any text up to 1,024 characters', t => {
  for (const sender of [null, '', 'dug', 'a b\tc <x@y.z>', '__proto__', 'x'.repeat(1024)]) {
    t.equal(checkSender(sender), sender)
  }
  t.throws(() => checkSender('x'.repeat(1025)), { code: 'MSGBUS_SENDER' })
  t.end()
})

await t.test('a type made to be hard to read costs no time', t => {
  for (const type of [
    `a/b${'; c=d'.repeat(49)};?`,
    `a/b; c="${'\\"'.repeat(120)}`,
    `a/b;${' \t'.repeat(120)}x`,
    `a/b${'; '.repeat(120)}=`,
  ]) {
    t.equal(checkType(type), 'application/octet-stream')
  }
  t.end()
})
