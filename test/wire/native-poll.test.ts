// Answers that have an end: what is there, page by page, and the first message that comes within a while. Between two of
// them nothing is lost, whatever the form, and nobody who waits is left waiting.

import t, { type Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../src/store/memory.ts'
import { readEvents } from '../codec/event-reader.ts'
import { LaterStore } from '../store/later-store.ts'
import {
  type Answer,
  ask,
  certificate,
  connect,
  connectSecurely,
  put,
  requestText,
  start,
  type TestServer,
} from './server.ts'

const LOTS: MemoryStoreOptions = { maxCount: 100_000, maxBytes: Infinity, maxTotalBytes: Infinity }

function startWith(t: Test, options: MemoryStoreOptions = LOTS): Promise<TestServer> {
  return start(t, { bus: new Bus({ store: new MemoryStore(options) }) })
}

const FORMS = ['as=multipart', 'as=mixed', 'as=ndjson', 'as=sse', 'as=sse&envelope=json', ''] as const

/** Bodies of the messages in a finite answer, and what it tells of others. */
function read({ headers, body }: Answer): {
  readonly bodies: readonly string[]
  readonly notices: readonly string[]
} {
  const [type = ''] = headers.get('content-type')?.split(';') ?? []
  if (type === '') return { bodies: [], notices: [] }
  if (type === 'multipart/mixed') {
    const boundary = /; boundary=(.+)$/.exec(headers.get('content-type') ?? '')?.[1] ?? ''
    return { bodies: readParts(body, boundary), notices: [] }
  }
  if (type === 'application/x-ndjson') {
    const objects = body.split('\n').filter(line => line !== '')
    const isMessage = (line: string): boolean => line.includes('"id"')
    const bodies = objects.filter(isMessage).map(line => (JSON.parse(line) as { readonly body: string }).body)
    return { bodies, notices: objects.filter(line => !isMessage(line)) }
  }
  const { events } = readEvents(Buffer.from(body, 'latin1'))
  const messages = events.filter(event => event.type === 'message').map(({ data }) => data)
  return {
    bodies: messages.map(data =>
      data.startsWith('{') ? (JSON.parse(data) as { readonly body: string }).body : data,
    ),
    notices: events.filter(event => event.type !== 'message').map(event => `${event.type} ${event.data}`),
  }
}

/** Takes a whole multipart body apart, delimiter by delimiter; throws for anything that is not exactly that. */
function readParts(text: string, boundary: string): readonly string[] {
  const bodies: string[] = []
  let rest = text
  while (rest !== `--${boundary}--\r\n`) {
    const delimiter = `--${boundary}\r\n`
    const headEnd = rest.indexOf('\r\n\r\n')
    if (!rest.startsWith(delimiter) || headEnd < 0)
      throw new Error(`no part: ${JSON.stringify(rest.slice(0, 200))}`)
    const length = Number(/\r\nContent-Length: (\d+)\r\n/.exec(rest.slice(0, headEnd + 2))?.[1])
    const bodyEnd = headEnd + 4 + length
    bodies.push(rest.slice(headEnd + 4, bodyEnd))
    if (rest.slice(bodyEnd, bodyEnd + 2) !== '\r\n') throw new Error('a part is longer than it says')
    rest = rest.slice(bodyEnd + 2)
  }
  return bodies
}

function positionOf({ headers }: Answer): string {
  return headers.get('msgbus-position') ?? 'no position'
}

await t.test('what is there comes in one answer that ends, and says where to go on', async t => {
  const server = await startWith(t)
  const ids = ['1', '2', '3'].map(body => put(server, 'a', body))
  for (const form of FORMS) {
    const answer = await ask(t, server, 'GET', `/msgbus/a?poll&${form}`)
    t.equal(answer.line, 'HTTP/1.1 200 OK', form)
    t.same(read(answer), { bodies: ['1', '2', '3'], notices: [] }, form)
    t.equal(positionOf(answer), ids[2])
    t.notOk(answer.headers.has('transfer-encoding'))
    t.equal(answer.headers.get('cache-control'), 'no-store')
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    const after = await ask(t, server, 'GET', `/msgbus/a?poll&${form}&since=${ids[0]}`)
    t.equal(after.headers.get('msgbus-resume'), 'ok')
    t.same(read(after).bodies, ['2', '3'], form)
  }
})

await t.test('a multipart answer is closed as such, byte by byte', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const id = put(server, 'a', 'x')
  const lines = `Content-Type: text/plain\r\nContent-Length: 1\r\nMsgbus-Id: ${id}\r\nMsgbus-Time: 1700000000000\r\n`
  const answer = await ask(t, server, 'GET', '/msgbus/a?poll')
  t.equal(answer.headers.get('content-type'), `multipart/mixed; boundary=${boundary}`)
  t.equal(answer.body, `--${boundary}\r\n${lines}\r\nx\r\n--${boundary}--\r\n`)
  const sse = await ask(t, server, 'GET', '/msgbus/a?poll&as=sse')
  t.match(sse.body, new RegExp(`^retry: \\d{4}\n\nid: ${id}\ndata: x\n\n$`))
  const ndjson = await ask(t, server, 'GET', '/msgbus/a?poll&as=ndjson')
  t.match(ndjson.body, /^\{[^\n]+"body":"x"\}\n$/)
})

await t.test('nothing there is 204, with the place to go on from', async t => {
  const server = await startWith(t)
  const start = `${server.server.bus.position.epoch}-0`
  const id = put(server, 'b', 'x')
  for (const [query, position, outcome] of [
    ['poll', id, undefined],
    ['poll=', id, undefined],
    ['poll=1', id, undefined],
    ['wait=0s', id, undefined],
    ['poll&since=all', id, 'ok'],
    [`poll&since=${start}`, id, 'ok'],
    [`poll&since=${id}`, id, 'ok'],
    ['poll&since=-5', id, 'ok'],
    ['wait=1ms', id, undefined],
    [`wait=1ms&since=${start}`, id, 'ok'],
  ] as const) {
    for (const form of FORMS) {
      const answer = await ask(t, server, 'GET', `/msgbus/a?${query}&${form}`)
      t.equal(answer.status, 204, `${query} ${form}`)
      t.equal(positionOf(answer), position, query)
      t.equal(answer.headers.get('msgbus-resume'), outcome, query)
      t.notOk(answer.headers.has('content-type'))
      t.notOk(answer.headers.has('content-length'))
    }
  }
})

for (const form of FORMS) {
  await t.test(`page by page, ${form || 'by default'}, everything comes once and in order`, async t => {
    const server = await startWith(t)
    const wanted = Array.from({ length: 60 }, (_, at) => `${at} `.padEnd(100_000, 'x'))
    for (const [at, body] of wanted.entries()) {
      put(server, 'a', body)
      put(server, at % 3 === 0 ? 'a/b' : 'other', 'y')
    }
    const bodies: string[] = []
    let since = 'all'
    for (let pageCount = 0; ; pageCount++) {
      const answer = await ask(t, server, 'GET', `/msgbus/a?poll&since=${since}&${form}`)
      t.equal(answer.headers.get('msgbus-resume'), 'ok')
      since = positionOf(answer)
      if (answer.status === 204) {
        t.ok(pageCount > 4, `${pageCount} answers`)
        break
      }
      t.ok(answer.body.length < 1_400_000, 'an answer is bounded')
      bodies.push(...read(answer).bodies)
    }
    t.equal(bodies.length, wanted.length)
    t.ok(bodies.every((body, at) => body === wanted[at]))
    t.equal(since, `${server.server.bus.position.epoch}-${server.server.bus.position.seq}`)
  })
}

await t.test('one message larger than an answer comes alone', async t => {
  const server = await startWith(t)
  const bodies = ['1', 'x'.repeat(3_000_000), '3']
  for (const body of bodies) put(server, 'a', body)
  const first = await ask(t, server, 'GET', '/msgbus/a?poll')
  t.same(
    read(first).bodies.map(({ length }) => length),
    [1, 3_000_000],
  )
  const second = await ask(t, server, 'GET', `/msgbus/a?poll&since=${positionOf(first)}`)
  t.same(read(second).bodies, ['3'])
})

await t.test('many small messages come in few answers', async t => {
  const server = await startWith(t)
  for (let at = 0; at < 3000; at++) put(server, 'a', `${at}`)
  const answer = await ask(t, server, 'GET', '/msgbus/a?poll&as=ndjson')
  t.equal(read(answer).bodies.length, 3000)
})

await t.test('filters choose, and the place moves on over what they leave out', async t => {
  const server = await startWith(t)
  for (let at = 0; at < 1000; at++) {
    put(server, 'a', `${at}`, { type: at % 400 === 0 ? 'image/png' : 'text/plain' })
  }
  const answer = await ask(t, server, 'GET', '/msgbus/a?poll&type=image/*')
  t.same(read(answer).bodies, ['0', '400', '800'])
  t.equal(positionOf(answer).split('-')[1], '1000')
  t.equal((await ask(t, server, 'GET', '/msgbus/a?poll&type=video/*')).status, 204)
})

await t.test('several channels and trees are read in their common order, with their names', async t => {
  const server = await startWith(t)
  for (const channel of ['a', 'a/b', 'x', 'a']) put(server, channel, channel)
  for (const [matcher, bodies] of [
    ['a,x', ['a', 'x', 'a']],
    ['a/', ['a/b']],
    ['', ['a', 'a/b', 'x', 'a']],
  ] as const) {
    const answer = await ask(t, server, 'GET', `/msgbus/${matcher}?poll`)
    t.same(read(answer).bodies, bodies)
    t.match(answer.body, /\r\nContent-Location: \/msgbus\/a/)
  }
})

await t.test('a gap and a reset are told in the head, and first in the forms that can', async t => {
  const server = await startWith(t, { maxCount: 1 })
  for (const body of ['1', '2', '3']) put(server, 'a', body)
  const { epoch } = server.server.bus.position
  for (const [since, outcome, lines, events] of [
    [`${epoch}-0`, 'gap; missed=2', '{"gap":2}', 'gap 2'],
    ['0-0', 'reset', '{"reset":true}', 'reset true'],
    [`${epoch}-99`, 'reset', '{"reset":true}', 'reset true'],
  ] as const) {
    for (const form of FORMS) {
      for (const how of ['poll', 'wait=1s']) {
        const answer = await ask(t, server, 'GET', `/msgbus/a?${how}&since=${since}&${form}`)
        t.equal(answer.headers.get('msgbus-resume'), outcome)
        const notices = form === 'as=ndjson' ? [lines] : form.startsWith('as=sse') ? [events] : []
        t.same(read(answer), { bodies: ['3'], notices }, `${how} ${form} ${since}`)
      }
    }
  }
})

await t.test('a gap with nothing behind it is told, too', async t => {
  const server = await startWith(t, { maxCount: 0 })
  const { epoch } = server.server.bus.position
  const id = put(server, 'a', '1')
  const lines = await ask(t, server, 'GET', `/msgbus/a?poll&as=ndjson&since=${epoch}-0`)
  t.equal(lines.status, 200)
  t.equal(lines.body, '{"gap":1}\n')
  t.equal(positionOf(lines), id)
  const parts = await ask(t, server, 'GET', `/msgbus/a?poll&since=${epoch}-0`)
  t.equal(parts.status, 204)
  t.equal(parts.headers.get('msgbus-resume'), 'gap; missed=1')
  t.equal(positionOf(parts), id)
})

await t.test('forms that browsers show part by part have no end, and are refused', async t => {
  const server = await startWith(t)
  put(server, 'a', 'x')
  for (const query of ['as=image', 'framing=2008']) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(t, server, method, `/msgbus/a?poll&${query}`)
      t.equal(answer.status, 400)
      if (method === 'GET') t.match(answer.body, /^MSGBUS_QUERY: /)
    }
  }
  const tab = ['Accept: text/html,application/xhtml+xml', 'Sec-Fetch-Dest: document', 'Sec-CH-UA: "x"']
  const answer = await ask(t, server, 'GET', '/msgbus/a?poll', { headers: tab })
  t.match(answer.headers.get('content-type') ?? '', /^multipart\/mixed/, 'a tab gets what a program gets')
})

await t.test('a wait that is none is refused', async t => {
  const server = await startWith(t)
  for (const wait of ['', '5', '-5s', '1h', '301s', '5m1s', '1e1s', 'forever', '%00']) {
    const answer = await ask(t, server, 'GET', `/msgbus/a?wait=${wait}`)
    t.equal(answer.status, 400, wait)
    t.match(answer.body, /^MSGBUS_QUERY: Cannot read "wait"/)
  }
})

/** Asks on a connection of its own, and returns once the server waits for a message. */
async function wait(t: Test, server: TestServer, path: string, waitingCount = 1) {
  const connection = await connect(t, server)
  connection.send(requestText('GET', path))
  await untilWaiting(server, waitingCount)
  return connection
}

/** Waits until so many readers are live. */
async function untilWaiting({ server }: TestServer, count: number): Promise<void> {
  for (;;) {
    const found = [...server.bus.subscriberCounts().values()].reduce((sum, number) => sum + number, 0)
    if (found === count) return
    await new Promise(setImmediate)
  }
}

for (const form of FORMS) {
  await t.test(`who waits, ${form || 'by default'}, is answered with the next message`, async t => {
    const server = await startWith(t)
    put(server, 'a', 'before')
    const connection = await wait(t, server, `/msgbus/a?wait=5m&${form}`)
    put(server, 'b', 'elsewhere')
    const id = put(server, 'a', 'next')
    const answer = await connection.readAnswer()
    t.same(read(answer).bodies, ['next'])
    t.equal(positionOf(answer), id)
    await untilWaiting(server, 0)
  })
}

await t.test('who waits gets at once what is there already', async t => {
  const server = await startWith(t)
  const id = put(server, 'a', '1')
  put(server, 'a', '2')
  const answer = await ask(t, server, 'GET', `/msgbus/a?wait=5m&since=${id}`)
  t.same(read(answer).bodies, ['2'])
})

await t.test('what is published in one turn comes in one answer', async t => {
  const server = await startWith(t)
  const connection = await wait(t, server, '/msgbus/a?wait=5m&as=ndjson')
  for (const body of ['1', '2', '3']) put(server, 'a', body)
  t.same(read(await connection.readAnswer()).bodies, ['1', '2', '3'])
})

await t.test('what comes in the same turn and does not fit is in the next answer', async t => {
  const server = await startWith(t)
  const connection = await wait(t, server, '/msgbus/a?wait=5m')
  const wanted = Array.from({ length: 10 }, (_, at) => `${at} `.padEnd(40_000, 'x'))
  for (const body of wanted) put(server, 'a', body)
  const first = await connection.readAnswer()
  const second = await ask(t, server, 'GET', `/msgbus/a?wait=5m&since=${positionOf(first)}`)
  t.same([...read(first).bodies, ...read(second).bodies], wanted)
})

await t.test('who waits for what its filter lets through is not woken by the rest', async t => {
  const server = await startWith(t)
  const connection = await wait(t, server, '/msgbus/a?wait=5m&type=image/*')
  put(server, 'a', 'text')
  await new Promise(setImmediate)
  const id = put(server, 'a', 'picture', { type: 'image/png' })
  const answer = await connection.readAnswer()
  t.same(read(answer).bodies, ['picture'])
  t.equal(positionOf(answer), id)
})

await t.test('who waited in vain goes on from its place, and has missed nothing', async t => {
  const server = await startWith(t)
  const id = put(server, 'a', '1')
  const vain = await ask(t, server, 'GET', '/msgbus/a?wait=50ms')
  t.equal(vain.status, 204)
  t.equal(positionOf(vain), id)
  put(server, 'a', '2')
  put(server, 'a', '3')
  const next = await ask(t, server, 'GET', `/msgbus/a?wait=5m&since=${positionOf(vain)}`)
  t.same(read(next).bodies, ['2', '3'])
  t.same([...server.server.bus.subscriberCounts()], [])
})

await t.test('one after the other, waits get every message of a flood', async t => {
  const server = await startWith(t)
  const publishing = (async () => {
    for (let number = 1; number <= 2000; number++) {
      put(server, 'a', `${number}`)
      if (number % 10 === 0) await new Promise(setImmediate)
    }
  })()
  const connection = await connect(t, server)
  const bodies: string[] = []
  let since = `${server.server.bus.position.epoch}-0`
  while (bodies.length < 2000) {
    connection.send(requestText('GET', `/msgbus/a?wait=5m&as=ndjson&since=${since}`))
    const answer = await connection.readAnswer()
    t.equal(answer.headers.get('msgbus-resume'), 'ok')
    bodies.push(...read(answer).bodies)
    since = positionOf(answer)
  }
  await publishing
  t.same(
    bodies,
    Array.from({ length: 2000 }, (_, at) => `${at + 1}`),
  )
})

await t.test('1,000 who wait are woken by one publish', async t => {
  const server = await startWith(t)
  const connections = await Promise.all(Array.from({ length: 1000 }, () => connect(t, server)))
  for (const [at, connection] of connections.entries()) {
    connection.send(requestText('GET', `/msgbus/a?wait=5m&as=${at % 2 === 0 ? 'ndjson' : 'sse'}`))
  }
  await untilWaiting(server, 1000)
  const id = put(server, 'a', 'wake up')
  const answers = await Promise.all(connections.map(connection => connection.readAnswer()))
  t.ok(answers.every(answer => read(answer).bodies.join() === 'wake up' && positionOf(answer) === id))
  t.same([...server.server.bus.subscriberCounts()], [])
})

await t.test('a server that closes answers those who wait, and takes its leave', async t => {
  const server = await startWith(t)
  const id = put(server, 'a', 'x')
  const connection = await wait(t, server, '/msgbus/a?wait=5m')
  const closed = server.server.close(60_000)
  const answer = await connection.readAnswer()
  t.equal(answer.status, 204)
  t.equal(positionOf(answer), id)
  await closed
  t.equal(await connection.readToEnd(), '')
})

await t.test('who waits and leaves is forgotten', async t => {
  const server = await startWith(t)
  const connections = [
    await wait(t, server, '/msgbus/a?wait=5m'),
    await wait(t, server, '/msgbus/a?wait=5m', 2),
  ]
  connections[0]?.socket.destroy()
  await untilWaiting(server, 1)
  connections[1]?.socket.end()
  await untilWaiting(server, 0)
  put(server, 'a', 'x')
  await new Promise(setImmediate)
  t.notOk(server.log.events.some(({ name }) => name.endsWith('.fault')))
})

await t.test(
  'the connection lives on behind a finite answer, for more of them and for anything else',
  async t => {
    const server = await startWith(t)
    const connection = await connect(t, server)
    const post = requestText('POST', '/msgbus/a', { headers: ['Content-Type: text/plain'], body: 'x' })
    let since = 'all'
    for (let round = 0; round < 3; round++) {
      connection.send(post)
      t.equal((await connection.readAnswer()).status, 204)
      connection.send(requestText('GET', `/msgbus/a?poll&since=${since}`))
      const answer = await connection.readAnswer()
      t.same(read(answer).bodies, ['x'])
      since = positionOf(answer)
      connection.send(requestText('GET', `/msgbus/a?poll&since=${since}`))
      t.equal((await connection.readAnswer()).status, 204)
    }
    // All at once, answered one after the other; then a stream on the same connection.
    connection.send(post + requestText('GET', '/msgbus/a?poll&since=-1') + requestText('GET', '/msgbus/a'))
    t.equal((await connection.readAnswer()).status, 204)
    t.same(read(await connection.readAnswer()).bodies, ['x'])
    t.equal((await connection.readHead()).headers.get('transfer-encoding'), 'chunked')
  },
)

await t.test('over HTTP/1.0 and over TLS a finite answer is the same', async t => {
  for (const [isSecure, version] of [
    [false, '1.0'],
    [true, '1.1'],
  ] as const) {
    const server = await start(t, {}, { pem: isSecure ? certificate('a') : null })
    put(server, 'a', 'x')
    const connection = isSecure ? await connectSecurely(t, server) : await connect(t, server)
    connection.send(requestText('GET', '/msgbus/a?poll', { version }))
    t.same(read(await connection.readAnswer()).bodies, ['x'])
    if (version === '1.0') t.equal(await connection.readToEnd(), '')
  }
})

await t.test('HEAD tells the type of the answer that GET would get', async t => {
  const server = await startWith(t)
  for (const [query, type] of [
    ['poll', /^multipart\/mixed; boundary=/],
    ['wait=5m', /^multipart\/mixed; boundary=/],
    ['poll&as=ndjson', /^application\/x-ndjson$/],
    ['poll&as=sse', /^text\/event-stream$/],
  ] as const) {
    const answer = await ask(t, server, 'HEAD', `/msgbus/a?${query}`)
    t.equal(answer.status, 200)
    t.match(answer.headers.get('content-type') ?? '', type)
  }
})

await t.test('over a store that answers later, pages and waits are the same', async t => {
  const bus = new Bus({ store: new LaterStore(new MemoryStore(LOTS)) })
  const server = await start(t, { bus })
  const publish = (body: string) =>
    bus.publish({ channel: 'a', type: 'text/plain', sender: null, body: Buffer.from(body) })
  for (let at = 0; at < 600; at++) void publish(`${at}`)
  await publish('last')
  const answer = await ask(t, server, 'GET', '/msgbus/a?poll&as=ndjson')
  t.equal(read(answer).bodies.length, 601)
  const connection = await wait(t, server, `/msgbus/a?wait=5m&since=${positionOf(answer)}`)
  await publish('next')
  t.same(read(await connection.readAnswer()).bodies, ['next'])
})
