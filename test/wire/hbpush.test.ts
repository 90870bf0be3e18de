// The hbpush protocol: the conformance cases of its specification, by their numbers, and what its answers have besides.

import t, { type Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { createServer } from '../../src/server.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { ask, connect, put, requestText, start } from './server.ts'
import {
  bodiesOf,
  chain,
  type HbpushServer,
  poll,
  post,
  publisherAt,
  startHbpush,
  subscriberAt,
  untilWaiting,
  validators,
  wait,
} from './hbpush.ts'

const DATE = 'Tue, 14 Nov 2023 22:13:20 GMT'

function create(t: Test, server: HbpushServer, id: string) {
  return ask(t, server, 'PUT', `/publisher/${id}`)
}

await t.test(
  'case 1: a channel that is unknown is 404 at once, whether or not a subscriber waits',
  async t => {
    const server = await startHbpush(t)
    for (const path of ['/subscriber/a', '/interval/a', '/subscriber/a?channel=b']) {
      const answer = await ask(t, server, 'GET', path)
      t.equal(answer.line, 'HTTP/1.1 404 Not Found', path)
      t.equal(answer.body, 'MSGBUS_NOT_FOUND: There is no such channel\n')
    }
    t.equal((await ask(t, server, 'GET', '/creating/a')).status, 304, 'unless the location makes it')
    t.equal((await poll(t, server, 'a')).status, 304)
  },
)

await t.test('case 2: PUT makes a channel, twice as well as once; 304 has no body', async t => {
  const server = await startHbpush(t)
  t.equal((await create(t, server, 'a')).line, 'HTTP/1.1 200 OK')
  t.equal((await create(t, server, 'a')).line, 'HTTP/1.1 200 OK')
  const connection = await connect(t, server)
  for (let round = 0; round < 2; round++) {
    connection.send(requestText('GET', '/interval/a'))
    const { line, headers } = await connection.readHead()
    t.equal(line, 'HTTP/1.1 304 Not Modified')
    t.notOk(headers.has('content-length'))
    t.notOk(headers.has('content-type'))
  }
  connection.send(requestText('PUT', '/publisher/b', { body: 'ignored' }))
  t.equal((await connection.readAnswer()).status, 200)
  t.same([...(await server.server.bus.channels())], [], 'a body of PUT is published nowhere')
})

await t.test('case 3: a POST with nobody waiting is 202, and a GET delivers it', async t => {
  const server = await startHbpush(t)
  const accepted = await post(t, server, 'a', 'hello world!')
  t.equal(accepted.line, 'HTTP/1.1 202 Accepted')
  t.equal(accepted.headers.get('msgbus-id'), `${server.server.bus.position.epoch}-1`)
  for (const path of ['/subscriber/a', '/interval/a', '/subscriber/a?query=is&no=part']) {
    const { line, headers, body } = await ask(t, server, 'GET', path)
    t.equal(line, 'HTTP/1.1 200 OK')
    t.equal(body, 'hello world!')
    t.equal(headers.get('content-type'), 'text/plain')
    t.equal(headers.get('etag'), '0')
    t.equal(headers.get('last-modified'), DATE)
    t.equal(headers.get('vary'), 'If-Modified-Since, If-None-Match')
    t.notOk(headers.has('msgbus-resume'))
    t.ok(headers.has('date'))
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.match(headers.get('content-security-policy'), /^sandbox/)
  }
})

await t.test('case 4: a chain of GETs that send back what they got has every message in order', async t => {
  const server = await startHbpush(t)
  for (const body of ['0', '1', '2']) await post(t, server, 'a', body)
  const answers = await chain(t, server, 'a')
  t.same(bodiesOf(answers), ['0', '1', '2'])
  t.same(
    answers.map(({ headers }) => [headers.get('last-modified'), headers.get('etag')]),
    [
      [DATE, '0'],
      [DATE, '1'],
      [DATE, '2'],
    ],
  )
  const [last] = answers.slice(-1)
  const waiting = await wait(t, server, 'a', { headers: last === undefined ? [] : validators(last) })
  await post(t, server, 'a', '3')
  t.equal((await waiting.readAnswer()).body, '3', 'and who may wait is held')
})

await t.test('case 5: each second begins with Etag 0', async t => {
  const server = await startHbpush(t)
  for (const passMs of [0, 999, 1, 999, 1, 5000]) {
    server.clock.nowMs += passMs
    await post(t, server, 'a', 'x')
  }
  const etags = (await chain(t, server, 'a')).map(({ headers }) => headers.get('etag'))
  t.same(etags, ['0', '1', '0', '1', '0', '0'])
})

await t.test('case 6: all who wait get the message, and its publisher 201', async t => {
  const server = await startHbpush(t)
  await create(t, server, 'a')
  const waiters = [await wait(t, server, 'a'), await wait(t, server, 'a', { count: 2 })]
  t.equal((await post(t, server, 'a', 'hello')).line, 'HTTP/1.1 201 Created')
  for (const waiter of waiters) t.match(await waiter.readAnswer(), { status: 200, body: 'hello' })
})

await t.test('case 7: when they have left, it is 202', async t => {
  const server = await startHbpush(t)
  await create(t, server, 'a')
  const waiter = await wait(t, server, 'a')
  t.equal((await post(t, server, 'a', '1')).status, 201)
  t.equal((await waiter.readAnswer()).body, '1')
  t.equal((await post(t, server, 'a', '2')).status, 202)
})

await t.test('case 8: who closed its connection while it waited does not count', async t => {
  const server = await startHbpush(t)
  await create(t, server, 'a')
  for (const leave of ['destroy', 'end', 'resetAndDestroy'] as const) {
    const waiter = await wait(t, server, 'a')
    waiter.socket[leave]()
    await untilWaiting(server, 0)
    t.equal((await post(t, server, 'b', 'x')).status, 202, leave)
    t.equal((await create(t, server, 'a')).body.split('\n')[1], 'active subscribers: 0')
  }
})

await t.test('case 9: where a POST makes no channels it is 404 until there is one', async t => {
  const server = await startHbpush(t)
  const request = { headers: ['Content-Type: text/plain'], body: 'x' }
  const refused = await ask(t, server, 'POST', '/strict/a', request)
  t.equal(refused.status, 404)
  t.equal(refused.headers.get('connection'), 'close', 'a body may be on its way')
  t.equal(server.server.bus.position.seq, 0)
  await create(t, server, 'a')
  t.equal((await ask(t, server, 'POST', '/strict/a', request)).status, 202)
})

await t.test('case 10: DELETE of an unknown channel is 404; of another, all who wait get 410', async t => {
  const server = await startHbpush(t)
  t.equal((await ask(t, server, 'DELETE', '/publisher/a')).status, 404)
  await create(t, server, 'a')
  const waiters = [await wait(t, server, 'a'), await wait(t, server, 'a', { count: 2 })]
  t.equal((await ask(t, server, 'DELETE', '/publisher/a')).line, 'HTTP/1.1 200 OK')
  for (const waiter of waiters) {
    t.match(await waiter.readAnswer(), { line: 'HTTP/1.1 410 Gone', body: /^MSGBUS_GONE: / })
  }
  for (const path of ['/subscriber/a', '/interval/a', '/publisher/a']) {
    t.equal((await ask(t, server, 'GET', path)).status, 404, path)
  }
  t.equal((await ask(t, server, 'DELETE', '/publisher/a')).status, 404)
})

await t.test('case 11: positions that are none are 400; an Etag may have quotes', async t => {
  const server = await startHbpush(t)
  for (const body of ['0', '1']) await post(t, server, 'a', body)
  const date = `If-Modified-Since: ${DATE}`
  for (const line of [
    ...['abcd', '"', '"0', '0"', '1.5', '-2', '*', '0, 1', 'w/"0"', '99999999999999999', 'e-1'].map(
      etag => `If-None-Match: ${etag}`,
    ),
    ...['abcd', '0', '1700000000', '2023-11-14T22:13:20Z', `${DATE} x`, 'Tue, 31 Feb 2023 22:13:20 GMT'].map(
      text => `If-Modified-Since: ${text}`,
    ),
  ]) {
    for (const more of [[], line.startsWith('If-None') ? [date] : ['If-None-Match: 0']]) {
      const answer = await poll(t, server, 'a', [line, ...more])
      t.equal(answer.status, 400, line)
      t.match(answer.body, /^MSGBUS_CURSOR: Cannot read "If-/)
    }
  }
  for (const etag of ['0', '"0"', 'W/"0"']) {
    t.equal((await poll(t, server, 'a', [date, `If-None-Match: ${etag}`])).body, '1', etag)
  }
  t.equal((await poll(t, server, 'a', [date, 'If-None-Match: -1'])).body, '0')
  t.equal((await poll(t, server, 'a', [date, date])).status, 400, 'two of them')
})

await t.test('case 12: a date alone is the first message of its second', async t => {
  const server = await startHbpush(t)
  await post(t, server, 'a', 'before')
  server.clock.nowMs += 1000
  for (const body of ['0', '1']) await post(t, server, 'a', body)
  const later = 'If-Modified-Since: Tue, 14 Nov 2023 22:13:21 GMT'
  t.equal((await poll(t, server, 'a', [later])).body, '0')
  t.equal((await poll(t, server, 'a', [`If-Modified-Since: ${DATE}`])).body, 'before')
  t.equal((await poll(t, server, 'a', ['If-Modified-Since: Thu Jan  1 00:00:00 1970'])).body, 'before')
  t.equal((await poll(t, server, 'a', ['If-Modified-Since: Friday, 14-Nov-25 22:13:21 GMT'])).status, 304)
})

await t.test('case 13: an Etag alone is the oldest message', async t => {
  const server = await startHbpush(t)
  for (const body of ['0', '1']) await post(t, server, 'a', body)
  for (const etag of ['0', '1', '99']) {
    t.equal((await poll(t, server, 'a', [`If-None-Match: ${etag}`])).body, '0')
  }
})

await t.test('case 14: a POST without a Content-Type is bytes', async t => {
  const server = await startHbpush(t)
  t.equal((await ask(t, server, 'POST', '/publisher/a', { body: 'x' })).status, 202)
  const answer = await poll(t, server, 'a')
  t.equal(answer.body, 'x')
  t.equal(answer.headers.get('content-type'), 'application/octet-stream')
})

await t.test('case 15: an id of any bytes is made, published to, read and deleted', async t => {
  const server = await startHbpush(t)
  for (const id of [
    'abc%20%C3%A9%0Afg%09hi%00po',
    '%FF%fe',
    '%2F',
    '%',
    'a//b',
    '/',
    'a/',
    '..',
    'a%2Fb',
    'x'.repeat(255),
  ]) {
    t.equal((await create(t, server, id)).status, 200, id)
    t.equal((await post(t, server, id, id)).status, 202)
    t.equal((await poll(t, server, id)).body, id)
    t.equal((await ask(t, server, 'DELETE', `/publisher/${id}`)).status, 200)
    t.equal((await poll(t, server, id)).status, 404)
  }
  t.equal((await create(t, server, 'x'.repeat(256))).status, 400)
})

await t.test('case 16: every body is delivered exactly', async t => {
  const server = await startHbpush(t)
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1')
  const bodies = ['', everyByte, '\0', '\r\n\r\n', everyByte.repeat(1000)]
  for (const body of bodies) await post(t, server, 'a', body)
  t.same(bodiesOf(await chain(t, server, 'a')), bodies)
  const connection = await connect(t, server)
  connection.send(
    `${requestText('POST', '/publisher/b', { headers: ['Transfer-Encoding: chunked'] })}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`,
  )
  t.equal((await connection.readAnswer()).status, 202)
  t.equal((await poll(t, server, 'b')).body, 'abcde', 'in chunks')
  t.equal((await ask(t, server, 'POST', '/publisher/c')).status, 202)
  t.match(await poll(t, server, 'c'), { status: 200, body: '' }, 'no body is an empty one')
})

await t.test('case 17: methods that a location does not have are 405, with those that it has', async t => {
  const server = await startHbpush(t)
  const body = 'x'
  for (const [method, path, allow] of [
    ['POST', '/subscriber/a', 'GET'],
    ['PUT', '/subscriber/a', 'GET'],
    ['DELETE', '/subscriber/a', 'GET'],
    ['HEAD', '/subscriber/a', 'GET'],
    ['OPTIONS', '/interval/a', 'GET'],
    ['HEAD', '/publisher/a', 'GET, POST, PUT, DELETE'],
    ['OPTIONS', '/publisher/a', 'GET, POST, PUT, DELETE'],
    ['PATCH', '/publisher/a', 'GET, POST, PUT, DELETE'],
    ['TRACE', '/publisher/a', 'GET, POST, PUT, DELETE'],
  ] as const) {
    const answer = await ask(t, server, method, path, method === 'POST' ? { body } : {})
    t.equal(answer.line, 'HTTP/1.1 405 Method Not Allowed', method)
    t.equal(answer.headers.get('allow'), allow)
    t.equal(answer.headers.get('connection'), method === 'POST' ? 'close' : 'keep-alive')
  }
})

await t.test('case 18: the first location that fits a path has it, whatever the method', async t => {
  const server = await startHbpush(t, { hbpush: [subscriberAt('/(.+)'), publisherAt('/pub/(.+)')] })
  t.equal((await ask(t, server, 'POST', '/pub/x', { body: 'x' })).status, 405)
  t.equal((await ask(t, server, 'GET', '/pub/x')).status, 404)
  const other = await startHbpush(t, { hbpush: [publisherAt('/pub/(.+)'), subscriberAt('/(.+)')] })
  t.equal((await ask(t, other, 'POST', '/pub/x', { body: 'x' })).status, 202)
  t.equal((await ask(t, other, 'GET', '/x')).body, 'x')
  t.equal((await ask(t, other, 'GET', '/msgbus/x?poll&as=ndjson')).status, 200, 'prefixes come before')
})

await t.test('case 19: a location may be any pattern with a group', async t => {
  const server = await startHbpush(t, { hbpush: [publisherAt('/c/(\\d+)/pub/')] })
  t.equal((await ask(t, server, 'PUT', '/c/12/pub/')).status, 200)
  for (const path of ['/c/ab/pub/', '/c/12/pub/x', '/x/c/12/pub/', '/c/12/pub', '/publisher/x']) {
    t.equal((await ask(t, server, 'PUT', path)).status, 404, path)
  }
  const none = await startHbpush(t, { hbpush: [] })
  t.equal((await ask(t, none, 'PUT', '/publisher/x')).status, 404)
  const byDefault = await start(t)
  t.equal((await ask(t, byDefault, 'POST', '/publisher/x', { body: 'y' })).status, 202)
  t.equal((await ask(t, byDefault, 'GET', '/subscriber/x')).body, 'y')
})

await t.test(
  'case 20: locations on one store share their channels, on different ones they do not',
  async t => {
    const other = new MemoryStore()
    const server = await startHbpush(t, {
      stores: new Map([['other', other]]),
      hbpush: [
        publisherAt('/c/(\\d+)/pub/'),
        subscriberAt('/int/(\\d+)', { isLong: false }),
        publisherAt('/other/pub/(.+)', { store: 'other' }),
        subscriberAt('/other/sub/(.+)', { store: 'other', isLong: false }),
      ],
    })
    t.equal((await ask(t, server, 'POST', '/c/12/pub/', { body: 'x' })).status, 202)
    t.equal((await ask(t, server, 'GET', '/int/12')).body, 'x')
    t.equal((await ask(t, server, 'GET', '/other/sub/12')).status, 404)
    t.equal((await ask(t, server, 'POST', '/other/pub/12', { body: 'y' })).status, 202)
    t.equal((await ask(t, server, 'GET', '/other/sub/12')).body, 'y')
    t.equal((await ask(t, server, 'GET', '/int/12')).body, 'x')
    t.equal(server.server.bus.position.seq, 1)
    await server.server.close()
    t.throws(() => other.append([]), { code: 'MSGBUS_CLOSED' }, 'it is closed with the server')
    const hbpush = [publisherAt('/(.+)', { store: 'missing' })]
    t.throws(() => createServer({ hbpush }), RangeError)
    t.throws(() => createServer({ stores: new Map([['default', new MemoryStore()]]) }), RangeError)
  },
)

await t.test('case 21: a publisher is told about its channel, in text or JSON', async t => {
  const server = await startHbpush(t)
  t.equal((await ask(t, server, 'GET', '/publisher/a')).status, 404)
  const empty = await create(t, server, 'a')
  t.equal(empty.body, 'Channel a with last message 0:-1::\nactive subscribers: 0\n')
  await wait(t, server, 'a')
  // It gets the first of them; the other one waits for what is yet to come.
  await wait(t, server, 'a', { headers: ['If-Modified-Since: Fri, 14 Nov 2025 22:13:21 GMT'], count: 2 })
  for (const [body, etag] of [
    ['x', 0],
    ['y', 1],
  ] as const) {
    const told = await post(t, server, 'a', body)
    const text = `Channel a with last message 1700000000:${etag}::\nactive subscribers: 1\n`
    t.equal(told.headers.get('content-type'), 'text/plain; charset=utf-8')
    t.equal(told.body, text)
    t.equal((await ask(t, server, 'GET', '/publisher/a')).body, text)
  }
  const headers = ['Accept: application/json']
  const id = `${server.server.bus.position.epoch}-2`
  const json = await ask(t, server, 'GET', '/publisher/a', { headers })
  t.equal(json.headers.get('content-type'), 'application/json')
  const last = { second: 1_700_000_000, etag: 1, id }
  t.same(JSON.parse(json.body), { channel: 'a', last, subscribers: 1 })
  const page = await ask(t, server, 'PUT', '/publisher/<b>', { headers })
  t.same(JSON.parse(page.body), { channel: '<b>', last: null, subscribers: 0 })
  t.match(
    (await ask(t, server, 'DELETE', '/publisher/a')).body,
    /^Channel a with last message 1700000000:1::/,
  )
})

await t.test('case 22: a clock that is set back changes no order', async t => {
  const server = await startHbpush(t)
  for (const [body, passMs] of [
    ['0', 0],
    ['1', -10_000],
    ['2', 5000],
    ['3', 6000],
  ] as const) {
    server.clock.nowMs += passMs
    await post(t, server, 'a', body)
  }
  const answers = await chain(t, server, 'a')
  t.same(bodiesOf(answers), ['0', '1', '2', '3'])
  t.same(
    answers.map(({ headers }) => headers.get('etag')),
    ['0', '1', '2', '0'],
  )
})

await t.test('case 23: the answer to one who waited has the headers of one that was there', async t => {
  const server = await startHbpush(t)
  await create(t, server, 'a')
  const waiter = await wait(t, server, 'a')
  await post(t, server, 'a', 'x')
  const waited = await waiter.readAnswer()
  const there = await ask(t, server, 'GET', '/subscriber/a')
  t.same([...waited.headers.keys()], [...there.headers.keys()])
  for (const name of ['etag', 'last-modified', 'content-type', 'vary', 'content-length']) {
    t.equal(waited.headers.get(name), there.headers.get(name), name)
  }
})

await t.test('case 24: over HTTP/1.0 an answer ends the connection, over HTTP/1.1 it lives on', async t => {
  const server = await startHbpush(t)
  await create(t, server, 'a')
  const old = await connect(t, server)
  old.send(requestText('GET', '/subscriber/a', { version: '1.0' }))
  await untilWaiting(server, 1)
  const poller = await connect(t, server)
  const ask = async (path: string, headers: readonly string[] = []) => {
    poller.send(requestText('GET', path, { headers }))
    if (path.startsWith('/subscriber/')) await untilWaiting(server, 2)
  }
  await ask('/subscriber/a')
  await post(t, server, 'a', 'x')
  const first = await poller.readAnswer()
  t.equal(first.body, 'x')
  t.equal((await old.readAnswer()).body, 'x')
  t.equal(await old.readToEnd(), '')
  await ask('/interval/a', validators(first))
  t.equal((await poller.readAnswer()).status, 304)
  const another = await wait(t, server, 'a', { headers: validators(first) })
  await ask('/subscriber/a', validators(first))
  put(server, 'a', '', { type: 'application/vnd.msgbus.deleted' })
  t.equal((await poller.readAnswer()).status, 410)
  t.equal((await another.readAnswer()).status, 410)
  await ask('/interval/a')
  t.equal((await poller.readAnswer()).status, 404)
  await ask('/interval/a', ['If-None-Match: x'])
  t.equal((await poller.readAnswer()).status, 400)
  await post(t, server, 'a', 'y')
  await ask('/interval/a')
  t.equal((await poller.readAnswer()).body, 'y')
})

await t.test('case 25: nine POSTs at once to a new channel are all taken, in some order', async t => {
  const server = await startHbpush(t)
  const bodies = Array.from({ length: 9 }, (_, at) => `${at}`)
  const answers = await Promise.all(bodies.map(body => post(t, server, 'a', body)))
  t.ok(answers.every(({ status }) => status === 202))
  t.same(bodiesOf(await chain(t, server, 'a')).toSorted(), bodies)
})

await t.test('a page of a listed origin may do all of it, and one of another nothing', async t => {
  const origin = 'https://good.example'
  const server = await startHbpush(t, { allowedOrigins: [origin] })
  for (const [path, allow] of [
    ['/publisher/a', 'GET, POST, PUT, DELETE'],
    ['/subscriber/a', 'GET'],
  ] as const) {
    const preflight = await ask(t, server, 'OPTIONS', path, { headers: [`Origin: ${origin}`] })
    t.equal(preflight.status, 204)
    t.equal(preflight.headers.get('allow'), allow)
    t.match(preflight.headers.get('access-control-allow-methods'), /\bPUT, DELETE\b/)
    t.match(preflight.headers.get('access-control-allow-headers'), /\bIf-Modified-Since, If-None-Match\b/)
    t.match(preflight.headers.get('access-control-expose-headers'), /\bEtag, Last-Modified\b/)
  }
  const foreign = { headers: ['Origin: https://bad.example'], body: 'x' }
  t.equal((await ask(t, server, 'POST', '/publisher/a', foreign)).status, 403)
  t.equal((await ask(t, server, 'PUT', '/publisher/a', foreign)).status, 403)
})

await t.test('what cannot be published is refused as everywhere', async t => {
  const server = await startHbpush(t, { maxBodyBytes: 10 })
  const text = 'Content-Type: text/plain'
  for (const [headers, body, status] of [
    [[text], 'x'.repeat(11), 413],
    [[text, 'Content-Encoding: gzip'], 'x', 415],
    [['Content-Type: a\tb\x80'], 'x', 400],
    [[text], server.server.bus.boundary.slice(0, 10), 202],
  ] as const) {
    t.equal((await ask(t, server, 'POST', '/publisher/a', { headers, body })).status, status)
  }
  const large = await startHbpush(t)
  t.equal((await post(t, large, 'a', large.server.bus.boundary)).status, 400)
  const password = await startHbpush(t, { password: 'x' })
  t.equal((await ask(t, password, 'PUT', '/publisher/a')).status, 401)
})

await t.test('a publish may wait for the word to go on', async t => {
  const server = await startHbpush(t)
  const connection = await connect(t, server)
  connection.send(
    requestText('POST', '/publisher/a', { headers: ['Expect: 100-continue', 'Content-Length: 1'] }),
  )
  t.equal((await connection.readHead()).line, 'HTTP/1.1 100 Continue')
  connection.send('x')
  t.equal((await connection.readAnswer()).status, 202)
})

await t.test('a server that is given its bus keeps it open', async t => {
  const bus = new Bus()
  const server = createServer({ bus })
  await server.close(0)
  await bus.publish({ channel: 'a', type: 'a/b', sender: null, body: Buffer.alloc(0) })
  t.equal(bus.position.seq, 1)
})
