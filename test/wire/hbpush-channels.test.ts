// What hbpush shares with everybody else on the bus, and who waits: messages of other protocols, deletion and what it hides,
// and that nobody who waited leaves anything behind.

import t from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { LaterStore } from '../store/later-store.ts'
import {
  bodiesOf,
  chain,
  LOCATIONS,
  poll,
  post,
  startHbpush,
  untilWaiting,
  validators,
  wait,
} from './hbpush.ts'
import { ask, basic, connect, get, publish, put, requestText, start, subscribe } from './server.ts'

const TOMBSTONE = 'application/vnd.msgbus.deleted'

await t.test(
  'a message of a publisher of hbpush reaches native readers, and the other way round',
  async t => {
    const server = await startHbpush(t)
    const { boundary } = server.server.bus
    const reader = await subscribe(t, server, '/msgbus/a/b%20c')
    const headers = ['Content-Type: image/gif', basic('dug')]
    t.equal((await ask(t, server, 'POST', '/publisher/a/b%20c', { headers, body: 'GIF' })).status, 202)
    const part = await reader.readPart(boundary)
    t.equal(part.body, 'GIF')
    t.equal(part.headers.get('content-type'), 'image/gif')
    t.equal(part.headers.get('from'), 'dug')
    const waiter = await wait(t, server, 'a/b%20c', {
      headers: ['If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT', 'If-None-Match: 0'],
      count: 2,
    })
    await publish(t, server, '/msgbus/a/b%20c', 'native', { type: 'text/plain' })
    const answer = await waiter.readAnswer()
    t.equal(answer.body, 'native')
    t.equal(answer.headers.get('etag'), '1', 'it counts among all messages of the channel')
    t.equal((await post(t, server, 'a/b%20c', 'x')).status, 202, 'a native reader does not count as waiting')
  },
)

await t.test('a channel exists as soon as anybody has published to it', async t => {
  const server = await startHbpush(t)
  put(server, 'a', 'native')
  t.equal((await poll(t, server, 'a')).body, 'native')
  t.equal((await ask(t, server, 'GET', '/publisher/a')).status, 200)
  t.equal((await ask(t, server, 'POST', '/strict/a', { body: 'x' })).status, 202)
  t.equal((await ask(t, server, 'DELETE', '/publisher/a')).status, 200)
})

await t.test(
  'to delete hides what was there from hbpush alone, and everybody else sees it happen',
  async t => {
    const server = await startHbpush(t)
    for (const body of ['0', '1']) await post(t, server, 'a', body)
    const { stream } = await get(t, server, '/msgbus/a?as=ndjson')
    const headers = [basic('dug')]
    t.equal((await ask(t, server, 'DELETE', '/publisher/a', { headers, body: 'ignored' })).status, 200)
    t.match(JSON.parse(await stream.readChunk()), { type: TOMBSTONE, sender: 'dug', base64: '' })
    t.equal((await poll(t, server, 'a')).status, 404)
    t.equal(
      (await ask(t, server, 'PUT', '/publisher/a')).body.split('\n')[0],
      'Channel a with last message 0:-1::',
    )
    t.equal((await poll(t, server, 'a')).status, 304)
    await post(t, server, 'a', '2')
    const answers = await chain(t, server, 'a')
    t.same(bodiesOf(answers), ['2'])
    t.equal(answers[0]?.headers.get('etag'), '3', 'no Etag comes twice within a second')
    const history = await ask(t, server, 'GET', '/msgbus/a?poll&as=ndjson')
    t.equal(history.body.trimEnd().split('\n').length, 4)
  },
)

await t.test('a channel is deleted again and again, and only what is newer is seen', async t => {
  const server = await startHbpush(t, {}, { maxCount: 10_000 })
  for (let round = 0; round < 5; round++) {
    for (let at = 0; at < 300; at++) put(server, 'a', `${round} ${at}`)
    t.equal((await poll(t, server, 'a')).body, `${round} 0`)
    t.equal((await ask(t, server, 'DELETE', '/publisher/a')).status, 200)
    t.equal((await poll(t, server, 'a')).status, 404)
  }
})

await t.test('of several deletions that nobody has looked at yet the newest counts', async t => {
  const server = await startHbpush(t)
  for (const type of ['a/b', TOMBSTONE, 'a/b', TOMBSTONE, 'a/b']) put(server, 'a', type, { type })
  t.equal((await chain(t, server, 'a')).length, 1)
})

await t.test('whoever reads while a channel is deleted gets no tombstone', async t => {
  const bus = new Bus({ store: new LaterStore(new MemoryStore()) })
  const server = await start(t, { bus, hbpush: LOCATIONS })
  const future = ['If-Modified-Since: Sat, 01 Jan 2033 00:00:00 GMT']
  for (let turnCount = 0; turnCount < 40; turnCount++) {
    const id = `${turnCount}`
    await bus.publish({ channel: id, type: 'a/b', sender: null, body: Buffer.from('x') })
    const behind = validators(await poll(t, server, id))
    const answers = [poll(t, server, id, behind), poll(t, server, id, future)]
    for (let turn = 0; turn < turnCount; turn++) await new Promise(setImmediate)
    await bus.publish({ channel: id, type: TOMBSTONE, sender: null, body: Buffer.alloc(0) })
    for (const { status } of await Promise.all(answers)) t.ok([304, 404, 410].includes(status), `${status}`)
    t.equal((await poll(t, server, id, behind)).status, 404)
  }
})

await t.test(
  'a position of an earlier life is before everything of the new one, and misses nothing',
  async t => {
    const server = await startHbpush(t, {}, { maxCount: 3 })
    for (const body of ['0', '1', '2', '3', '4']) await post(t, server, 'a', body)
    await ask(t, server, 'DELETE', '/publisher/a')
    for (const body of ['5', '6']) await post(t, server, 'a', body)
    const headers = ['If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT', 'If-None-Match: 0']
    const answer = await poll(t, server, 'a', headers)
    t.equal(answer.body, '5')
    t.notOk(answer.headers.has('msgbus-resume'))
    for (const body of ['7', '8']) await post(t, server, 'a', body)
    const next = await poll(t, server, 'a', headers)
    t.equal(next.body, '6')
    t.equal(next.headers.get('msgbus-resume'), 'gap; missed=1')
    t.notOk((await poll(t, server, 'a')).headers.has('msgbus-resume'), 'of no position nothing is missing')
  },
)

await t.test('what another server deletes on the same history is deleted here', async t => {
  const bus = new Bus({ store: new MemoryStore() })
  const one = await start(t, { bus, hbpush: LOCATIONS })
  const other = await start(t, { bus, hbpush: LOCATIONS })
  t.equal((await ask(t, one, 'PUT', '/publisher/a')).status, 200)
  const waiter = await wait(t, one, 'a')
  await post(t, other, 'b', 'x')
  t.equal((await poll(t, one, 'b')).body, 'x')
  put(other, 'a', '', { type: TOMBSTONE })
  t.equal((await waiter.readAnswer()).status, 410)
  t.equal((await poll(t, one, 'a')).status, 404)
  t.equal((await ask(t, other, 'DELETE', '/publisher/b')).status, 200)
  t.equal((await poll(t, one, 'b')).status, 404)
})

await t.test('what comes in one turn with a deletion is told in order', async t => {
  const server = await startHbpush(t)
  await ask(t, server, 'PUT', '/publisher/a')
  const future = ['If-Modified-Since: Tue, 14 Nov 2033 22:13:20 GMT']
  const [early, late] = [
    await wait(t, server, 'a'),
    await wait(t, server, 'a', { headers: future, count: 2 }),
  ]
  put(server, 'a', 'x')
  put(server, 'a', '', { type: TOMBSTONE })
  put(server, 'a', 'y')
  t.match(await early.readAnswer(), { status: 200, body: 'x' })
  t.equal((await late.readAnswer()).status, 410)
  t.equal((await poll(t, server, 'a')).body, 'y')
})

await t.test(
  'of several messages in one turn the first is the answer, and the others are no delivery',
  async t => {
    const server = await startHbpush(t)
    await ask(t, server, 'PUT', '/publisher/a')
    const waiter = await wait(t, server, 'a')
    const connection = await connect(t, server)
    const text = (body: string) => requestText('POST', '/publisher/a', { body })
    const other = await connect(t, server)
    connection.send(text('1'))
    other.send(text('2'))
    const statuses = [(await connection.readAnswer()).status, (await other.readAnswer()).status]
    t.same(statuses.toSorted(), [201, 202])
    await waiter.readAnswer()
    t.equal((await chain(t, server, 'a')).length, 2)
  },
)

await t.test('1,000 who wait are answered by one publish, and nothing of them is left', async t => {
  const server = await startHbpush(t)
  await ask(t, server, 'PUT', '/publisher/a')
  const connections = await Promise.all(Array.from({ length: 1000 }, () => connect(t, server)))
  for (const connection of connections) connection.send(requestText('GET', '/subscriber/a'))
  await untilWaiting(server, 1000)
  const info = await ask(t, server, 'GET', '/publisher/a', { headers: ['Accept: application/json'] })
  t.match(JSON.parse(info.body), { subscribers: 1000 })
  t.equal((await post(t, server, 'a', 'wake up')).status, 201)
  const answers = await Promise.all(connections.map(connection => connection.readAnswer()))
  t.ok(answers.every(({ status, body }) => status === 200 && body === 'wake up'))
  t.same([...server.server.bus.subscriberCounts()], [])
  t.match((await ask(t, server, 'PUT', '/publisher/a')).body, /subscribers: 0/)
})

await t.test('a server that closes sends those who wait away, with a word', async t => {
  const server = await startHbpush(t)
  await ask(t, server, 'PUT', '/publisher/a')
  const waiter = await wait(t, server, 'a')
  const closed = server.server.close(60_000)
  const answer = await waiter.readAnswer()
  t.equal(answer.status, 503)
  t.match(answer.body, /^MSGBUS_CLOSED: /)
  t.ok(answer.headers.has('retry-after'))
  await closed
  t.equal(await waiter.readToEnd(), '')
})

await t.test('who waits with a body of its own is seen to leave', async t => {
  const server = await startHbpush(t)
  await ask(t, server, 'PUT', '/publisher/a')
  const connection = await connect(t, server)
  connection.send(requestText('GET', '/subscriber/a', { headers: ['Content-Length: 5'] }))
  await untilWaiting(server, 1)
  connection.socket.destroy()
  await untilWaiting(server, 0)
  t.notOk(server.log.events.some(({ name }) => name.endsWith('.fault')))
})

await t.test('who asks behind a request that is not answered yet is answered after it', async t => {
  const server = await startHbpush(t)
  await ask(t, server, 'PUT', '/publisher/a')
  const connection = await connect(t, server)
  connection.send(requestText('GET', '/subscriber/a') + requestText('POST', '/publisher/b', { body: 'x' }))
  await untilWaiting(server, 1)
  t.equal((await poll(t, server, 'b')).status, 404, 'it is not carried out yet')
  await post(t, server, 'a', 'first')
  t.equal((await connection.readAnswer()).body, 'first')
  t.equal((await connection.readAnswer()).status, 202)
})

await t.test('a message that is too large for what is kept reaches those who wait', async t => {
  const server = await startHbpush(t, {}, { maxCount: 0 })
  await ask(t, server, 'PUT', '/publisher/a')
  const waiter = await wait(t, server, 'a')
  t.equal((await post(t, server, 'a', 'x')).status, 201)
  t.equal((await waiter.readAnswer()).body, 'x')
  t.equal((await poll(t, server, 'a')).status, 304)
})
