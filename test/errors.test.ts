// The error of peers: its code, its status, its cause.

import t from 'tap'
import { type ErrorCode, MsgbusError } from '../src/errors.ts'
import { statusOf } from '../src/statuses.ts'

const statuses: readonly (readonly [ErrorCode, number])[] = [
  ['MSGBUS_TYPE', 400],
  ['MSGBUS_CHANNEL_NAME', 400],
  ['MSGBUS_BODY_BOUNDARY', 400],
  ['MSGBUS_PASSWORD', 401],
  ['MSGBUS_ORIGIN', 403],
  ['MSGBUS_NOT_FOUND', 404],
  ['MSGBUS_METHOD_NOT_ALLOWED', 405],
  ['MSGBUS_BODY_SLOW', 408],
  ['MSGBUS_GONE', 410],
  ['MSGBUS_LENGTH_REQUIRED', 411],
  ['MSGBUS_BODY_TOO_LARGE', 413],
  ['MSGBUS_URL_TOO_LONG', 414],
  ['MSGBUS_CONTENT_ENCODING', 415],
  ['MSGBUS_HOST', 421],
  ['MSGBUS_HEADER_COUNT', 431],
  ['MSGBUS_METHOD', 501],
  ['MSGBUS_TRANSFER_ENCODING', 501],
  ['MSGBUS_BUSY', 503],
  ['MSGBUS_CLOSED', 503],
  ['MSGBUS_VERSION', 505],
]

for (const [code, status] of statuses) {
  await t.test(`${code} is answered with ${status}`, t => {
    t.equal(statusOf(code), status)
    t.end()
  })
}

await t.test('an error carries its code, its name, its text and its cause', t => {
  const cause = new Error('deeper')
  const error = new MsgbusError('MSGBUS_TYPE', 'Cannot publish: no', { cause })
  t.ok(error instanceof Error)
  t.equal(error.code, 'MSGBUS_TYPE')
  t.equal(error.name, 'MsgbusError')
  t.equal(error.message, 'Cannot publish: no')
  t.equal(error.cause, cause)
  t.equal(String(error), 'MsgbusError: Cannot publish: no')
  t.end()
})
