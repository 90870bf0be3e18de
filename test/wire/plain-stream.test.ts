// Streams of parts that are read without Node's HTTP server: what is theirs alone. That they are answered as others are is with
// the plain publishes, and what parts mean with the native protocol.

import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { queryObjects } from 'node:v8'
import t, { type Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { MsgbusError } from '../../src/errors.ts'
import { PlainStream } from '../../src/http/plain-stream.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { HeldStore } from '../store/held-store.ts'
import {
  ask,
  certificate,
  chunk,
  type Connection,
  connect,
  connectSecurely,
  requestText,
  start,
  subscribe,
  type TestServer,
} from './server.ts'

const HEAD = requestText('POST', '/msgbus/foo', {
  headers: ['Content-Type: multipart/x-mixed-replace; boundary=b', 'Transfer-Encoding: chunked'],
})
const POST = requestText('POST', '/msgbus/foo', { headers: ['Content-Type: text/plain'], body: 'post' })
const LAST_CHUNK = '0\r\n\r\n'

function part(body: string): string {
  return `Content-Type: text/plain\r\n\r\n${body}\r\n--b\r\n`
}

async function begin(t: Test, server: TestServer, ...bodies: readonly string[]): Promise<Connection> {
  const connection = await connect(t, server)
  connection.send(HEAD + chunk('--b\r\n') + bodies.map(body => chunk(part(body))).join(''))
  return connection
}

await t.test('a stream is read as it comes, and is answered between its neighbours', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const { boundary } = server.server.bus
  const bytes = `${POST}${HEAD}${chunk(`--b\r\n${part('one')}`)}${chunk(part('two'))}${LAST_CHUNK}${POST}`
  for (let cut = 1; cut < bytes.length; cut++) {
    const connection = await connect(t, server)
    connection.socket.setNoDelay(true)
    connection.send(bytes.slice(0, cut))
    // Makes sure that the rest comes in a segment of its own.
    await new Promise(setImmediate)
    connection.send(bytes.slice(cut))
    const counts: unknown[] = []
    for (let count = 0; count < 3; count++) {
      const { status, headers } = await connection.readAnswer()
      t.equal(status, 204, `cut at ${cut}`)
      counts.push(headers.get('msgbus-count'))
    }
    t.strictSame(counts, [undefined, '2', undefined])
    for (const body of ['post', 'one', 'two', 'post']) {
      t.equal((await stream.readPart(boundary)).body, body)
    }
    connection.socket.destroy()
  }
})

await t.test('parts are delivered as soon as they are there, over TLS too, and a GET may follow', async t => {
  const server = await start(t, {}, { pem: certificate('a') })
  const connection = await connectSecurely(t, server)
  const reader = await connectSecurely(t, server)
  reader.send(requestText('GET', '/msgbus/foo'))
  await reader.readHead()
  await reader.readChunk()
  connection.send(HEAD + chunk('--b\r\n'))
  for (let count = 0; count < 100; count++) {
    connection.send(chunk(part(`${count}`)))
    t.equal((await reader.readPart(server.server.bus.boundary)).body, `${count}`)
  }
  connection.send(`${LAST_CHUNK}${requestText('GET', '/msgbus/foo?poll&since=-1')}`)
  t.equal((await connection.readAnswer()).headers.get('msgbus-count'), '100')
  t.match((await connection.readAnswer()).body, /\r\n\r\n99\r\n/)
})

await t.test('bytes that are no chunk end the stream, and what was before them stays', async t => {
  const server = await start(t)
  const connection = await begin(t, server, 'one')
  connection.send('nonsense\r\n')
  const answer = await connection.readToEnd()
  t.match(
    answer,
    /^HTTP\/1\.1 400 [^]*Connection: close[^]*MSGBUS_CHUNK: [^]*; 1 part before it was published\n$/,
  )
  t.equal((await server.log.until('http.refused')).code, 'MSGBUS_CHUNK')
  t.equal(server.server.bus.position.seq, 1)
})

await t.test('a publisher that leaves in the middle is told as far as it listens, and noted', async t => {
  const server = await start(t)
  const polite = await begin(t, server, 'one', 'two')
  polite.socket.end()
  t.match(
    await polite.readToEnd(),
    /^HTTP\/1\.1 400 [^]*MSGBUS_BODY_INCOMPLETE: [^]*; 2 parts before it were published/,
  )
  const other = await start(t)
  const rude = await begin(t, other, 'one')
  await other.log.until('pub')
  rude.socket.resetAndDestroy()
  t.equal((await other.log.until('http.refused')).code, 'MSGBUS_BODY_INCOMPLETE')
  t.equal(other.server.bus.position.seq, 1)
})

await t.test('a server that stops ends the stream and says so', async t => {
  const server = await start(t)
  const connection = await begin(t, server, 'one')
  await server.log.until('pub')
  const closed = server.server.close(10_000)
  t.match(await connection.readToEnd(), /^HTTP\/1\.1 503 [^]*MSGBUS_CLOSED: /)
  await closed
})

await t.test('unfinished parts of all streams together are bounded', async t => {
  const server = await start(t, { maxBodiesTotalBytes: 100_000, maxBodyBytes: 80_000 })
  const first = await begin(t, server, 'one')
  const second = await begin(t, server, 'two')
  await server.log.until('pub', 2)
  first.send(chunk(`Content-Type: text/plain\r\n\r\n${'x'.repeat(60_000)}`))
  second.send(chunk(`Content-Type: text/plain\r\n\r\n${'x'.repeat(60_000)}`))
  const answers = await Promise.race([first.readToEnd(), second.readToEnd()])
  t.match(answers, /^HTTP\/1\.1 503 [^]*MSGBUS_BUSY: /)
})

await t.test('a stream is answered when all of it is kept, also by a server that stops', async t => {
  const store = new HeldStore(new MemoryStore())
  const bus = new Bus({ store })
  t.teardown(() => bus.close())
  const server = await start(t, { bus })
  const held = once(store.news, 'held')
  const connection = await begin(t, server, 'one')
  connection.send(LAST_CHUNK)
  await held
  // Whoever has all of it has seen that the body is complete.
  await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
  const closed = server.server.close(10_000)
  store.news.emit('release')
  t.match(
    await connection.readToEnd(),
    /^HTTP\/1\.1 204 [^]*Msgbus-Count: 1\r\n[^]*Connection: close\r\n\r\n$/,
  )
  await closed
})

await t.test('a stream is read no faster than its parts are kept', async t => {
  const store = new HeldStore(new MemoryStore())
  const bus = new Bus({ store })
  t.teardown(() => bus.close())
  const server = await start(t, { bus })
  let heldCount = 0
  store.news.on('held', () => heldCount++)
  store.news.setMaxListeners(0)
  const parts = chunk(part('x')).repeat(1_000)
  for (const opening of ['', requestText('OPTIONS', '/msgbus/foo')]) {
    heldCount = 0
    const connection = await connect(t, server)
    connection.send(`${opening}${HEAD}${chunk('--b\r\n')}`)
    for (let count = 0; count < 20; count++) connection.send(parts)
    connection.send(LAST_CHUNK)
    while (heldCount < 900) await new Promise(setImmediate)
    t.equal((await ask(t, server, 'OPTIONS', '/msgbus/foo')).status, 204)
    t.ok(heldCount < 5_000, `${heldCount} at once`)
    let isOver = false
    const answers = Promise.all([opening === '' ? null : connection.readAnswer(), connection.readAnswer()])
    const over = answers.finally(() => {
      isOver = true
    })
    while (!isOver) {
      store.news.emit('release')
      await new Promise(setImmediate)
    }
    await over
    t.equal(heldCount, 20_000)
  }
})

await t.test('a part that cannot be kept is said in the end', async t => {
  const store = new HeldStore(new MemoryStore())
  store.error = new MsgbusError('MSGBUS_STORE', 'Cannot keep it: the disk is on fire')
  const bus = new Bus({ store })
  t.teardown(() => bus.close())
  const server = await start(t, { bus })
  const held = once(store.news, 'held')
  const connection = await begin(t, server, 'one')
  connection.send(LAST_CHUNK + POST)
  await held
  store.news.emit('release')
  t.match(
    await connection.readToEnd(),
    /^HTTP\/1\.1 503 [^]*MSGBUS_STORE: Cannot keep it: the disk is on fire\n$/,
  )
  t.equal(bus.position.seq, 0)
})

await t.test('a stream that fails with what came with its head leaves nothing behind', async t => {
  const server = await start(t)
  const fail = async (): Promise<void> => {
    const connection = await connect(t, server)
    connection.send(`${HEAD}nonsense\r\n`)
    t.match(await connection.readToEnd(), /MSGBUS_CHUNK/)
  }
  for (let count = 0; count < 20; count++) await fail()
  // The last one may still be on its way out.
  t.ok(queryObjects(PlainStream, { format: 'count' }) < 10)
})

await t.test('behind a stream a connection may idle as long as its answer says', async t => {
  const server = await start(t, { headersTimeoutMs: 1_000 })
  const connection = await begin(t, server, 'one')
  connection.send(LAST_CHUNK)
  t.equal((await connection.readAnswer()).headers.get('keep-alive'), 'timeout=65')
  // The clock for headers is looked at once a second.
  await setTimeout(3_000)
  connection.send(POST)
  t.equal((await connection.readAnswer()).status, 204)
})
