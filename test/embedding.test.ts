// The server inside of somebody else's program: their `node:http` server, their publishes in code, their bus shared by
// several servers.

import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import {
  Bus,
  createServer,
  Filter,
  MemoryStore,
  type Message,
  parseMatcher,
  type Server,
} from '../src/index.ts'
import { ask, chunk, connect, publish, requestText, subscribe } from './wire/server.ts'
import { atOnce } from './at-once.ts'

/** Somebody else's server: what is below /push/ is ours, the rest is theirs. */
async function embed(t: Test, server: Server): Promise<{ readonly port: number }> {
  const host = createHttpServer((req, res) => {
    if (req.url?.startsWith('/push/') === true) server.handle(req, res)
    else res.end('theirs')
  })
  t.teardown(() => {
    host.close()
    host.closeAllConnections()
  })
  host.listen(0, '127.0.0.1')
  await once(host, 'listening')
  return { port: (host.address() as AddressInfo).port }
}

function put(bus: Bus, channel: string, body: string): Message {
  return atOnce(bus.publish({ channel, type: 'text/plain', sender: null, body: Buffer.from(body) }))
}

await t.test('a server lives below a prefix of another one', async t => {
  const server = createServer({ prefix: '/push/' })
  t.teardown(() => server.close(0))
  const host = await embed(t, server)
  const { boundary } = server.bus
  const stream = await subscribe(t, host, '/push/foo')
  const answer = await publish(t, host, '/push/foo', 'hello')
  const part = await stream.readPart(boundary)
  t.equal(part.body, 'hello')
  t.equal(part.headers.get('msgbus-id'), answer.headers.get('msgbus-id'))
  t.equal((await ask(t, host, 'POST', '/push/', { headers: ['Content-Type: a/b'], body: 'x' })).status, 400)
  t.equal((await ask(t, host, 'GET', '/elsewhere')).status, 200)
  t.equal((await ask(t, host, 'GET', '/msgbus/foo')).headers.get('content-type'), undefined, 'theirs')
})

await t.test('an embedded stream owns its connection too', async t => {
  const server = createServer({ prefix: '/push/' })
  t.teardown(() => server.close(0))
  const host = await embed(t, server)
  const witness = await subscribe(t, host, '/push/foo')
  const post = requestText('POST', '/push/foo', { headers: ['Content-Type: a/b'], body: 'x' })
  const connection = await connect(t, host)
  connection.send(requestText('GET', '/push/foo') + post)
  await connection.readToEnd()
  const stream = await subscribe(t, host, '/push/foo')
  stream.send(post)
  t.equal(await stream.readToEnd(), '')
  put(server.bus, 'foo', 'later')
  t.equal((await witness.readPart(server.bus.boundary)).body, 'later')
})

await t.test('closing ends the streams and leaves the other server alone', async t => {
  const server = createServer({ prefix: '/push/' })
  const host = await embed(t, server)
  const stream = await subscribe(t, host, '/push/foo')
  await server.close()
  t.equal(await stream.readToEnd(), `26\r\n--${server.bus.boundary}--\r\n\r\n0\r\n\r\n`)
  t.equal((await ask(t, host, 'GET', '/elsewhere')).status, 200)
  const late = await ask(t, host, 'GET', '/push/foo')
  t.equal(late.status, 503)
  t.equal(
    (await ask(t, host, 'POST', '/push/foo', { headers: ['Content-Type: a/b'], body: 'x' })).status,
    503,
  )
  await server.close()
})

await t.test('closing takes its time for many embedded streams, and ends each in good order', async t => {
  const server = createServer({ prefix: '/push/' })
  const host = await embed(t, server)
  const streams = await Promise.all(Array.from({ length: 5 }, () => subscribe(t, host, '/push/foo')))
  atOnce(server.bus.publish({ channel: 'foo', type: 'a/b', sender: null, body: Buffer.from('last words') }))
  await server.close(60_000)
  for (const stream of streams) {
    const text = await stream.readToEnd()
    t.match(text, /last words/)
    t.ok(text.endsWith(`26\r\n--${server.bus.boundary}--\r\n\r\n0\r\n\r\n`))
  }
})

await t.test('closing ends a publish that would never end, and says why', async t => {
  const server = createServer({ prefix: '/push/' })
  const host = await embed(t, server)
  const stream = await subscribe(t, host, '/push/cam')
  const camera = await connect(t, host)
  const type = 'Content-Type: multipart/x-mixed-replace; boundary=B'
  camera.send(requestText('POST', '/push/cam', { headers: [type, 'Transfer-Encoding: chunked'] }))
  camera.send(chunk('--B\r\nContent-Type: a/b\r\nContent-Length: 1\r\n\r\nx\r\n--B\r\n'))
  await stream.readPart(server.bus.boundary)
  const closed = server.close(60_000)
  const answer = await camera.readAnswer()
  t.equal(answer.status, 503)
  t.match(answer.body, /^MSGBUS_CLOSED: .*1 part before it was published/)
  await closed
})

await t.test('what code publishes reaches subscribers over HTTP, and the other way round', async t => {
  const server = createServer()
  t.teardown(() => server.close(0))
  const port = Number(new URL(await server.listen()).port)
  const stream = await subscribe(t, { port }, '/msgbus/')
  const message = put(server.bus, 'a/b', 'from code')
  const part = await stream.readPart(server.bus.boundary)
  t.equal(part.body, 'from code')
  t.equal(part.headers.get('content-location'), '/msgbus/a/b')
  t.equal(part.headers.get('msgbus-id'), message.id)

  const received = new Promise<readonly Message[]>(resolve => {
    server.bus.subscribe({
      matcher: parseMatcher('a/'),
      filter: new Filter({ type: 'text/*' }),
      encoder: { encode: ({ body }) => body },
      sink: {
        write: ({ messages }) => {
          resolve(messages)
        },
      },
    })
  })
  await publish(t, { port }, '/msgbus/a/c', 'over HTTP')
  const [first] = await received
  t.equal(first?.channel, 'a/c')
  t.equal(Buffer.from(first?.body ?? []).toString(), 'over HTTP')
})

await t.test('two servers may share a bus: one order, one boundary', async t => {
  const bus = new Bus()
  const servers = [createServer({ bus }), createServer({ bus, prefix: '/other/' })] as const
  const ports: { readonly port: number }[] = []
  for (const server of servers) {
    t.teardown(() => server.close(0))
    t.equal(server.bus, bus)
    ports.push({ port: Number(new URL(await server.listen()).port) })
  }
  const [one = { port: 0 }, two = { port: 0 }] = ports
  const streams = [await subscribe(t, one, '/msgbus/foo'), await subscribe(t, two, '/other/foo')]
  await publish(t, one, '/msgbus/foo', 'one')
  await publish(t, two, '/other/foo', 'two')
  for (const stream of streams) {
    const parts = [await stream.readPart(bus.boundary), await stream.readPart(bus.boundary)]
    t.same(
      parts.map(({ body }) => body),
      ['one', 'two'],
    )
    t.same(
      parts.map(({ headers }) => headers.get('msgbus-id')?.split('-')[1]),
      ['1', '2'],
    )
  }
})

await t.test('several listeners of one server serve one bus, and close with it', async t => {
  const server = createServer()
  t.teardown(() => server.close(0))
  const one = { port: Number(new URL(await server.listen()).port) }
  const two = { port: Number(new URL(await server.listen({ protocol: 'native' })).port) }
  const stream = await subscribe(t, one, '/msgbus/foo')
  const bare = await subscribe(t, two, '/foo')
  await publish(t, two, '/foo', 'x')
  for (const reader of [stream, bare]) t.equal((await reader.readPart(server.bus.boundary)).body, 'x')
  t.equal((await ask(t, two, 'GET', '/')).status, 200, 'everything')
  await server.close()
  for (const reader of [stream, bare]) t.match(await reader.readToEnd(), /0\r\n\r\n$/)
})

await t.test('a server may be given a store, and closes it with the bus that it made of it', async t => {
  const store = new MemoryStore({ maxCount: 1 })
  const server = createServer({ store })
  const port = Number(new URL(await server.listen()).port)
  put(server.bus, 'foo', 'one')
  put(server.bus, 'foo', 'two')
  const stream = await subscribe(t, { port }, '/msgbus/foo?since=all')
  t.equal((await stream.readPart(server.bus.boundary)).body, 'two')
  await server.close()
  t.throws(() => store.append([]), { code: 'MSGBUS_CLOSED' })
  t.throws(() => createServer({ bus: new Bus(), store: new MemoryStore() }), TypeError)
})

await t.test('misuse is told at once', t => {
  for (const prefix of ['', 'push/', '/push', '/pu sh/', '/push/?']) {
    t.throws(() => createServer({ prefix }), TypeError, prefix)
  }
  for (const value of [NaN, 0, -1, 1.5, Infinity]) {
    t.throws(() => createServer({ maxBodyBytes: value }), RangeError)
    t.throws(() => createServer({ heartbeatMs: value }), RangeError)
  }
  t.end()
})

await t.test('a listener that cannot be opened says why, and the server can still be used', async t => {
  const server = createServer()
  t.teardown(() => server.close(0))
  const port = Number(new URL(await server.listen()).port)
  await t.rejects(server.listen({ port }), { code: 'EADDRINUSE' })
  await t.rejects(server.listen({ pem: 'no certificate' }))
  t.equal((await ask(t, { port }, 'HEAD', '/msgbus/foo')).status, 200)
})
