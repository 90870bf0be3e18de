// The byte form of the 2008 server, for the programs that were written against it: the conformance cases of its
// protocol sheet (the numbers in brackets), with the bytes that were captured from it.

import t, { type Test } from 'tap'
import {
  ask,
  basic,
  chunk,
  type Connection,
  connect,
  get,
  publish,
  requestText,
  start,
  subscribe,
} from './server.ts'

const TYPE = 'multipart/x-mixed-replace;boundary=00MsgBus00'
const BOUNDARY = '--00MsgBus00\n'
const LIBEVMSG = ['User-Agent: libevmsg']

/** Start of the message that a test publishes to show that nothing came before it. */
const FENCE = 'Content-Type: text/x-fence\n\n'

/** Subscribes over HTTP/1.0; the next byte is that of the first message. */
async function subscribe10(t: Test, server: { readonly port: number }, path: string): Promise<Connection> {
  const { stream } = await get(t, server, path, { headers: LIBEVMSG, version: '1.0' })
  t.equal(await stream.read(BOUNDARY.length), BOUNDARY)
  return stream
}

/** Fails if something was sent to the stream that the test has not read. */
async function expectNothing(
  t: Test,
  server: Awaited<ReturnType<typeof start>>,
  stream: Connection,
  channel: string,
) {
  void server.server.bus.publish({ channel, type: 'text/x-fence', sender: null, body: Buffer.alloc(0) })
  t.equal(await stream.readChunk(), `${FENCE}${BOUNDARY}`, 'nothing came before the fence')
}

const ways = [
  { name: 'its User-Agent', options: {}, path: '/msgbus/foo', headers: ['User-Agent: libevmsg/1.0'] },
  { name: 'framing=2008 in the URL', options: {}, path: '/msgbus/foo?framing=2008', headers: [] },
  { name: 'an option of the server', options: { framing: '2008' }, path: '/msgbus/foo', headers: [] },
] as const

for (const { name, options, path, headers } of ways) {
  await t.test(
    `a reader asks for the form of 2008 by ${name}, and gets the boundary at once [1, 2]`,
    async t => {
      const server = await start(t, options)
      const { stream, head } = await get(t, server, path, { headers })
      t.equal(head.line, 'HTTP/1.1 200 OK')
      t.equal(head.headers.get('content-type'), TYPE)
      t.equal(head.headers.get('transfer-encoding'), 'chunked')
      t.equal(await stream.read(18), `d\r\n${BOUNDARY}\r\n`)

      const old = await get(t, server, path, { headers, version: '1.0' })
      t.equal(old.head.line, 'HTTP/1.0 200 OK')
      t.equal(old.head.headers.get('content-type'), TYPE)
      t.notOk(old.head.headers.has('transfer-encoding'))
      t.notOk(old.head.headers.has('content-length'), 'an endless answer has no length [Q4]')
      t.equal(await old.stream.read(BOUNDARY.length), BOUNDARY)
    },
  )
}

await t.test('other readers of the same server get the standard form', async t => {
  const server = await start(t, { framing: '2008' })
  const { head } = await get(t, server, '/msgbus/foo?framing=standard', { headers: LIBEVMSG })
  t.equal(
    head.headers.get('content-type'),
    `multipart/x-mixed-replace; boundary=${server.server.bus.boundary}`,
  )
})

await t.test('a message has the bytes of 2008 for each kind of reader [3, 4, 5]', async t => {
  const server = await start(t, { framing: '2008' })
  const streams = {
    channel: await subscribe(t, server, '/msgbus/foo'),
    channel10: await subscribe10(t, server, '/msgbus/foo'),
    root: await subscribe(t, server, '/msgbus/'),
    root10: await subscribe10(t, server, '/msgbus/'),
  }
  const answer = await publish(t, server, '/msgbus/foo', 'hello')
  // [Q7] the reason and the length of 2008 were wrong for a 204; clients look at the number.
  t.equal(answer.line, 'HTTP/1.1 204 No Content')
  t.notOk(answer.headers.has('content-length'))
  const wanted = {
    channel: '2c\r\nContent-Type: text/plain\n\nhello--00MsgBus00\n\r\n',
    channel10: 'Content-Type: text/plain\nContent-Length: 5\n\nhello--00MsgBus00\n',
    root: '4a\r\nContent-Location: /msgbus/foo\nContent-Type: text/plain\n\nhello--00MsgBus00\n\r\n',
    root10:
      'Content-Location: /msgbus/foo\nContent-Type: text/plain\nContent-Length: 5\n\nhello--00MsgBus00\n',
  }
  t.equal(await streams.channel.read(wanted.channel.length), wanted.channel)
  t.equal(await streams.channel10.read(wanted.channel10.length), wanted.channel10)
  t.equal(await streams.root.read(wanted.root.length), wanted.root)
  t.equal(await streams.root10.read(wanted.root10.length), wanted.root10)
})

await t.test('a named publisher stands in From [6]', async t => {
  const server = await start(t)
  const root = await subscribe(t, server, '/msgbus/', LIBEVMSG)
  const channel = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const headers = ['Authorization: Basic ZHVnOmFueQ==']
  await publish(t, server, '/msgbus/foo', 'h2\n', { type: 'text/html; charset=x', headers })
  const wanted =
    '5c\r\nFrom: dug\nContent-Location: /msgbus/foo\nContent-Type: text/html; charset=x\n\nh2\n--00MsgBus00\n\r\n'
  t.equal(await root.read(wanted.length), wanted)
  t.equal(await channel.readChunk(), `From: dug\nContent-Type: text/html; charset=x\n\nh2\n${BOUNDARY}`)
})

await t.test('who gives no readable name, or an empty one, stands in no From', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  // No colon, no base64, another scheme; and [Q18] an empty name.
  const headers = ['Basic bm9jb2xvbg==', 'Basic %%%', 'Bearer abc', 'Basic OnB3']
  for (const [at, value] of headers.entries()) {
    await publish(t, server, '/msgbus/foo', `${at}`, { headers: [`Authorization: ${value}`] })
    t.equal(await stream.readChunk(), `Content-Type: text/plain\n\n${at}${BOUNDARY}`, value)
  }
  await publish(t, server, '/msgbus/foo', 'x', { headers: ['aUTHORIZATION: bASIC ZHVnOmE6Yg=='] })
  t.equal(
    await stream.readChunk(),
    `From: dug\nContent-Type: text/plain\n\nx${BOUNDARY}`,
    'first colon, any case',
  )
})

await t.test('a name that would start a line of its own is refused [Q20]', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const headers = ['Content-Type: text/plain', basic('dug\nContent-Location: /msgbus/forged')]
  t.equal((await ask(t, server, 'POST', '/msgbus/foo', { headers, body: 'x' })).status, 400)
  await expectNothing(t, server, stream, 'foo')
})

await t.test('a POST without Content-Type is refused and nothing is delivered [7]', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  t.equal((await ask(t, server, 'POST', '/msgbus/foo', { body: 'hello' })).status, 400)
  await expectNothing(t, server, stream, 'foo')
})

// The server of 2008 answered 501 to all of these. HEAD is part of HTTP's GET, and PUT is what `curl -T` sends: both
// have a meaning now. What still has none gets 501.
await t.test('HEAD describes the stream, PUT publishes, other methods are not implemented [8]', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const head = await ask(t, server, 'HEAD', '/msgbus/foo', { headers: LIBEVMSG })
  t.equal(head.status, 200)
  t.equal(head.headers.get('content-type'), TYPE)
  const headers = ['Content-Type: text/plain']
  t.equal((await ask(t, server, 'PUT', '/msgbus/foo', { headers, body: 'put' })).status, 204)
  t.equal(await stream.readChunk(), `Content-Type: text/plain\n\nput${BOUNDARY}`)
  for (const method of ['DELETE', 'PATCH']) {
    t.equal((await ask(t, server, method, '/msgbus/foo', { headers, body: 'x' })).status, 501, method)
  }
  await expectNothing(t, server, stream, 'foo')
})

interface Filtering {
  readonly query: string
  readonly types: Readonly<Record<string, boolean>>
}

const filterings: readonly Filtering[] = [
  // [9]
  { query: 'text/*,image/*', types: { 'text/html': true, 'image/png': true, 'application/json': false } },
  // [10]
  { query: '!text/html', types: { 'text/html': false, 'image/png': false } },
  { query: '*,!text/html', types: { 'text/html': false, 'image/png': true } },
  // [11]
  { query: 'text/plain', types: { 'text/plain; charset=utf-8': false, 'text/plain': true } },
  { query: 'text/plain*', types: { 'text/plain; charset=utf-8': true, 'text/plain': true } },
  // [12]
  { query: 'image/svg+xml', types: { 'image/svg+xml': true, 'image/svg': false } },
]

await t.test('a type filter lets through what it did in 2008 [9, 10, 11, 12]', async t => {
  for (const { query, types } of filterings) {
    const server = await start(t)
    const stream = await subscribe(t, server, `/msgbus/foo?framing=2008&type=${query}`)
    let wanted = ''
    for (const [type, isDelivered] of Object.entries(types)) {
      await publish(t, server, '/msgbus/foo', 'x', { type })
      if (isDelivered) wanted += chunk(`Content-Type: ${type}\n\nx${BOUNDARY}`)
    }
    await server.server.close()
    t.equal(await stream.readToEnd(), `${wanted}0\r\n\r\n`, query)
  }
})

// [13] A strict form of the filter, which stops the unnamed, is not built: nobody has asked for it.
await t.test('a sender filter lets the unnamed through, and of the named those it lists [13]', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo?framing=2008&sender=alice,bob')
  await publish(t, server, '/msgbus/foo', 'unnamed')
  await publish(t, server, '/msgbus/foo', 'carol', { headers: [basic('carol')] })
  await publish(t, server, '/msgbus/foo', 'alice', { headers: [basic('alice')] })
  t.equal(await stream.readChunk(), `Content-Type: text/plain\n\nunnamed${BOUNDARY}`)
  t.equal(await stream.readChunk(), `From: alice\nContent-Type: text/plain\n\nalice${BOUNDARY}`)
})

// In 2008 names were taken undecoded, so that `a%2Fb` was a channel apart from `a/b`. Ours are decoded once, and a slash
// that proxies disagree about is refused everywhere.
await t.test('an encoded slash is refused, other escapes are one spelling of one name [14]', async t => {
  const server = await start(t)
  const headers = ['Content-Type: text/plain']
  t.equal((await ask(t, server, 'POST', '/msgbus/a%2Fb', { headers, body: 'x' })).status, 400)
  t.equal((await ask(t, server, 'GET', '/msgbus/a%2Fb', { headers: LIBEVMSG })).status, 400)
  const root = await subscribe(t, server, '/msgbus/', LIBEVMSG)
  const channel = await subscribe(t, server, '/msgbus/a%20%62/c?framing=2008')
  await publish(t, server, '/msgbus/%61%20b/c', 'x')
  t.equal(
    await root.readChunk(),
    `Content-Location: /msgbus/a%20b/c\nContent-Type: text/plain\n\nx${BOUNDARY}`,
  )
  t.equal(await channel.readChunk(), `Content-Type: text/plain\n\nx${BOUNDARY}`)
})

await t.test('a body arrives byte for byte, whatever is in it [15]', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const old = await subscribe10(t, server, '/msgbus/foo')
  const body = `\0\r\n\n\r\xff${Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('')}`
  await publish(t, server, '/msgbus/foo', body)
  t.equal(await stream.readChunk(), `Content-Type: text/plain\n\n${body}${BOUNDARY}`)
  const wanted = `Content-Type: text/plain\nContent-Length: ${body.length}\n\n${body}${BOUNDARY}`
  t.equal(await old.read(wanted.length), wanted)
})

await t.test(
  'a body that holds the boundary of 2008 is told by its length, over HTTP/1.1 too [Q6]',
  async t => {
    const server = await start(t)
    const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
    const body = `a${BOUNDARY}b`
    await publish(t, server, '/msgbus/foo', body)
    t.equal(await stream.readChunk(), `Content-Type: text/plain\nContent-Length: 15\n\n${body}${BOUNDARY}`)
  },
)

await t.test('an empty body is a message [16]', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  await publish(t, server, '/msgbus/foo', '')
  const wanted = '27\r\nContent-Type: text/plain\n\n--00MsgBus00\n\r\n'
  t.equal(await stream.read(wanted.length), wanted)
})

await t.test('what was published before somebody subscribed does not reach them [17]', async t => {
  const server = await start(t)
  await publish(t, server, '/msgbus/foo', 'early')
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  await expectNothing(t, server, stream, 'foo')
})

await t.test('a server password is asked of everybody, whatever the name [18]', async t => {
  const rootDir = t.testdir({ 'index.html': 'start' })
  const server = await start(t, { password: 's3cret', rootDir })
  for (const path of ['/msgbus/foo', '/index.html', '/nothing']) {
    for (const headers of [[], [basic('dug', 'wrong')]]) {
      const refused = await ask(t, server, 'GET', path, { headers })
      t.equal(refused.status, 401, path)
      t.match(refused.headers.get('www-authenticate'), /^Basic realm="msgbus"(?:$|,)/)
    }
  }
  const { head } = await get(t, server, '/msgbus/foo', { headers: [basic('anybody', 's3cret')] })
  t.equal(head.status, 200)
  t.equal((await ask(t, server, 'GET', '/index.html', { headers: [basic('', 's3cret')] })).status, 200)
})

// In 2008 the root was a channel one could publish to, and its readers got such a message twice. Now a name that ends
// in a slash means everything below it, which no plain message can be sent to.
await t.test('a plain message cannot be published to the root [19]', async t => {
  const server = await start(t)
  const root = await subscribe(t, server, '/msgbus/', LIBEVMSG)
  const headers = ['Content-Type: text/plain']
  t.equal((await ask(t, server, 'POST', '/msgbus/', { headers, body: 'x' })).status, 400)
  void server.server.bus.publish({
    channel: 'foo',
    type: 'text/x-fence',
    sender: null,
    body: Buffer.alloc(0),
  })
  t.equal(await root.readChunk(), `Content-Location: /msgbus/foo\n${FENCE}${BOUNDARY}`)
})

await t.test('a stalled reader loses messages, is told how many, and hinders nobody [20]', async t => {
  const server = await start(t)
  const stalled = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const healthy = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const publisher = await connect(t, server)
  stalled.socket.pause()
  let publishedCount = 0
  const send = async (body: string): Promise<void> => {
    publisher.send(requestText('POST', '/msgbus/foo', { headers: ['Content-Type: text/plain'], body }))
    t.equal((await publisher.readAnswer()).status, 204)
    publishedCount++
    t.equal(await healthy.readChunk(), `Content-Type: text/plain\n\n${body}${BOUNDARY}`)
  }
  for (let at = 0; at < 256; at++) await send(`${at} `.padEnd(65_536, 'x'))
  stalled.socket.resume()

  let accountedCount = 0
  let skippedCount = 0
  let lastBody = ''
  const drained = (async () => {
    while (lastBody !== 'last') {
      const [, skipped = '0', body = ''] =
        /^(?:Msgbus-Skipped: (\d+)\n)?Content-Type: text\/plain\n\n([^]*)--00MsgBus00\n$/.exec(
          await stalled.readChunk(),
        ) ?? []
      t.ok(body.length === 65_536 || /^(?:probe|last)$/.test(body), 'every part is whole')
      lastBody = body
      skippedCount += Number(skipped)
      accountedCount += 1 + Number(skipped)
    }
  })()
  // Once one arrives again, the backlog is gone and the next one will not be lost.
  while (lastBody !== 'probe') await send('probe')
  await send('last')
  await drained
  t.ok(skippedCount > 0)
  t.equal(accountedCount, publishedCount)
})

await t.test('a reader that leaves disturbs neither the others nor the publisher [21]', async t => {
  const server = await start(t)
  const leaving = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const staying = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  await publish(t, server, '/msgbus/foo', 'one')
  await leaving.readChunk()
  leaving.socket.resetAndDestroy()
  await publish(t, server, '/msgbus/foo', 'two')
  await server.log.until('unsub')
  await publish(t, server, '/msgbus/foo', 'three')
  for (const body of ['one', 'two', 'three']) {
    t.equal(await staying.readChunk(), `Content-Type: text/plain\n\n${body}${BOUNDARY}`)
  }
})

await t.test('two POSTs in one segment are both answered and delivered, in order [22]', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const publisher = await connect(t, server)
  const headers = ['Content-Type: text/plain']
  publisher.send(
    requestText('POST', '/msgbus/foo', { headers, body: 'one' }) +
      requestText('POST', '/msgbus/foo', { headers, body: 'two' }),
  )
  t.equal((await publisher.readAnswer()).status, 204)
  t.equal((await publisher.readAnswer()).status, 204)
  t.equal(await stream.readChunk(), `Content-Type: text/plain\n\none${BOUNDARY}`)
  t.equal(await stream.readChunk(), `Content-Type: text/plain\n\ntwo${BOUNDARY}`)
})

await t.test('a POST that is cut short delivers nothing [23]', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo', LIBEVMSG)
  const publisher = await connect(t, server)
  publisher.send(
    'POST /msgbus/foo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nabc',
  )
  publisher.socket.end()
  await publisher.readToEnd()
  await expectNothing(t, server, stream, 'foo')
})

await t.test('addresses outside of the bus belong to the document root [24]', async t => {
  const rootDir = t.testdir({ www: { 'index.html': 'start' }, www2: { x: 'secret' } })
  const server = await start(t, { rootDir: `${rootDir}/www` })
  t.equal((await ask(t, server, 'GET', '/msgbus')).status, 404, 'without the slash it is no bus')
  t.equal((await ask(t, server, 'GET', '/')).body, 'start')
  const refused = await ask(t, server, 'POST', '/index.html', {
    headers: ['Content-Type: text/plain'],
    body: 'x',
  })
  t.equal(refused.status, 405)
  t.match(refused.headers.get('allow'), /^GET\b/)
  for (const path of ['/../www2/x', '/%2e%2e/www2/x', '/..%2fwww2/x']) {
    t.equal((await ask(t, server, 'GET', path)).status, 404, path)
  }
})

await t.test(
  'a line-reading HTTP/1.0 client consumes 100 messages without losing its place [25]',
  async t => {
    const server = await start(t)
    const { stream, head } = await get(t, server, '/msgbus/', { headers: LIBEVMSG, version: '1.0' })
    t.equal(head.line, 'HTTP/1.0 200 OK')
    const bodies = Array.from({ length: 100 }, (_, at) => `${at}\n${BOUNDARY}\r\n\0`.repeat(at % 7))
    for (const [at, body] of bodies.entries()) {
      const channel = `c/${at}`
      void server.server.bus.publish({
        channel,
        type: 'text/plain',
        sender: 'dug',
        body: Buffer.from(body, 'latin1'),
      })
    }
    for (const [at, body] of bodies.entries()) {
      t.equal(await stream.readThrough('\n'), BOUNDARY)
      const headers = new Map<string, string>()
      for (let line = await stream.readThrough('\n'); line !== '\n'; line = await stream.readThrough('\n')) {
        const [name = '', value = ''] = line.trimEnd().split(': ')
        headers.set(name, value)
      }
      t.equal(headers.get('Content-Location'), `/msgbus/c/${at}`)
      t.equal(await stream.read(Number(headers.get('Content-Length'))), body)
    }
  },
)
