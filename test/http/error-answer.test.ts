import t from 'tap'
import { MsgbusError } from '../../src/errors.ts'
import { errorAnswer } from '../../src/http/error-answer.ts'

await t.test('a mistake of the peer is told with its code, its status and what helps to do better', t => {
  t.same(errorAnswer(new MsgbusError('MSGBUS_METHOD_NOT_ALLOWED', 'Use another one')), {
    status: 405,
    headers: ['Allow', 'GET, HEAD, POST, PUT, OPTIONS', 'Connection', 'close'],
    text: 'MSGBUS_METHOD_NOT_ALLOWED: Use another one',
  })
  t.end()
})

await t.test('a fault of ours is told as such, and nothing of what it was', t => {
  for (const fault of [
    new Error('/secret'),
    new TypeError('/secret', { cause: '/secret' }),
    '/secret',
    null,
  ]) {
    t.same(errorAnswer(fault), {
      status: 500,
      headers: ['Connection', 'close'],
      text: 'The server failed to serve this request',
    })
  }
  t.end()
})

await t.test('who is sent away for now is told when to come back, 5 to 15 seconds later', t => {
  for (const code of ['MSGBUS_BUSY', 'MSGBUS_CLOSED', 'MSGBUS_STORE_FULL', 'MSGBUS_STORE'] as const) {
    const { headers } = errorAnswer(new MsgbusError(code, 'Not now'))
    const seconds = Number(headers[headers.indexOf('Retry-After') + 1])
    t.ok(Number.isInteger(seconds) && seconds >= 5 && seconds <= 15, `${code}: ${seconds}`)
  }
  t.end()
})
