// Publishing a multipart body: each part is a message as soon as it is complete, for as long as the request lasts. This
// is how cameras push and how one bus is bridged to another.

import t, { type Test } from 'tap'
import {
  type Answer,
  ask,
  basic,
  chunk,
  type Connection,
  connect,
  publish,
  requestText,
  start,
  subscribe,
  type TestServer,
} from './server.ts'

const MIXED = 'Content-Type: multipart/mixed; boundary=B'
const CHUNKED = 'Transfer-Encoding: chunked'

function part(body: string, type = 'text/plain', lines: readonly string[] = []): string {
  return [`Content-Type: ${type}`, ...lines, '', `${body}\r\n--B\r\n`].join('\r\n')
}

/** Starts a request whose body is still to be sent, in chunks. */
async function open(
  t: Test,
  server: TestServer,
  path: string,
  headers: readonly string[] = [],
): Promise<Connection> {
  const publisher = await connect(t, server)
  publisher.send(requestText('POST', path, { headers: [CHUNKED, ...headers] }))
  return publisher
}

function send(t: Test, server: TestServer, path: string, body: string): Promise<Answer> {
  return ask(t, server, 'POST', path, { headers: [MIXED], body })
}

for (const type of ['multipart/x-mixed-replace', 'multipart/mixed', 'MULTIPART/Mixed']) {
  await t.test(`a part of ${type} is delivered before the request ends`, async t => {
    const server = await start(t)
    const { boundary } = server.server.bus
    const stream = await subscribe(t, server, '/msgbus/cam')
    const publisher = await open(t, server, '/msgbus/cam', [
      `Content-Type: ${type};boundary="B"`,
      basic('dug'),
    ])
    let lastId: string | undefined
    publisher.send(chunk('--B\r\n'))
    for (const body of ['one', '', 'a\r\n--\r\nb\0']) {
      publisher.send(chunk(part(body, 'image/x-any')))
      const received = await stream.readPart(boundary)
      t.equal(received.body, body)
      t.equal(received.headers.get('content-type'), 'image/x-any')
      t.equal(received.headers.get('from'), 'dug')
      lastId = received.headers.get('msgbus-id')
    }
    publisher.send(`${chunk('Content-Type: text/plain\r\n\r\nlast\r\n--B--\r\n')}0\r\n\r\n`)
    t.equal((await stream.readPart(boundary)).body, 'last')
    const answer = await publisher.readAnswer()
    t.equal(answer.line, 'HTTP/1.1 204 No Content')
    t.equal(answer.headers.get('msgbus-count'), '4')
    t.not(answer.headers.get('msgbus-id'), lastId)
  })
}

await t.test('a part with a length is delivered at its last byte, before any boundary follows', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/cam')
  const publisher = await open(t, server, '/msgbus/cam', [MIXED])
  for (let at = 0; at < 3; at++) {
    publisher.send(chunk(`--B\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n\r\n${at}\n`))
    t.equal((await stream.readPart(server.server.bus.boundary)).body, `\r\n${at}\n`)
    publisher.send(chunk('\r\n'))
  }
  publisher.send('0\r\n\r\n')
  t.equal((await publisher.readAnswer()).headers.get('msgbus-count'), '3')
})

await t.test('parts arrive whole however they are cut up', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/cam')
  const publisher = await open(t, server, '/msgbus/cam', [MIXED])
  for (const byte of `--B\r\n${part('one')}${part('\r\n--BB\r\n')}`) publisher.send(chunk(byte))
  for (const body of ['one', '\r\n--BB\r\n'])
    t.equal((await stream.readPart(server.server.bus.boundary)).body, body)
})

// ffmpeg sends POST, `curl -T -` sends PUT and waits for 100 Continue; neither sends a Content-Type.
for (const [method, headers] of [
  ['POST', []],
  ['PUT', ['Expect: 100-continue']],
] as const) {
  await t.test(`a chunked ${method} without a type names its boundary in its first line`, async t => {
    const server = await start(t)
    const { boundary } = server.server.bus
    const stream = await subscribe(t, server, '/msgbus/cam')
    const publisher = await connect(t, server)
    publisher.send(requestText(method, '/msgbus/cam', { headers: [CHUNKED, ...headers] }))
    if (headers.length > 0) t.equal(await publisher.readThrough('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
    publisher.send(chunk('--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 3\r\n\r\none\r\n'))
    const received = await stream.readPart(boundary)
    t.equal(received.headers.get('content-type'), 'image/jpeg')
    t.equal(received.body, 'one')
    publisher.send(chunk('--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 3\r\n\r\ntwo\r\n'))
    t.equal((await stream.readPart(boundary)).body, 'two')
    publisher.send('0\r\n\r\n')
    t.equal((await publisher.readAnswer()).headers.get('msgbus-count'), '2')
  })
}

await t.test('the stream of one bus can be published to another, in either form', async t => {
  const source = await start(t)
  for (const [framing, boundary] of [
    ['standard', source.server.bus.boundary],
    ['2008', '00MsgBus00'],
  ] as const) {
    const target = await start(t)
    const from = await subscribe(t, source, `/msgbus/?framing=${framing}`)
    const to = await open(t, target, '/msgbus/')
    const stream = await subscribe(t, target, '/msgbus/')
    to.send(chunk(`--${boundary}${framing === '2008' ? '\n' : '\r\n'}`))
    for (const body of ['one', '\n\r\n']) {
      await publish(t, source, '/msgbus/a/%C3%A9', body)
      to.send(chunk(await from.readChunk()))
      const received = await stream.readPart(target.server.bus.boundary)
      t.equal(received.body, body)
      t.equal(received.headers.get('content-location'), '/msgbus/a/%C3%A9')
    }
  }
})

await t.test('parts name their channels where the URL does not', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/')
  const located = (channel: string) => part('x', 'text/plain', [`Content-Location: /msgbus/${channel}`])
  t.equal((await send(t, server, '/msgbus/', `--B\r\n${located('a')}${located('b/c')}`)).status, 204)
  t.equal((await send(t, server, '/msgbus/b/', `--B\r\n${located('b/c')}${located('b/%63/d')}`)).status, 204)
  // Where the URL names the channel, nothing else does.
  t.equal((await send(t, server, '/msgbus/e', `--B\r\n${located('a')}${part('x')}`)).status, 204)
  for (const channel of ['a', 'b/c', 'b/c', 'b/c/d', 'e', 'e']) {
    const received = await stream.readPart(server.server.bus.boundary)
    t.equal(received.headers.get('content-location'), `/msgbus/${channel}`)
  }
})

interface Refusal {
  readonly name: string
  readonly path?: string
  /** What comes behind two good parts. */
  readonly rest: string
  /** True when the request ends there; else there is one more good part, which must not count. */
  readonly isCut?: boolean
  readonly status?: number
  readonly code: string
}

const good = 'Content-Location: /msgbus/b/c'

const refusals: readonly Refusal[] = [
  { name: 'no type', rest: '\r\nx\r\n--B\r\n', code: 'TYPE' },
  { name: 'a line that is no header', rest: 'Content-Type\r\n\r\nx\r\n--B\r\n', code: 'MULTIPART' },
  { name: 'a control character in its type', rest: part('x', 'a/\x01'), code: 'MULTIPART' },
  { name: 'a type not ASCII', rest: part('x', 'a/\xe9'), code: 'TYPE' },
  {
    name: 'a compressed body',
    rest: part('x', 'a/b', ['Content-Encoding: gzip']),
    status: 415,
    code: 'CONTENT_ENCODING',
  },
  { name: 'a body too large', rest: part('x'.repeat(1001)), status: 413, code: 'BODY_TOO_LARGE' },
  {
    name: 'a length too large',
    rest: 'Content-Type: a/b\r\nContent-Length: 1001\r\n\r\n',
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  { name: 'an end in its middle', rest: 'Content-Type: a/b\r\n\r\nabc', isCut: true, code: 'MULTIPART' },
  { name: 'no location', path: '/msgbus/', rest: part('x'), code: 'CHANNEL_NAME' },
  {
    name: 'a location elsewhere',
    path: '/msgbus/',
    rest: part('x', 'a/b', ['Content-Location: /other/c']),
    code: 'CHANNEL_NAME',
  },
  {
    name: 'the root as its location',
    path: '/msgbus/',
    rest: part('x', 'a/b', ['Content-Location: /msgbus/']),
    code: 'CHANNEL_NAME',
  },
  {
    name: 'a location of a bad name',
    path: '/msgbus/',
    rest: part('x', 'a/b', ['Content-Location: /msgbus/b/../c']),
    code: 'CHANNEL_NAME',
  },
  {
    name: 'a location with an encoded slash',
    path: '/msgbus/',
    rest: part('x', 'a/b', ['Content-Location: /msgbus/b%2fc']),
    code: 'CHANNEL_NAME',
  },
  {
    name: 'a location beside the URL',
    path: '/msgbus/b/',
    rest: part('x', 'a/b', ['Content-Location: /msgbus/bb/c']),
    code: 'CHANNEL_NAME',
  },
  {
    name: 'the URL itself as its location',
    path: '/msgbus/b/',
    rest: part('x', 'a/b', ['Content-Location: /msgbus/b']),
    code: 'CHANNEL_NAME',
  },
]

for (const { name, path = '/msgbus/b/c', rest, isCut = false, status = 400, code } of refusals) {
  await t.test(
    `a part with ${name} ends the request, and the answer tells how many went before it`,
    async t => {
      const server = await start(t, { maxBodyBytes: 1000 })
      const { boundary } = server.server.bus
      const stream = await subscribe(t, server, '/msgbus/b/c')
      const publisher = await open(t, server, path, [MIXED])
      const body = `--B\r\n${part('one', 'a/b', [good])}${part('two', 'a/b', [good])}${rest}`
      publisher.send(`${chunk(isCut ? body : `${body}${part('never', 'a/b', [good])}`)}0\r\n\r\n`)
      const answer = await publisher.readAnswer()
      t.equal(answer.status, status)
      t.equal(answer.headers.get('connection'), 'close')
      t.match(
        answer.body,
        new RegExp(`^MSGBUS_${code}: [\\x20-\\x7e]+; 2 parts before it were published\\n$`),
      )
      for (const wanted of ['one', 'two']) t.equal((await stream.readPart(boundary)).body, wanted)
      await publish(t, server, '/msgbus/b/c', 'fence')
      t.equal((await stream.readPart(boundary)).body, 'fence', 'nothing came behind it')
    },
  )
}

await t.test(
  'a part counts once its length is reached, even if no boundary follows where it must',
  async t => {
    const server = await start(t)
    const { boundary } = server.server.bus
    const stream = await subscribe(t, server, '/msgbus/foo')
    const body = `--B\r\n${part('abc', 'a/b', ['Content-Length: 2'])}${part('never')}`
    const answer = await send(t, server, '/msgbus/foo', body)
    t.equal(answer.status, 400)
    t.match(answer.body, /^MSGBUS_MULTIPART: [^\n]*; 1 part before it was published\n$/)
    t.equal((await stream.readPart(boundary)).body, 'ab')
    await publish(t, server, '/msgbus/foo', 'fence')
    t.equal((await stream.readPart(boundary)).body, 'fence')
  },
)

await t.test('a part with the boundary of the bus in it ends the request', async t => {
  const server = await start(t)
  const answer = await send(
    t,
    server,
    '/msgbus/foo',
    `--B\r\n${part('one')}${part(server.server.bus.boundary)}`,
  )
  t.equal(answer.status, 400)
  t.match(answer.body, /^MSGBUS_BODY_BOUNDARY: [^\n]*; 1 part before it was published\n$/)
})

await t.test('a body that is no multipart at all is refused without a count', async t => {
  const server = await start(t)
  for (const headers of [[CHUNKED], [CHUNKED, MIXED]]) {
    const publisher = await open(t, server, '/msgbus/foo', headers.slice(1))
    publisher.send(`${chunk('hello\r\n')}0\r\n\r\n`)
    const answer = await publisher.readAnswer()
    t.equal(answer.status, 400)
    t.match(answer.body, /^MSGBUS_MULTIPART: [^;\n]+\n$/)
  }
})

await t.test('a publisher that breaks off loses the part it was in, and no other', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const stream = await subscribe(t, server, '/msgbus/foo')
  const publisher = await open(t, server, '/msgbus/foo', [MIXED])
  publisher.send(chunk(`--B\r\n${part('one')}Content-Type: a/b\r\nContent-Length: 5\r\n\r\ntw`))
  t.equal((await stream.readPart(boundary)).body, 'one')
  publisher.socket.resetAndDestroy()
  await server.log.until('http.refused')
  await publish(t, server, '/msgbus/foo', 'fence')
  t.equal((await stream.readPart(boundary)).body, 'fence')
})

await t.test('a body without parts publishes nothing and is fine', async t => {
  const server = await start(t)
  for (const body of ['--B--\r\n', '--B\r\n', '']) {
    const answer = await send(t, server, '/msgbus/foo', body)
    t.equal(answer.status, 204, JSON.stringify(body))
    t.equal(answer.headers.get('msgbus-count'), '0')
    t.notOk(answer.headers.has('msgbus-id'))
  }
})
