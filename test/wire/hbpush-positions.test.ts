// Where a subscriber of hbpush goes on: over gaps, restarts and deletions, behind moments that are yet to come, and over
// several channels at once. Never a silent skip.

import t, { type Test } from 'tap'
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
  startOnFile,
  subscriberAt,
  untilWaiting,
  validators,
  wait,
} from './hbpush.ts'
import { type Answer, ask, connect, put, requestText, start, type TestServer } from './server.ts'

function resumeOf({ headers }: Pick<Answer, 'headers'>): string | undefined {
  return headers.get('msgbus-resume')
}

await t.test('what is gone behind a position is told with the next message, and its number', async t => {
  const server = await startHbpush(t, {}, { maxCount: 2 })
  await post(t, server, 'a', '0')
  const first = await poll(t, server, 'a')
  t.equal(resumeOf(first), undefined)
  for (const [body, passMs] of [
    ['1', 0],
    ['2', 1000],
    ['3', 0],
    ['4', 0],
  ] as const) {
    server.clock.nowMs += passMs
    await post(t, server, 'a', body)
    await post(t, server, 'elsewhere', body)
  }
  const next = await poll(t, server, 'a', validators(first))
  t.equal(next.body, '3')
  t.equal(resumeOf(next), 'gap; missed=2')
  const last = await poll(t, server, 'a', validators(next))
  t.equal(last.body, '4')
  t.equal(resumeOf(last), undefined)
  t.equal(resumeOf(await poll(t, server, 'a')), undefined, 'the oldest that is kept misses nothing')
})

await t.test('a gap with nothing behind it is told, too, and to one who waited', async t => {
  const server = await startHbpush(t, {}, { maxCount: 1, maxAgeMs: 5000 })
  await post(t, server, 'a', '0')
  const first = await poll(t, server, 'a')
  await post(t, server, 'a', '1')
  server.clock.nowMs += 6000
  const none = await poll(t, server, 'a', validators(first))
  t.equal(none.status, 304, 'it was published to here, and is known')
  t.equal(resumeOf(none), 'gap; missed=1')
  const waiter = await wait(t, server, 'a', { headers: validators(first) })
  await post(t, server, 'a', '2')
  const answer = await waiter.readAnswer()
  t.equal(answer.body, '2')
  t.equal(resumeOf(answer), 'gap; missed=1')
})

await t.test(
  'a position of the future waits for what is greater, and is not served anything less',
  async t => {
    const server = await startHbpush(t)
    await post(t, server, 'a', '0')
    const future = ['If-Modified-Since: Tue, 14 Nov 2023 22:13:30 GMT', 'If-None-Match: 1']
    t.equal((await poll(t, server, 'a', future)).status, 304)
    const waiter = await wait(t, server, 'a', { headers: future })
    t.equal((await post(t, server, 'a', '1')).status, 202, 'it does not count')
    server.clock.nowMs += 10_000
    t.equal((await post(t, server, 'a', '2')).status, 202)
    t.equal((await post(t, server, 'a', '3')).status, 202)
    t.equal((await poll(t, server, 'a', future)).status, 304)
    t.equal((await post(t, server, 'a', '4')).status, 201)
    t.equal((await waiter.readAnswer()).body, '4')
    t.equal((await poll(t, server, 'a', future)).body, '4')
  },
)

await t.test('positions hold over a restart with the clock set back, and so do deletions', async t => {
  const path = `${t.testdir()}/store`
  const clock = { nowMs: 1_700_000_000_000 }
  const options = { now: () => clock.nowMs }
  const before = await startOnFile(t, path, options)
  for (const body of ['0', '1']) await post(t, before, 'a', body)
  const first = await poll(t, before, 'a')
  for (const id of ['gone', 'again']) await post(t, before, id, 'x')
  await ask(t, before, 'DELETE', '/publisher/gone')
  await ask(t, before, 'DELETE', '/publisher/again')
  await post(t, before, 'again', 'y')
  await before.close()
  clock.nowMs -= 3600_000
  const after = await startOnFile(t, path, options)
  t.equal((await poll(t, after, 'a', validators(first))).body, '1')
  await post(t, after, 'a', '2')
  const answers = await chain(t, after, 'a')
  t.same(bodiesOf(answers), ['0', '1', '2'])
  t.same(
    answers.map(({ headers }) => headers.get('etag')),
    ['0', '1', '2'],
  )
  t.equal((await poll(t, after, 'gone')).status, 404)
  t.same(bodiesOf(await chain(t, after, 'again')), ['y'])
  await after.close()
})

await t.test('what went before a restart is a reset, since nobody can tell how much it was', async t => {
  const path = `${t.testdir()}/store`
  const options = { now: () => 1_700_000_000_000, maxCount: 1 }
  const before = await startOnFile(t, path, options)
  await post(t, before, 'a', '0')
  const first = await poll(t, before, 'a')
  for (const body of ['1', '2']) await post(t, before, 'a', body)
  const last = await poll(t, before, 'a', validators(first))
  t.equal(resumeOf(last), 'gap; missed=1')
  await before.close()
  const after = await startOnFile(t, path, options)
  const next = await poll(t, after, 'a', validators(first))
  t.equal(next.body, '2')
  t.equal(resumeOf(next), 'reset')
  const none = await poll(t, after, 'a', validators(last))
  t.equal(none.status, 304)
  t.equal(resumeOf(none), undefined)
  await after.close()
})

await t.test('over a store that answers later, a chain and a wait are the same', async t => {
  const bus = new Bus({ store: new LaterStore(new MemoryStore({ maxCount: 1000 })) })
  const server = await start(t, { bus, hbpush: LOCATIONS })
  const bodies = Array.from({ length: 300 }, (_, at) => `${at}`)
  for (const body of bodies) {
    void bus.publish({ channel: 'a', type: 'a/b', sender: null, body: Buffer.from(body) })
  }
  t.equal((await post(t, server, 'a', 'last')).status, 202)
  const answers = await chain(t, server, 'a')
  t.same(bodiesOf(answers), [...bodies, 'last'])
  const end = answers.at(-1)
  const waiter = await wait(t, server, 'a', { headers: end === undefined ? [] : validators(end) })
  t.equal((await post(t, server, 'a', 'next')).status, 201)
  t.equal((await waiter.readAnswer()).body, 'next')
  const gone = await wait(t, server, 'a', { headers: ['If-Modified-Since: Sat, 01 Jan 2033 00:00:00 GMT'] })
  t.equal((await ask(t, server, 'DELETE', '/publisher/a')).status, 200)
  t.equal((await gone.readAnswer()).status, 410)
  t.equal((await poll(t, server, 'a')).status, 404)
})

await t.test('one after the other, waits get every message of a flood, once and in order', async t => {
  const server = await startHbpush(t, {}, { maxCount: 10_000 })
  put(server, 'a', '0')
  const publishing = (async () => {
    for (let number = 1; number < 1000; number++) {
      server.clock.nowMs += number % 3 === 0 ? 400 : 0
      put(server, 'a', `${number}`)
      if (number % 5 === 0) await new Promise(setImmediate)
    }
  })()
  const connection = await connect(t, server)
  const bodies: string[] = []
  let headers: readonly string[] = []
  while (bodies.length < 1000) {
    connection.send(requestText('GET', '/subscriber/a', { headers }))
    const answer = await connection.readAnswer()
    bodies.push(answer.body)
    headers = validators(answer)
  }
  await publishing
  t.same(
    bodies,
    Array.from({ length: 1000 }, (_, at) => `${at}`),
  )
})

/** Asks for several channels behind another answer. */
function pollAll(t: Test, server: TestServer, [first = '', ...others]: readonly string[], last?: Answer) {
  const etag = last?.headers.get('etag')
  const headers = etag === undefined ? [] : [`If-None-Match: ${etag}`]
  const query = others.map(id => `channel=${id}`).join('&')
  return ask(t, server, 'GET', `/interval/${first}?${query}`, { headers })
}

await t.test('several channels are read in their common order, and each answer says which it is', async t => {
  const server = await startHbpush(t)
  const { epoch } = server.server.bus.position
  const ids = ['a', 'b%20c', 'd%2Fe']
  for (const id of [...ids, 'other', ...ids]) await post(t, server, id, id)
  const answers: Answer[] = []
  for (;;) {
    const answer = await pollAll(t, server, ids, answers.at(-1))
    if (answer.status === 304) break
    answers.push(answer)
  }
  t.same(bodiesOf(answers), [...ids, ...ids])
  t.same(
    answers.slice(0, 3).map(({ headers }) => [headers.get('etag'), headers.get('content-location')]),
    [
      [`"${epoch}-1"`, '/msgbus/a'],
      [`"${epoch}-2"`, '/msgbus/b%20c'],
      [`"${epoch}-3"`, '/msgbus/d%252Fe'],
    ],
  )
  const connection = await connect(t, server)
  const etag = answers.at(-1)?.headers.get('etag') ?? ''
  const headers = [`If-None-Match: ${etag}`]
  connection.send(requestText('GET', '/subscriber/a?channel=b%20c&x=y&channel=d%2Fe', { headers }))
  await untilWaiting(server, 3)
  await post(t, server, 'other', 'x')
  t.equal((await post(t, server, 'b%20c', 'live')).status, 201)
  const answer = await connection.readAnswer()
  t.equal(answer.body, 'live')
  t.equal(answer.headers.get('content-location'), '/msgbus/b%20c')
  await untilWaiting(server, 0)
})

await t.test('a gap and a reset over several channels are told', async t => {
  const server = await startHbpush(t, {}, { maxCount: 1 })
  await post(t, server, 'a', '1')
  const first = await pollAll(t, server, ['a', 'a'])
  for (const id of ['b', 'a', 'b', 'a']) await post(t, server, id, id)
  const gap = await pollAll(t, server, ['a', 'b'], first)
  t.equal(gap.body, 'b')
  t.equal(resumeOf(gap), 'gap; missed=2')
  const headers = ['If-None-Match: "0-0"']
  const reset = await ask(t, server, 'GET', '/interval/a?channel=b', { headers })
  t.equal(reset.body, 'b')
  t.equal(resumeOf(reset), 'reset')
  const since = ['If-Modified-Since: Tue, 14 Nov 2023 22:13:21 GMT']
  t.equal((await ask(t, server, 'GET', '/interval/a?channel=b', { headers: since })).status, 304)
})

await t.test('over several channels, one that is unknown is 404, one that is deleted is 410', async t => {
  const server = await startHbpush(t)
  for (const id of ['a', 'b', 'a']) await post(t, server, id, id)
  t.equal((await pollAll(t, server, ['a', 'nobody'])).status, 404)
  await ask(t, server, 'DELETE', '/publisher/a')
  t.equal((await pollAll(t, server, ['a', 'b'])).status, 404)
  await post(t, server, 'a', 'new')
  const first = await pollAll(t, server, ['a', 'b'])
  t.equal(first.body, 'b')
  const second = await pollAll(t, server, ['a', 'b'], first)
  t.equal(second.body, 'new')
  const connection = await connect(t, server)
  const headers = [`If-None-Match: ${second.headers.get('etag')}`]
  connection.send(requestText('GET', '/subscriber/a?channel=b', { headers }))
  await untilWaiting(server, 2)
  await ask(t, server, 'DELETE', '/publisher/b')
  t.equal((await connection.readAnswer()).status, 410)
})

await t.test('positions over several channels that are none, and too many of these, are refused', async t => {
  const server = await startHbpush(t, { hbpush: [...LOCATIONS, subscriberAt('/all/(.+)')] })
  for (const id of ['a', 'b']) await post(t, server, id, id)
  for (const etag of [
    '0',
    '"0"',
    'abcd',
    '"e-1',
    'g-1',
    '"a-01"',
    `a-${'9'.repeat(20)}`,
    `${'a'.repeat(33)}-1`,
  ]) {
    const answer = await ask(t, server, 'GET', '/interval/a?channel=b', {
      headers: [`If-None-Match: ${etag}`],
    })
    t.equal(answer.status, 400, etag)
    t.match(answer.body, /^MSGBUS_CURSOR: Cannot read "If-None-Match"/)
  }
  const channels = Array.from({ length: 64 }, () => 'channel=b').join('&')
  t.equal((await ask(t, server, 'GET', `/interval/a?${channels}`)).status, 400)
  t.equal((await ask(t, server, 'GET', `/interval/a?${channels.slice('channel=b&'.length)}`)).body, 'a')
  t.equal((await ask(t, server, 'GET', '/interval/a?channel=')).status, 400)
})
