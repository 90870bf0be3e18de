// What a subscriber of the native protocol reads, byte by byte, in each form and over each kind of connection; and what
// it can ask for.

import t from 'tap'
import {
  ask,
  basic,
  GIF,
  put,
  type Connection,
  chunk,
  connect,
  get,
  parsePart,
  publish,
  requestText,
  start,
  subscribe,
} from './server.ts'

/** Reads the bodies of the parts that come before the end of a stream over HTTP/1.1. */
async function readBodies(stream: Connection, boundary: string): Promise<string[]> {
  const bodies: string[] = []
  for (;;) {
    const part = await stream.readChunk()
    if (part === `--${boundary}--\r\n`) return bodies
    bodies.push(parsePart(part, boundary).body)
  }
}

await t.test('over HTTP/1.1 each message is exactly one chunk', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const { stream, head } = await get(t, server, '/msgbus/foo')
  t.equal(head.line, 'HTTP/1.1 200 OK')
  t.equal(head.headers.get('content-type'), `multipart/x-mixed-replace; boundary=${boundary}`)
  t.equal(head.headers.get('transfer-encoding'), 'chunked')
  t.match(boundary, /^[0-9a-f]{32}$/)
  t.equal(await stream.read(42), `24\r\n--${boundary}\r\n\r\n`)
  const ids = [put(server, 'foo', 'hello'), put(server, 'foo', '')]
  const wanted =
    chunk(
      `Content-Type: text/plain\r\nContent-Length: 5\r\nMsgbus-Id: ${ids[0]}\r\nMsgbus-Time: 1700000000000\r\n\r\nhello\r\n--${boundary}\r\n`,
    ) +
    chunk(
      `Content-Type: text/plain\r\nContent-Length: 0\r\nMsgbus-Id: ${ids[1]}\r\nMsgbus-Time: 1700000000000\r\n\r\n\r\n--${boundary}\r\n`,
    )
  t.equal(await stream.read(wanted.length), wanted)
})

await t.test('over HTTP/1.0 the parts come bare, behind a status line of that version', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const { stream, head } = await get(t, server, '/msgbus/foo', { version: '1.0' })
  t.equal(head.line, 'HTTP/1.0 200 OK')
  t.notOk(head.headers.has('transfer-encoding'))
  t.notOk(head.headers.has('content-length'))
  t.equal(await stream.read(36), `--${boundary}\r\n`)
  const id = put(server, 'foo', 'hello')
  const wanted = `Content-Type: text/plain\r\nContent-Length: 5\r\nMsgbus-Id: ${id}\r\nMsgbus-Time: 1700000000000\r\n\r\nhello\r\n--${boundary}\r\n`
  t.equal(await stream.read(wanted.length), wanted)
  await server.server.close()
  t.equal(await stream.readToEnd(), `--${boundary}--\r\n`)
})

await t.test('a stream ends with the closing boundary and the last chunk when the server closes', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const standard = await subscribe(t, server, '/msgbus/foo')
  const old = await subscribe(t, server, '/msgbus/foo?framing=2008')
  const picture = await subscribe(t, server, '/msgbus/foo?as=image')
  await server.server.close()
  t.equal(await standard.readToEnd(), `26\r\n--${boundary}--\r\n\r\n0\r\n\r\n`)
  t.equal(await old.readToEnd(), '0\r\n\r\n', 'the form of 2008 has no closing boundary')
  t.equal(await picture.readToEnd(), '0\r\n\r\n', 'an empty part would blank the picture')
  t.same([standard.errorCode, old.errorCode, picture.errorCode], [undefined, undefined, undefined], 'by FIN')
})

await t.test(
  'a server closes though its time is up while the ends of its streams are on their way',
  async t => {
    const server = await start(t)
    const streams = [await subscribe(t, server, '/msgbus/a'), await subscribe(t, server, '/msgbus/b')]
    await new Promise(setImmediate)
    const closed = server.server.close()
    // From here, timers are what the event loop looks at first: the deadline passes before the ends are out.
    const busyUntilMs = performance.now() + 5
    while (performance.now() < busyUntilMs);
    await closed
    for (const stream of streams) await stream.readToEnd()
  },
)

await t.test('a stream carries the headers that keep published bytes harmless', async t => {
  const server = await start(t)
  const { head } = await get(t, server, '/msgbus/foo')
  t.equal(head.headers.get('content-security-policy'), "sandbox; default-src 'none'; frame-ancestors 'self'")
  t.equal(head.headers.get('x-content-type-options'), 'nosniff')
  t.equal(head.headers.get('cross-origin-resource-policy'), 'same-origin')
  t.equal(head.headers.get('referrer-policy'), 'no-referrer')
  t.equal(head.headers.get('cache-control'), 'no-store')
  t.equal(head.headers.get('x-accel-buffering'), 'no')
  t.notOk(head.headers.has('access-control-allow-origin'))
  t.notOk(head.headers.has('server'))
})

interface Reading {
  readonly matcher: string
  readonly channels: readonly string[]
  readonly isWide: boolean
}

// Of a/b, a/b/c, a and x,y in this order.
const readings: readonly Reading[] = [
  { matcher: 'a', channels: ['a'], isWide: false },
  { matcher: 'a/b', channels: ['a/b'], isWide: false },
  { matcher: 'a,a', channels: ['a'], isWide: false },
  { matcher: 'x%2Cy', channels: ['x,y'], isWide: false },
  { matcher: 'a,x%2Cy', channels: ['a', 'x,y'], isWide: true },
  { matcher: 'a/', channels: ['a/b', 'a/b/c'], isWide: true },
  { matcher: 'a/b/', channels: ['a/b/c'], isWide: true },
  { matcher: 'a/,a/b,a/b/c,a/b/', channels: ['a/b', 'a/b/c'], isWide: true },
  { matcher: '', channels: ['a/b', 'a/b/c', 'a', 'x,y'], isWide: true },
]

for (const { matcher, channels, isWide } of readings) {
  const names = matcher === '' ? 'everything' : `"${matcher}"`
  await t.test(`a subscription to ${names} gets each of its messages once`, async t => {
    const server = await start(t)
    const stream = await subscribe(t, server, `/msgbus/${matcher}`)
    const idOf = new Map(
      ['a/b', 'a/b/c', 'a', 'x,y'].map(channel => [channel, put(server, channel, channel)]),
    )
    for (const channel of channels) {
      const part = await stream.readPart(server.server.bus.boundary)
      t.same(part.lines, [
        ...(isWide ? [`Content-Location: /msgbus/${channel.replace(',', '%2C')}`] : []),
        'Content-Type: text/plain',
        `Content-Length: ${channel.length}`,
        `Msgbus-Id: ${idOf.get(channel)}`,
        'Msgbus-Time: 1700000000000',
      ])
      t.equal(part.body, channel)
    }
    await server.server.close()
    t.match(await stream.readToEnd(), /^26\r\n--/, 'and nothing else')
  })
}

await t.test('From names a publisher that gave a name, Content-Type is their own words', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const stream = await subscribe(t, server, '/msgbus/foo')
  await publish(t, server, '/msgbus/foo', 'x', {
    type: 'Text/Plain ;  charset="x;y"',
    headers: [basic('dug')],
  })
  await publish(t, server, '/msgbus/foo', 'x', { headers: [basic('')] })
  await publish(t, server, '/msgbus/foo', 'x', { type: 'no-type-at-all' })
  t.same((await stream.readPart(boundary)).lines.slice(0, 2), [
    'From: dug',
    'Content-Type: Text/Plain ;  charset="x;y"',
  ])
  t.equal((await stream.readPart(boundary)).lines[0], 'Content-Type: text/plain', 'an empty name is no name')
  // A browser would guess about words that are no type.
  t.equal((await stream.readPart(boundary)).lines[0], 'Content-Type: application/octet-stream')
})

await t.test(
  'Msgbus-Id grows by one with every message of the server, and is what the publisher was told',
  async t => {
    const server = await start(t)
    const stream = await subscribe(t, server, '/msgbus/a/')
    const told: (string | undefined)[] = []
    for (const channel of ['a/x', 'a/y', 'b', 'a/x']) {
      told.push((await publish(t, server, `/msgbus/${channel}`, 'x')).headers.get('msgbus-id'))
    }
    const epoch = told[0]?.split('-')[0]
    t.match(epoch, /^[0-9a-f]{12}$/)
    t.same(told, [`${epoch}-1`, `${epoch}-2`, `${epoch}-3`, `${epoch}-4`])
    for (const at of [0, 1, 3]) {
      t.equal((await stream.readPart(server.server.bus.boundary)).headers.get('msgbus-id'), told[at])
    }
  },
)

interface Filtered {
  readonly query: string
  /** What is published: a type, and a name or null. */
  readonly type?: string
  readonly sender?: string | null
  readonly isDelivered: boolean
}

const UTF8 = 'text/plain; charset=utf-8'

const filtered: readonly Filtered[] = [
  { query: 'type=text/*', isDelivered: true },
  { query: 'type=text/*,image/*', isDelivered: true },
  { query: 'type=!text/*', isDelivered: false },
  { query: 'type=!text/*', type: 'image/png', isDelivered: false },
  { query: 'type=*,!text/plain', isDelivered: false },
  { query: 'type=!text/plain,*', isDelivered: false },
  { query: 'type=text/*,!text/plain', isDelivered: false },
  { query: 'type=text/*,!text/plain', type: 'text/html', isDelivered: true },
  { query: 'type=text/plain', type: UTF8, isDelivered: false },
  { query: 'type=text/plain*', type: UTF8, isDelivered: true },
  { query: 'type=TEXT/plain', isDelivered: false },
  { query: 'type=%20text/plain', isDelivered: false },
  { query: 'type=text/plain,', isDelivered: true },
  { query: 'type=,text/plain', isDelivered: true },
  { query: 'type=**', isDelivered: true },
  { query: 'type=*?', isDelivered: true },
  { query: 'type=text/plai?', isDelivered: true },
  { query: 'type=text/plain?', isDelivered: false },
  { query: 'type=*n', isDelivered: true },
  { query: 'type=!!text/plain', isDelivered: false },
  { query: 'type=image/svg+xml', type: 'image/svg+xml', isDelivered: true },
  { query: 'type=image/svg%2Bxml', type: 'image/svg+xml', isDelivered: true },
  { query: 'type=', isDelivered: false },
  { query: 'type=*', isDelivered: true },
  { query: '', isDelivered: true },
  { query: 'type=text/plain&type=image/png', isDelivered: true },
  { query: 'type=image/png&type=text/plain', isDelivered: false },
  { query: 't%79pe=image/png', isDelivered: true },
  // [Q15] In 2008 the query ended at the first piece without "=".
  { query: 'bad&type=image/png', isDelivered: false },
  { query: 'bad&type=text/plain', isDelivered: true },
  ...[null, 'alice', 'carol', ''].flatMap(sender => [
    { query: '', sender, isDelivered: true },
    { query: 'sender=*', sender, isDelivered: true },
    // [Q1] Filters do not apply to who gave no name.
    { query: 'sender=alice,bob', sender, isDelivered: sender === null || sender === 'alice' },
    { query: 'sender=', sender, isDelivered: sender === null },
    { query: 'sender=*,!carol', sender, isDelivered: sender !== 'carol' },
  ]),
  { query: 'sender=alice&type=text/*', sender: 'alice', isDelivered: true },
  { query: 'sender=alice&type=image/*', sender: 'alice', isDelivered: false },
  { query: 'sender=bob&type=text/*', sender: 'alice', isDelivered: false },
]

await t.test('type and sender let through what the truth table says', async t => {
  const server = await start(t)
  const streams = await Promise.all(
    filtered.map(({ query }, at) => subscribe(t, server, `/msgbus/${at}?${query}`)),
  )
  for (const [at, { type = 'text/plain', sender = null }] of filtered.entries()) {
    const headers = sender === null ? [] : [basic(sender)]
    await publish(t, server, `/msgbus/${at}`, 'x', { type, headers })
  }
  await server.server.close()
  for (const [at, { query, type = 'text/plain', sender = null, isDelivered }] of filtered.entries()) {
    const stream = streams[at]
    const bodies = stream === undefined ? null : await readBodies(stream, server.server.bus.boundary)
    t.same(
      bodies,
      isDelivered ? ['x'] : [],
      `"${query}", ${type}, ${sender === null ? 'no name' : `"${sender}"`}`,
    )
  }
})

await t.test('a query that cannot be understood is refused', async t => {
  const server = await start(t)
  const queries = [
    'as=video',
    'as=',
    'slow=wait',
    'slow=',
    'framing=2007',
    'framing=',
    'type=%ff',
    'type=%',
    'other=%zz',
  ]
  queries.push('as=multipart&framing=2007', `type=${'a,'.repeat(101)}`, `type=${'*a'.repeat(17)}`)
  for (const method of ['GET', 'HEAD']) {
    for (const query of queries) {
      const answer = await ask(t, server, method, `/msgbus/foo?${query}`)
      t.equal(answer.status, 400, `${method} ?${query.slice(0, 40)}`)
      if (method === 'GET') t.match(answer.body, /^MSGBUS_(?:QUERY|FILTER): [^\n]+\n$/)
    }
  }
})

await t.test('HEAD answers with the headers of the stream and leaves the connection open', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const connection = await connect(t, server)
  for (const path of ['/msgbus/foo', '/msgbus/', '/msgbus/a,b/?type=*&slow=close']) {
    connection.send(requestText('HEAD', path))
    const head = await connection.readHead()
    t.equal(head.line, 'HTTP/1.1 200 OK')
    t.equal(head.headers.get('content-type'), `multipart/x-mixed-replace; boundary=${boundary}`)
    t.equal(head.headers.get('cache-control'), 'no-store')
    t.notOk(head.headers.has('content-length'))
  }
  t.same(server.log.events, [], 'nobody subscribed')
})

await t.test('OPTIONS tells the methods', async t => {
  const server = await start(t)
  const answer = await ask(t, server, 'OPTIONS', '/msgbus/foo')
  t.equal(answer.line, 'HTTP/1.1 204 No Content')
  t.equal(answer.headers.get('allow'), 'GET, HEAD, POST, PUT, OPTIONS')
})

await t.test('an idle stream gets a header line of no meaning, in the standard form only', async t => {
  const server = await start(t, { heartbeatMs: 100 })
  const { boundary } = server.server.bus
  const standard = await subscribe(t, server, '/msgbus/foo')
  const old = await subscribe(t, server, '/msgbus/foo?framing=2008')
  const picture = await subscribe(t, server, '/msgbus/foo?as=image')
  const wanted = '10\r\nMsgbus-Ping: 1\r\n\r\n10\r\nMsgbus-Ping: 2\r\n\r\n10\r\nMsgbus-Ping: 3\r\n\r\n'
  t.equal(await standard.read(wanted.length), wanted)
  put(server, 'foo', GIF, { type: 'image/gif' })
  t.equal(await old.readChunk(), `Content-Type: image/gif\n\n${GIF}--00MsgBus00\n`)
  t.ok((await picture.readChunk()).startsWith(GIF), 'no picture was there to be sent again')
  let part = await standard.readChunk()
  while (part.startsWith('Msgbus-Ping: ')) part = await standard.readChunk()
  t.equal(parsePart(part, boundary).body, GIF)
  t.equal(await standard.readChunk(), 'Msgbus-Ping: 1\r\n', 'counted from the last message on')
})

await t.test(
  'whatever a subscriber sends behind its request ends the stream, and is not carried out',
  async t => {
    for (const junk of [
      'x',
      '\r\n',
      requestText('POST', '/msgbus/foo', { headers: ['Content-Type: a/b'], body: 'x' }),
    ]) {
      const server = await start(t)
      const stream = await subscribe(t, server, '/msgbus/foo')
      const witness = await subscribe(t, server, '/msgbus/foo?framing=2008')
      stream.send(junk)
      t.equal(await stream.readToEnd(), '')
      await server.log.until('unsub')
      put(server, 'foo', 'later')
      t.equal(
        await witness.readChunk(),
        'Content-Type: text/plain\n\nlater--00MsgBus00\n',
        JSON.stringify(junk),
      )
    }
  },
)

await t.test('a request in the same segment as that of a stream is not carried out', async t => {
  const server = await start(t)
  const witness = await subscribe(t, server, '/msgbus/foo?framing=2008')
  const connection = await connect(t, server)
  const post = requestText('POST', '/msgbus/foo', { headers: ['Content-Type: a/b'], body: 'x' })
  connection.send(requestText('GET', '/msgbus/foo') + post + requestText('GET', '/msgbus/foo'))
  await connection.readToEnd()
  put(server, 'foo', 'later')
  t.equal(await witness.readChunk(), 'Content-Type: text/plain\n\nlater--00MsgBus00\n')
})

await t.test('a stream that is asked for behind a publish opens when that is answered', async t => {
  const server = await start(t)
  const connection = await connect(t, server)
  const post = requestText('POST', '/msgbus/foo', { headers: ['Content-Type: a/b'], body: 'x' })
  connection.send(post + requestText('GET', '/msgbus/foo'))
  t.equal((await connection.readAnswer()).status, 204)
  t.equal((await connection.readHead()).status, 200)
  await connection.readChunk()
  put(server, 'foo', 'later')
  t.equal((await connection.readPart(server.server.bus.boundary)).body, 'later')
})

await t.test('a subscriber that ends its side of the connection ends the subscription', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  stream.socket.end()
  t.equal((await server.log.until('unsub')).channel, 'foo')
})

await t.test('a body behind a GET is read first, and refused past 64 KiB', async t => {
  const server = await start(t)
  const { stream, head } = await get(t, server, '/msgbus/foo', { body: 'x'.repeat(65_536) })
  t.equal(head.status, 200)
  await stream.readChunk()
  put(server, 'foo', 'later')
  t.equal((await stream.readPart(server.server.bus.boundary)).body, 'later')
  const connection = await connect(t, server)
  connection.send('GET /msgbus/foo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 65537\r\n\r\n')
  t.equal((await connection.readAnswer()).status, 413)
})
