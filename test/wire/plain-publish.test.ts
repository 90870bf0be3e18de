// Publishes that are read without Node's HTTP server. Whatever arrives, and however it is cut, what is published and what is answered
// must be the same as through HTTP, to which a connection comes that begins with another request.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { MsgbusError } from '../../src/errors.ts'
import type { Draft, Message } from '../../src/message.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { HeldStore } from '../store/held-store.ts'
import { LaterStore } from '../store/later-store.ts'
import {
  ask,
  certificate,
  chunk,
  connect,
  connectSecurely,
  requestText,
  start,
  subscribe,
  type TestServer,
} from './server.ts'

const TEXT = 'Content-Type: text/plain'

// As long as a boundary is.
const BOUNDARY = 'BOUNDARY'.repeat(4)

function post(path: string, body: string, headers: readonly string[] = [TEXT]): string {
  return requestText('POST', path, { headers, body })
}

/** A stream of parts, all of it in one chunk. */
function postParts(path: string, parts: string, headers: readonly string[] = [PARTS]): string {
  const head = requestText('POST', path, { headers: [...headers, 'Transfer-Encoding: chunked'] })
  return `${head}${parts === '' ? '' : chunk(parts)}0\r\n\r\n`
}

const PARTS = 'Content-Type: multipart/mixed; boundary=b'
const TWO =
  '--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--b--\r\n'

const LAST = post('/msgbus/last', 'last', [TEXT, 'Connection: close'])

/** What is left of answers without what differs from one to the next. */
function still(answers: string): string {
  return answers
    .replaceAll(/Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g, 'Date: ...')
    .replaceAll(/(Msgbus-Id|Msgbus-Position|Retry-After|last message)(:?) [^\r:]+/g, '$1$2 ...')
}

/** Sends it through HTTP and returns all that comes back. */
async function askHttp(t: Test, server: TestServer, bytes: string): Promise<string> {
  const connection = await connect(t, server)
  connection.send(requestText('OPTIONS', '/msgbus/foo'))
  await connection.readAnswer()
  connection.send(bytes)
  connection.socket.end()
  return connection.readToEnd()
}

async function askPlainly(t: Test, server: TestServer, bytes: string): Promise<string> {
  const connection = await connect(t, server)
  connection.send(bytes)
  connection.socket.end()
  return connection.readToEnd()
}

await t.test('nobody can tell by an answer how the request was read', async t => {
  // Of the same state at every step.
  const plainServer = await start(t)
  const httpServer = await start(t)
  const good = post('/msgbus/foo', 'hello')
  const requests = [
    good,
    good + good,
    good.replace('POST', 'PUT'),
    post('/msgbus/foo', ''),
    good + LAST,
    post('/msgbus/foo', 'x', []),
    post('/msgbus/foo', 'x', ['Content-Type: \x01']),
    post('/msgbus/foo', 'x', ['Content-Type: nonsense']),
    post('/msgbus/foo', 'x', [TEXT, ...Array.from({ length: 100 }, () => 'Accept: a')]),
    post('/msgbus/foo', BOUNDARY),
    post('/msgbus/foo', 'long'.repeat(100_000)),
    post('/msgbus/foo', 'long'.repeat(100_000) + BOUNDARY),
    post('/msgbus/foo', 'long'.repeat(100_000), ['Content-Type: nonsense']),
    postParts('/msgbus/foo', TWO),
    good + postParts('/msgbus/foo', TWO) + good,
    postParts('/msgbus/foo', ''),
    postParts('/msgbus/foo', '--b\r\n'),
    postParts('/msgbus/foo', TWO.replace('two', BOUNDARY)),
    postParts('/msgbus/foo', TWO.slice(0, -8)),
    postParts('/msgbus/foo', 'x'.repeat(100_000)),
    postParts('/msgbus/foo', TWO, ['Content-Type: multipart/mixed; boundary=']),
    postParts('/msgbus/foo', TWO, ['Content-Type: multipart/form-data; boundary=b']),
    postParts('/msgbus/foo', TWO, [TEXT]),
    postParts('/msgbus/foo', TWO, [PARTS, `Content-Length: ${TWO.length}`]),
    postParts('/msgbus/foo/', TWO),
    postParts('/msgbus/', TWO.replaceAll('text/plain', 'text/plain\r\nContent-Location: /msgbus/a')),
    postParts('/msgbus/a//b', TWO),
    post(`/msgbus/${'a/'.repeat(16)}a`, 'x'),
    post('/msgbus/foo/', 'x'),
    post('/msgbus/', 'x'),
    post('/msgbus/a//b', 'x'),
    post('/msgbus/a/../b', 'x'),
    post('/elsewhere', 'x'),
    post('/publisher/nobody', 'x'),
    good.replace('127.0.0.1', 'evil.example'),
    good + requestText('GET', '/msgbus/foo?poll'),
    good + requestText('DELETE', '/msgbus/foo') + good,
    good + post('/msgbus/foo', 'x', ['Content-Type: multipart/form-data; boundary=q']) + good,
  ]
  for (const bytes of requests) {
    const what = JSON.stringify(bytes.slice(0, 80))
    t.equal(await answer(plainServer, askPlainly, bytes), await answer(httpServer, askHttp, bytes), what)
    t.equal(plainServer.server.bus.position.seq, httpServer.server.bus.position.seq, what)
  }
  async function answer(server: TestServer, way: typeof askHttp, bytes: string): Promise<string> {
    const { boundary } = server.server.bus
    return still(await way(t, server, bytes.replace(BOUNDARY, boundary))).replaceAll(boundary, BOUNDARY)
  }
})

await t.test('junk behind a publish does not take its answer away', async t => {
  const server = await start(t)
  const answers = await askPlainly(t, server, `${post('/msgbus/foo', 'hello')}junk\r\n\r\n`)
  t.match(answers, /^HTTP\/1\.1 204 [^]*\r\n\r\nHTTP\/1\.1 400 /)
})

await t.test('publishes that are cut anywhere are all taken, in order', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const { boundary } = server.server.bus
  const bytes = ['one', 'two', 'three'].map(body => post('/msgbus/foo', body)).join('')
  for (let cut = 1; cut < bytes.length; cut++) {
    const connection = await connect(t, server)
    connection.socket.setNoDelay(true)
    connection.send(bytes.slice(0, cut))
    // Makes sure that the rest comes in a segment of its own.
    await new Promise(setImmediate)
    connection.send(bytes.slice(cut))
    for (const body of ['one', 'two', 'three']) {
      t.equal((await connection.readAnswer()).status, 204, `cut at ${cut}`)
      t.equal((await stream.readPart(boundary)).body, body)
    }
    connection.socket.destroy()
  }
})

await t.test('a connection is plain for as long as its requests are, also over TLS', async t => {
  const server = await start(t, {}, { pem: certificate('a') })
  const connection = await connectSecurely(t, server)
  connection.send(post('/msgbus/foo', 'x'.repeat(40_000)).repeat(3) + post('/msgbus/foo', 'y').repeat(500))
  for (let count = 0; count < 503; count++) t.equal((await connection.readAnswer()).status, 204)
  connection.send(requestText('GET', '/msgbus/foo?since=-1&poll'))
  t.match((await connection.readAnswer()).body, /\r\n\r\ny\r\n/)
  connection.send(LAST)
  t.match(await connection.readToEnd(), /^HTTP\/1\.1 204 [^]*Connection: close/)
})

await t.test('a request that comes byte by byte behind others is read all the same', async t => {
  const server = await start(t)
  const connection = await connect(t, server)
  connection.socket.setNoDelay(true)
  for (const character of post('/msgbus/foo', 'slow') + LAST) {
    connection.send(character)
    await new Promise(setImmediate)
  }
  t.equal((await connection.readAnswer()).status, 204)
  t.match(await connection.readToEnd(), /^HTTP\/1\.1 204 /)
  t.equal(server.server.bus.position.seq, 2)
})

await t.test('what is left unfinished is not published, and said', async t => {
  const server = await start(t, { headersTimeoutMs: 1_000 })
  const good = post('/msgbus/foo', 'hello')
  for (const [half, status] of [
    [good.slice(0, -2), 400],
    [good.slice(0, 40), 400],
    [post('/msgbus/foo', 'long'.repeat(100_000)).slice(0, -1), 400],
  ] as const) {
    const answers = (await askPlainly(t, server, good + half)).split('HTTP/1.1 ')
    t.strictSame(
      answers.slice(1).map(answer => answer.slice(0, 3)),
      ['204', `${status}`],
    )
  }
  t.equal(server.server.bus.position.seq, 3)
  const waiting = await connect(t, server)
  waiting.send(good + good.slice(0, 40))
  t.match(await waiting.readToEnd(), /^HTTP\/1\.1 204 [^]*HTTP\/1\.1 408 /)
  t.equal(server.server.bus.position.seq, 4)
})

await t.test('a store that keeps later is given together what came together', async t => {
  const bus = new Bus({ store: new LaterStore(new MemoryStore()) })
  t.teardown(() => bus.close())
  const server = await start(t, { bus })
  const stream = await subscribe(t, server, '/msgbus/foo')
  const bodies = Array.from({ length: 50 }, (_, at) => `${at}`)
  const answers = await askPlainly(t, server, bodies.map(body => post('/msgbus/foo', body)).join(''))
  t.equal(answers.split('HTTP/1.1 204 ').length, 51)
  const ids = [...answers.matchAll(/Msgbus-Id: \w+-(\d+)/g)].map(([, seq]) => Number(seq))
  t.strictSame(
    ids,
    bodies.map((_, at) => at + 1),
  )
  for (const body of bodies) t.equal((await stream.readPart(bus.boundary)).body, body)
})

await t.test('behind one that is being kept, a request may be cut, or of another kind', async t => {
  const bus = new Bus({ store: new LaterStore(new MemoryStore()) })
  t.teardown(() => bus.close())
  const server = await start(t, { bus })
  const good = post('/msgbus/foo', 'hello')
  const connection = await connect(t, server)
  connection.send(good + good.slice(0, 50))
  t.equal((await connection.readAnswer()).status, 204)
  connection.send(good.slice(50) + requestText('OPTIONS', '/msgbus/foo') + good)
  for (let count = 0; count < 3; count++) t.equal((await connection.readAnswer()).status, 204)
  t.equal(bus.position.seq, 3)
  // A client that has said all is answered for what was carried out.
  const answers = await askPlainly(t, server, good + requestText('DELETE', '/msgbus/foo') + good)
  t.match(answers, /^HTTP\/1\.1 204 /)
  t.equal(bus.position.seq, answers.split('204 No Content').length + 2)
})

class FailingStore extends LaterStore {
  error: Error = new MsgbusError('MSGBUS_STORE', 'Cannot keep it: the disk is on fire')
  appendCount = 0

  override async append(drafts: readonly Draft[]): Promise<readonly Message[]> {
    this.appendCount++
    if (drafts.some(({ body }) => Buffer.from(body).toString() === 'bad')) {
      await Promise.resolve()
      throw this.error
    }
    return super.append(drafts)
  }
}

await t.test(
  'what cannot be kept is said in the same words, and nothing that came with it is published',
  async t => {
    const store = new FailingStore(new MemoryStore())
    const bus = new Bus({ store })
    t.teardown(() => bus.close())
    const server = await start(t, { bus })
    const bad = post('/msgbus/foo', 'bad')
    for (const [event, error] of [
      ['http.refused', store.error],
      ['http.fault', new Error('a fault of ours: secret')],
    ] as const) {
      store.error = error
      store.appendCount = 0
      const plainly = still(await askPlainly(t, server, bad))
      t.match(plainly, /^HTTP\/1\.1 50/)
      t.notMatch(plainly, /secret/)
      t.ok(
        server.log.events.some(({ name }) => name === event),
        event,
      )
      t.equal(plainly, still(await askHttp(t, server, bad)))
      const together = post('/msgbus/foo', 'before') + bad + post('/msgbus/foo', 'behind')
      t.equal(still(await askPlainly(t, server, together)), plainly)
      t.equal(store.appendCount, 3)
      t.equal(bus.position.seq, 0)
    }
  },
)

await t.test('a server that stops answers what it has begun, and closes the rest at once', async t => {
  const store = new HeldStore(new MemoryStore())
  const bus = new Bus({ store })
  t.teardown(() => bus.close())
  const server = await start(t, { bus, keepAliveMs: 100 })
  const busy = await connect(t, server)
  busy.send(post('/msgbus/foo', 'one') + post('/msgbus/foo', 'two'))
  await once(store.news, 'held')
  const closed = server.server.close(10_000)
  store.news.emit('release')
  const answers = await busy.readToEnd()
  t.match(answers, /^HTTP\/1\.1 204 [^]*\r\n\r\nHTTP\/1\.1 204 [^]*\r\nConnection: close\r\n\r\n$/)
  t.equal(answers.split('Connection: close').length, 2, 'only the last one says so')
  await closed
  t.equal(bus.position.seq, 2)
})

await t.test('a connection that says nothing more is closed in time', async t => {
  const server = await start(t, { keepAliveMs: 100 })
  const connection = await connect(t, server)
  connection.send(post('/msgbus/foo', 'x'))
  t.equal((await connection.readAnswer()).headers.get('keep-alive'), 'timeout=0')
  t.equal(await connection.readToEnd(), '')
})

await t.test('a client that takes no answers for a while loses none', async t => {
  const server = await start(t)
  const connection = await connect(t, server)
  connection.socket.pause()
  const count = 30_000
  const posts = post('/msgbus/foo', 'x').repeat(100)
  for (let sent = 0; sent < count; sent += 100) connection.send(posts)
  await new Promise<void>(resolve => {
    const look = (): void => {
      // Some of them, and not all: their answers would be 16 MB.
      if (server.server.bus.position.seq > 1_000) resolve()
      else setImmediate(look)
    }
    look()
  })
  connection.socket.resume()
  for (let read = 0; read < count; read++) await connection.readAnswer()
  t.equal(server.server.bus.position.seq, count)
})

await t.test('a server that stops takes in the body that has begun', async t => {
  const server = await start(t)
  const connection = await connect(t, server)
  const late = await connect(t, server)
  const text = requestText('POST', '/msgbus/foo', {
    headers: ['Content-Type: text/plain'],
    body: 'x'.repeat(100_000),
  })
  connection.send(text.slice(0, 60_000))
  late.send(text.slice(0, 60_000))
  // What was sent before is there before.
  t.equal((await ask(t, server, 'OPTIONS', '/msgbus/foo')).status, 204)
  const closed = server.server.close(10_000)
  connection.send(text.slice(60_000))
  t.match(await connection.readToEnd(), /^HTTP\/1\.1 204 [^]*Connection: close\r\n\r\n$/)
  t.equal(await late.readToEnd(), '', 'but not for long')
  await closed
  t.equal(server.server.bus.position.seq, 1)
})
