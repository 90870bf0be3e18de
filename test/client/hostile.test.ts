// The client before servers that break off, lie, or are none of ours: a typed error with a code, never a silent end, and
// what came whole before it counts.

import t, { type Test } from 'tap'
import { type ClientOptions, connect, MsgbusError, type SubscribeOptions } from '../../client/index.ts'
import { holdTimers } from './timers.ts'
import { answer, part, RawServer, send, sendAndBreak, sendAndEnd, streamHead } from './raw-server.ts'

interface Outcome {
  readonly texts: readonly string[]
  readonly code: string
  readonly status: number | undefined
  readonly message: string
}

/** Reads to the end, and says what there was and how it ended. */
async function read(
  t: Test,
  url: string,
  channel = 'a',
  options: SubscribeOptions = {},
  clientOptions: ClientOptions = {},
): Promise<Outcome> {
  const client = connect(url, clientOptions)
  t.teardown(client.close)
  const texts: string[] = []
  try {
    for await (const message of client.subscribe(channel, { reconnects: false, ...options })) {
      texts.push(message.text())
    }
    return { texts, code: 'ended', status: undefined, message: '' }
  } catch (error) {
    if (!(error instanceof MsgbusError)) throw error
    return { texts, code: error.code, status: error.status, message: error.message }
  }
}

const OPENING = '--b\r\n'
const HTML = '<!doctype html><title>Some router</title>'

const READABLE = [
  {
    name: 'lines that end in LF alone',
    bytes: `${streamHead()}--b\nContent-Type: text/plain\nContent-Length: 3\nMsgbus-Id: e-1\n\none\n--b\nContent-Type: text/plain\n\ntwo\n--b--\n`,
  },
  {
    name: 'parts without Content-Length',
    bytes: `${streamHead()}${OPENING}Content-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--b--\r\n`,
  },
  {
    name: 'a quoted boundary with blanks in it',
    bytes: `${streamHead(['Content-Type: multipart/mixed; charset=x; boundary="a; b"'])}--a; b\r\nContent-Length: 3\r\n\r\none\r\n--a; b\r\n\r\ntwo\r\n--a; b--`,
  },
  {
    name: 'the bytes of 2008',
    bytes: `${streamHead(['Content-Type: multipart/x-mixed-replace;boundary=00MsgBus00'])}--00MsgBus00\nContent-Type: text/plain\n\none--00MsgBus00\nContent-Type: text/plain\n\ntwo--00MsgBus00\n`,
  },
  {
    name: 'pings, and text before the first boundary',
    bytes: `${streamHead()}hello\r\n\r\n--b\r\nMsgbus-Ping: 1\r\nMsgbus-Ping: 2\r\n${part('e-1', 'one')}Msgbus-Ping: 1\r\n${part('e-2', 'two')}--b--`,
  },
]

for (const { name, bytes } of READABLE) {
  await t.test(`${name} can be read, however they are cut`, async t => {
    const server = await RawServer.open(t, sendAndEnd(bytes), socket => {
      for (const byte of bytes) socket.write(byte, 'latin1')
      socket.end()
    })
    for (let round = 0; round < 2; round++) {
      t.match(await read(t, server.url), { texts: ['one', 'two'], code: 'ended' })
    }
  })
}

await t.test('a time and a number of lost messages that are none are not known', async t => {
  for (const time of ['soon', '1e300']) {
    const lines = [`Msgbus-Time: ${time}`, 'Msgbus-Skipped: many']
    const server = await RawServer.open(
      t,
      sendAndEnd(`${streamHead()}--b\r\n${part('e-1', 'one', lines)}--b--`),
    )
    const client = connect(server.url)
    t.teardown(client.close)
    for await (const message of client.subscribe('a')) {
      t.match(message, { time: null, lost: null })
      break
    }
  }
})

await t.test('what has never brought a delimiter is not msgbus, and is not asked again', async t => {
  for (const body of ['<html>\r\n', 'x'.repeat(70_000)]) {
    const server = await RawServer.open(t, sendAndEnd(`${streamHead()}${body}`))
    const outcome = await read(t, server.url, 'a', { reconnects: true })
    t.match(outcome, { texts: [], code: 'MSGBUS_NOT_MSGBUS' })
    t.equal(server.requests.length, 1)
  }
})

await t.test('a refusal without words ends with its status', async t => {
  const server = await RawServer.open(t, sendAndEnd(answer('400 Bad')))
  t.match((await read(t, server.url)).message, /: answered 400$/)
})

const UNREADABLE = [
  {
    name: 'a stream that ends in the middle of a part',
    bytes: `${streamHead()}${OPENING}${part('e-1', 'one')}${part('e-2', 'two').slice(0, -12)}`,
    wanted: { texts: ['one'], code: 'MSGBUS_STREAM_CUT' },
  },
  {
    name: 'a stream that ends in the headers of a part',
    bytes: `${streamHead()}${OPENING}${part('e-1', 'one')}Content-Type: te`,
    wanted: { texts: ['one'], code: 'MSGBUS_STREAM_CUT' },
  },
  {
    name: 'a stream that ends between two parts without a closing delimiter',
    bytes: `${streamHead()}${OPENING}${part('e-1', 'one')}`,
    wanted: { texts: ['one'], code: 'MSGBUS_STREAM_CUT' },
  },
  {
    name: 'a stream whose chunks end too early',
    bytes: `${streamHead(['Transfer-Encoding: chunked'])}5\r\n${OPENING}\r\n${part('e-1', 'one').length.toString(16)}\r\n${part('e-1', 'one')}\r\n`,
    wanted: { texts: ['one'], code: 'MSGBUS_STREAM_CUT' },
  },
  {
    name: 'a length that is too small',
    bytes: `${streamHead()}${OPENING}${part('e-1', 'one')}${part('e-2', 'two').replace('h: 3', 'h: 2')}`,
    wanted: { texts: ['one'], code: 'MSGBUS_MULTIPART' },
  },
  {
    name: 'a length that is too large',
    bytes: `${streamHead()}${OPENING}${part('e-1', 'one')}${part('e-2', 'two').replace('h: 3', 'h: 9')}${part('e-3', 'x')}`,
    wanted: { texts: ['one'], code: 'MSGBUS_MULTIPART' },
  },
  {
    name: 'a length that is none',
    bytes: `${streamHead()}${OPENING}${part('e-1', 'one').replace('h: 3', 'h: -3')}`,
    wanted: { texts: [], code: 'MSGBUS_MULTIPART' },
  },
  {
    name: 'headers of a part without end',
    bytes: `${streamHead()}${OPENING}${part('e-1', 'one')}X: ${'x'.repeat(20_000)}`,
    wanted: { texts: ['one'], code: 'MSGBUS_MULTIPART' },
  },
  {
    name: 'text in which no boundary ever comes',
    bytes: `${streamHead()}${'x\r\n'.repeat(30_000)}`,
    wanted: { texts: [], code: 'MSGBUS_NOT_MSGBUS' },
  },
  {
    name: 'a part longer than allowed',
    bytes: `${streamHead()}${OPENING}${part('e-1', 'one')}${part('e-2', 'x'.repeat(101))}`,
    wanted: { texts: ['one'], code: 'MSGBUS_BODY_TOO_LARGE' },
  },
  {
    name: 'a head without end',
    bytes: `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`,
    wanted: { texts: [], code: 'MSGBUS_UNREACHABLE' },
  },
  {
    name: 'something other than HTTP',
    bytes: 'SSH-2.0-x\r\n',
    wanted: { texts: [], code: 'MSGBUS_UNREACHABLE' },
  },
  { name: 'no byte at all', bytes: '', wanted: { texts: [], code: 'MSGBUS_UNREACHABLE' } },
  {
    name: 'a page',
    bytes: answer('200 OK', ['Content-Type: text/html'], HTML),
    wanted: { texts: [], code: 'MSGBUS_NOT_MSGBUS' },
  },
  {
    name: 'an answer without a type',
    bytes: answer('200 OK'),
    wanted: { texts: [], code: 'MSGBUS_NOT_MSGBUS' },
  },
  {
    name: 'parts without a boundary',
    bytes: answer('200 OK', ['Content-Type: multipart/mixed'], 'x'),
    wanted: { texts: [], code: 'MSGBUS_NOT_MSGBUS' },
  },
  {
    name: 'a page that says that nothing is here',
    bytes: answer('404 Not Found', ['Content-Type: text/html'], HTML),
    wanted: { texts: [], code: 'MSGBUS_REFUSED', status: 404 },
  },
  {
    name: 'a proxy that wants a password',
    bytes: answer('401 Unauthorized', ['WWW-Authenticate: Basic realm="x"'], 'no'),
    wanted: { texts: [], code: 'MSGBUS_REFUSED', status: 401 },
  },
  {
    name: 'a refusal with a code that is not known here',
    bytes: answer('409 Conflict', [], 'MSGBUS_NEW_THING: not now\n'),
    wanted: { texts: [], code: 'MSGBUS_NEW_THING', status: 409 },
  },
  {
    name: 'an error text without end',
    bytes: `HTTP/1.1 500 Oops\r\n\r\n${'MSGBUS_X: x'.repeat(100_000)}`,
    wanted: { texts: [], code: 'MSGBUS_REFUSED', status: 500 },
  },
]

for (const { name, bytes, wanted } of UNREADABLE) {
  await t.test(`${name} is told with a code`, async t => {
    const server = await RawServer.open(t, sendAndEnd(bytes))
    t.match(await read(t, server.url, 'a', {}, { maxBodyBytes: 100 }), wanted)
  })
}

await t.test('a connection that is reset is told with a code', async t => {
  const server = await RawServer.open(
    t,
    sendAndBreak(`${streamHead()}${OPENING}${part('e-1', 'one')}`),
    sendAndBreak(''),
  )
  t.equal((await read(t, server.url)).code, 'MSGBUS_STREAM_CUT')
  t.equal((await read(t, server.url)).code, 'MSGBUS_UNREACHABLE')
})

await t.test(
  'a part of a wide subscription that names no channel, or a broken one, is told with a code',
  async t => {
    const server = await RawServer.open(
      t,
      sendAndEnd(`${streamHead()}${OPENING}${part('e-1', 'one')}`),
      sendAndEnd(`${streamHead()}${OPENING}${part('e-1', 'one', ['Content-Location: /msgbus/%ff'])}`),
    )
    t.equal((await read(t, server.url, 'a/')).code, 'MSGBUS_NOT_MSGBUS')
    t.equal((await read(t, server.url, 'a/')).code, 'MSGBUS_NOT_MSGBUS')
  },
)

await t.test('a redirect is not followed, neither by reading nor by publishing', async t => {
  const elsewhere = await RawServer.open(t, send(answer('204 No Content', ['Msgbus-Id: e-1'])))
  for (const status of ['301 Moved', '302 Found', '307 Temporary Redirect']) {
    const server = await RawServer.open(t, send(answer(status, [`Location: ${elsewhere.url}/msgbus/a`])))
    t.equal((await read(t, server.url)).code, 'MSGBUS_NOT_MSGBUS')
    await t.rejects(connect(server.url).publish('a', 'x'), { code: 'MSGBUS_NOT_MSGBUS' })
  }
  t.strictSame(elsewhere.requests, [])
})

await t.test(
  'what a server says reaches a terminal without control characters, and not in full length',
  async t => {
    const server = await RawServer.open(
      t,
      send(answer('400 Bad Request', [], 'MSGBUS_QUERY: \x1b[2Jhello\nthere')),
      send(answer('400 Bad Request', [], 'x'.repeat(5000))),
    )
    t.match((await read(t, server.url)).message, /: answered 400 MSGBUS_QUERY: \?\[2Jhello\?there$/)
    t.ok((await read(t, server.url)).message.length < 500)
  },
)

await t.test('user and password of the address are in no error text', async t => {
  const server = await RawServer.open(t, send(answer('401 Unauthorized', [], 'MSGBUS_PASSWORD: no')))
  const address = new URL(server.url)
  address.username = 'dug'
  address.password = 'geheim'
  const { code, message } = await read(t, address.href)
  t.equal(code, 'MSGBUS_PASSWORD')
  t.notMatch(message, /dug|geheim|ZHVn/)
  t.ok(server.requests[0]?.includes(`Basic ${btoa('dug:geheim')}`))
  for (const bad of ['http://dug:geheim@', 'ftp://dug:geheim@host', 'dug:geheim@host']) {
    t.throws(() => connect(bad), { name: 'TypeError', message: /^(?!.*geheim)/ })
  }
})

await t.test('a server that never answers, or falls silent, is given up', async t => {
  const timers = holdTimers(t, 90_000)
  const server = await RawServer.open(
    t,
    send(''),
    send(`${streamHead()}${OPENING}${part('e-1', 'one')}Content-`),
  )
  const first = read(t, server.url)
  await server.asked(1)
  timers.fire()
  t.match(await first, { texts: [], code: 'MSGBUS_STREAM_CUT' })

  const client = connect(server.url)
  t.teardown(client.close)
  const iterator = client.subscribe('a', { reconnects: false })[Symbol.asyncIterator]()
  t.equal((await iterator.next()).value?.text(), 'one')
  // What has come is read: the next wait has begun.
  timers.fire()
  await t.rejects(iterator.next(), { code: 'MSGBUS_STREAM_CUT' })
})

await t.test('a name that does not exist, and a port where nobody listens, are told with a code', async t => {
  const server = await RawServer.open(t, send(''))
  const { port } = new URL(server.url)
  t.not(port, '1')
  for (const address of ['http://127.0.0.1:1', 'http://no-such-host.invalid']) {
    t.match(await read(t, address), { texts: [], code: 'MSGBUS_UNREACHABLE' })
    await t.rejects(connect(address).publish('a', 'x'), { code: 'MSGBUS_UNREACHABLE' })
  }
})

const UNPUBLISHED = [
  { name: 'a page', bytes: answer('200 OK', ['Content-Type: text/html'], HTML), code: 'MSGBUS_NOT_MSGBUS' },
  {
    name: 'an endless answer',
    bytes: `${streamHead()}${OPENING}`,
    code: 'MSGBUS_NOT_MSGBUS',
  },
  { name: '204 without an id', bytes: 'HTTP/1.1 204 No Content\r\n\r\n', code: 'MSGBUS_NOT_MSGBUS' },
  { name: '404', bytes: answer('404 Not Found', [], HTML), code: 'MSGBUS_REFUSED' },
  {
    name: '413',
    bytes: answer('413 Too Large', [], 'MSGBUS_BODY_TOO_LARGE: no'),
    code: 'MSGBUS_BODY_TOO_LARGE',
  },
  { name: 'half a head', bytes: 'HTTP/1.1 204 No', code: 'MSGBUS_UNREACHABLE' },
]

for (const { name, bytes, code } of UNPUBLISHED) {
  await t.test(`${name} is no answer to a publish`, async t => {
    const server = await RawServer.open(t, sendAndEnd(bytes))
    await t.rejects(connect(server.url).publish('a', 'x'), { name: 'MsgbusError', code })
  })
}

await t.test('a publish that nobody answers lasts until it is given up', async t => {
  const server = await RawServer.open(t, send(''))
  const controller = new AbortController()
  const client = connect(server.url)
  const given = client.publish('a', 'x', { signal: controller.signal })
  const closed = client.publish('a', 'y')
  await server.asked(2)
  controller.abort(new Error('enough'))
  await t.rejects(given, { message: 'enough' })
  client.close()
  await t.rejects(closed, { code: 'MSGBUS_CLOSED' })
})

await t.test('what cannot be said in a request is a mistake of the caller', async t => {
  const client = connect('http://127.0.0.1:1')
  await t.rejects(client.publish('a', 'x', { sender: 'a:b' }), TypeError)
  await t.rejects(client.publish('a', 'x', { type: 'a\nb' }), TypeError)
  await t.rejects(client.publish('a', undefined as unknown as null), TypeError)
  await t.rejects(
    client.publish('a', () => 'x'),
    TypeError,
  )
})
