// What a publisher may send, in raw bytes, and what becomes of it: plain bodies, their bounds, and the reason in each
// refusal. Forms and multipart bodies have files of their own.

import t from 'tap'
import { ask, chunk, connect, publish, requestText, start, subscribe } from './server.ts'

const TEXT = 'Content-Type: text/plain'
const CHUNKED = 'Transfer-Encoding: chunked'

await t.test('POST and PUT publish a body and are told its id', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const stream = await subscribe(t, server, '/msgbus/a/b')
  for (const method of ['POST', 'PUT']) {
    const answer = await ask(t, server, method, '/msgbus/a/b?ignored=1', { headers: [TEXT], body: method })
    t.equal(answer.line, 'HTTP/1.1 204 No Content')
    t.notOk(answer.headers.has('content-length'))
    t.notOk(answer.headers.has('msgbus-count'), 'there can only be one')
    const part = await stream.readPart(boundary)
    t.equal(part.body, method)
    t.equal(answer.headers.get('msgbus-id'), part.headers.get('msgbus-id'))
  }
})

await t.test('a connection serves one publish after the other', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const publisher = await connect(t, server)
  for (const body of ['one', '', 'three']) {
    publisher.send(requestText('POST', '/msgbus/foo', { headers: [TEXT], body }))
    t.equal((await publisher.readAnswer()).status, 204)
    t.equal((await stream.readPart(server.server.bus.boundary)).body, body)
  }
})

await t.test('an HTTP/1.0 publisher is answered and the connection closed', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const publisher = await connect(t, server)
  publisher.send('POST /msgbus/foo HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc')
  t.equal((await publisher.readAnswer()).status, 204)
  t.equal(await publisher.readToEnd(), '')
  t.equal((await stream.readPart(server.server.bus.boundary)).body, 'abc')
})

await t.test('the chunks of a body are put together', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const publisher = await connect(t, server)
  publisher.send(requestText('POST', '/msgbus/foo', { headers: [TEXT, CHUNKED] }))
  for (const piece of ['one', '\r\n', 'two']) publisher.send(chunk(piece))
  publisher.send('0\r\nTrailer: dropped\r\n\r\n')
  t.equal((await publisher.readAnswer()).status, 204)
  const part = await stream.readPart(server.server.bus.boundary)
  t.equal(part.body, 'one\r\ntwo')
  t.notOk(part.headers.has('trailer'))
})

await t.test('a client that waits for 100 Continue gets it before it sends its body', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const publisher = await connect(t, server)
  publisher.send(
    requestText('POST', '/msgbus/foo', { headers: [TEXT, 'Expect: 100-continue', 'Content-Length: 5'] }),
  )
  t.equal(await publisher.readThrough('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
  publisher.send('hello')
  t.equal((await publisher.readAnswer()).status, 204)
  t.equal((await stream.readPart(server.server.bus.boundary)).body, 'hello')
})

interface Refusal {
  readonly name: string
  readonly method?: string
  readonly path?: string
  readonly headers: readonly string[]
  readonly body?: string
  readonly status: number
  readonly code: string
}

const LONG = 'x'.repeat(257)

// Each is refused by its head alone: the bodies that some of them announce are never sent.
const refusals: readonly Refusal[] = [
  { name: 'no length', headers: [TEXT], status: 411, code: 'LENGTH_REQUIRED' },
  {
    name: 'a length past the limit',
    headers: [TEXT, 'Content-Length: 1001'],
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  { name: 'no type', headers: ['Content-Length: 5'], status: 400, code: 'TYPE' },
  { name: 'an empty type', headers: ['Content-Type:', 'Content-Length: 5'], status: 400, code: 'TYPE' },
  {
    name: 'a type too long',
    headers: [`Content-Type: a/${LONG}`, 'Content-Length: 5'],
    status: 400,
    code: 'TYPE',
  },
  {
    name: 'a type not ASCII',
    headers: ['Content-Type: a/\xe9', 'Content-Length: 5'],
    status: 400,
    code: 'TYPE',
  },
  { name: 'two types', headers: [TEXT, TEXT, 'Content-Length: 5'], status: 400, code: 'HEADER_REPEATED' },
  {
    name: 'a compressed body',
    headers: [TEXT, 'Content-Encoding: gzip', 'Content-Length: 5'],
    status: 415,
    code: 'CONTENT_ENCODING',
  },
  {
    name: 'the root',
    path: '/msgbus/',
    headers: [TEXT, 'Content-Length: 5'],
    status: 400,
    code: 'CHANNEL_NAME',
  },
  {
    name: 'a subtree',
    path: '/msgbus/a/',
    headers: [TEXT, 'Content-Length: 5'],
    status: 400,
    code: 'CHANNEL_NAME',
  },
  {
    name: 'two channels',
    path: '/msgbus/a,b',
    headers: [TEXT, 'Content-Length: 5'],
    status: 400,
    code: 'CHANNEL_NAME',
  },
  {
    name: 'a bad name',
    path: '/msgbus/a//b',
    headers: [TEXT, 'Content-Length: 5'],
    status: 400,
    code: 'CHANNEL_NAME',
  },
  {
    name: 'a form to the root',
    path: '/msgbus/',
    headers: ['Content-Type: multipart/form-data; boundary=B', 'Content-Length: 5'],
    status: 400,
    code: 'CHANNEL_NAME',
  },
  {
    name: 'a form without a boundary',
    headers: ['Content-Type: multipart/form-data', 'Content-Length: 5'],
    status: 400,
    code: 'MULTIPART',
  },
  {
    name: 'a form past the limit',
    headers: ['Content-Type: multipart/form-data; boundary=B', 'Content-Length: 5001'],
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  {
    name: 'no address of ours',
    path: '/other',
    headers: [TEXT, 'Content-Length: 5'],
    status: 404,
    code: 'NOT_FOUND',
  },
  {
    name: 'a method of no meaning',
    method: 'DELETE',
    headers: [TEXT, 'Content-Length: 5'],
    status: 501,
    code: 'METHOD',
  },
]

for (const { name, method = 'POST', path = '/msgbus/foo', headers, status, code } of refusals) {
  await t.test(`a request is refused for ${name}, before its body is read`, async t => {
    const server = await start(t, { maxBodyBytes: 1000, maxFormBytes: 5000 })
    for (const expect of [[], ['Expect: 100-continue']]) {
      const publisher = await connect(t, server)
      publisher.send(requestText(method, path, { headers: [...headers, ...expect] }))
      const answer = await publisher.readAnswer()
      t.equal(answer.status, status, 'and no 100 Continue came first')
      t.match(answer.body, new RegExp(`^MSGBUS_${code}: [\\x20-\\x7e]+\\n$`), 'one line for a person')
      t.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
      t.equal(answer.headers.get('connection'), 'close')
      t.equal(await publisher.readToEnd(), '')
    }
  })
}

await t.test('a chunked body is refused at the byte that is too much', async t => {
  const server = await start(t, { maxBodyBytes: 1000 })
  const stream = await subscribe(t, server, '/msgbus/foo')
  const publisher = await connect(t, server)
  publisher.send(requestText('POST', '/msgbus/foo', { headers: [TEXT, CHUNKED, 'Expect: 100-continue'] }))
  await publisher.readThrough('\r\n\r\n')
  publisher.send(chunk('x'.repeat(1000)))
  publisher.send('1\r\nx')
  const answer = await publisher.readAnswer()
  t.equal(answer.status, 413)
  t.equal(answer.headers.get('connection'), 'close')
  t.match(answer.body, /^MSGBUS_BODY_TOO_LARGE: [^\n]+\n$/)
  t.equal(await publisher.readToEnd(), '')

  await publish(t, server, '/msgbus/foo', 'y'.repeat(1000))
  t.equal(
    (await stream.readPart(server.server.bus.boundary)).body,
    'y'.repeat(1000),
    'the limit itself is allowed',
  )
})

await t.test('a body with the boundary of the bus in it is refused, wherever it stands', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const stream = await subscribe(t, server, '/msgbus/foo')
  for (const body of [boundary, `\r\n--${boundary}\r\nFrom: root\r\n\r\n`, `x${boundary}`]) {
    const answer = await ask(t, server, 'POST', '/msgbus/foo', { headers: [TEXT], body })
    t.equal(answer.status, 400)
    t.equal(answer.headers.get('connection'), 'close')
    t.match(answer.body, /^MSGBUS_BODY_BOUNDARY: [^\n]+\n$/)
    t.notOk(answer.body.includes(boundary))
  }
  await publish(t, server, '/msgbus/foo', boundary.slice(1))
  t.equal((await stream.readPart(boundary)).body, boundary.slice(1))
})

await t.test('a body that is cut short is not published, however it was announced', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  for (const [headers, body] of [
    [[TEXT, 'Content-Length: 10'], 'abc'],
    [[TEXT, CHUNKED], '3\r\nabc\r\n'],
    [[TEXT, CHUNKED], '3\r\nab'],
  ] as const) {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const publisher = await connect(t, server)
      publisher.send(requestText('POST', '/msgbus/foo', { headers: [...headers, 'Expect: 100-continue'] }))
      await publisher.readThrough('\r\n\r\n')
      publisher.send(body)
      publisher.socket[end]()
      await publisher.readToEnd()
    }
  }
  await publish(t, server, '/msgbus/foo', 'fence')
  t.equal((await stream.readPart(server.server.bus.boundary)).body, 'fence')
})

await t.test(
  'more bodies at once than may be held are refused, and leave room for those under way',
  async t => {
    const server = await start(t, { maxBodyBytes: 1000, maxBodiesTotalBytes: 1500 })
    const stream = await subscribe(t, server, '/msgbus/foo')
    const first = await connect(t, server)
    const headers = [TEXT, 'Content-Length: 1000', 'Expect: 100-continue']
    first.send(requestText('POST', '/msgbus/foo', { headers }))
    await first.readThrough('\r\n\r\n')
    first.send('z'.repeat(999))
    // Once those have arrived, not before; nobody reads this channel. Plain publishes are never under way.
    const large = { headers: [TEXT, 'Via: 1.1 proxy'], body: 'x'.repeat(502) }
    let refused = await ask(t, server, 'POST', '/msgbus/bar', large)
    while (refused.status === 204) refused = await ask(t, server, 'POST', '/msgbus/bar', large)
    t.equal(refused.status, 503)
    t.ok(Number(refused.headers.get('retry-after')) > 0)
    await publish(t, server, '/msgbus/foo', 'y'.repeat(500))
    first.send('z')
    t.equal((await first.readAnswer()).status, 204)
    const { boundary } = server.server.bus
    t.equal((await stream.readPart(boundary)).body, 'y'.repeat(500))
    t.equal((await stream.readPart(boundary)).body, 'z'.repeat(1000))
    await publish(t, server, '/msgbus/foo', 'y'.repeat(1000))
  },
)
