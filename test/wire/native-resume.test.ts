// Coming back to a stream: each way to say where to begin, what is told about the place, and that between the past and now
// nothing is missing, doubled or skipped in silence, however fast the others publish and however slowly this one reads.

import t, { type Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../src/store/memory.ts'
import { LaterStore } from '../store/later-store.ts'
import {
  ask,
  certificate,
  type Connection,
  connect,
  connectSecurely,
  get,
  type Head,
  put,
  requestText,
  start,
  type TestServer,
} from './server.ts'

const LOTS: MemoryStoreOptions = { maxCount: 100_000, maxBytes: Infinity, maxTotalBytes: Infinity }

/** A server that keeps history as it is told to. */
function startWith(t: Test, options: MemoryStoreOptions): Promise<TestServer> {
  return start(t, { bus: new Bus({ store: new MemoryStore(options) }) })
}

/** Publishes numbers from 1 on, and returns their ids. */
function fill(server: TestServer, count: number, channel = 'a'): readonly string[] {
  return Array.from({ length: count }, (_, at) => put(server, channel, `${at + 1}`))
}

interface Resumed {
  readonly head: Head
  readonly stream: Connection
  /** Reads the bodies of so many parts. */
  readonly bodies: (count: number) => Promise<readonly string[]>
}

async function resume(
  t: Test,
  server: TestServer,
  path: string,
  headers: readonly string[] = [],
): Promise<Resumed> {
  const { stream, head } = await get(t, server, path, { headers })
  if (head.status === 200) await stream.readChunk()
  const bodies = async (count: number): Promise<readonly string[]> => {
    const found: string[] = []
    while (found.length < count) found.push((await stream.readPart(server.server.bus.boundary)).body)
    return found
  }
  return { head, stream, bodies }
}

/** Asserts what comes first, and that what is published then comes next. */
async function expectBodies(
  t: Test,
  server: TestServer,
  resumed: Resumed,
  wanted: readonly string[],
  name = '',
) {
  put(server, 'a', 'live')
  t.same(await resumed.bodies(wanted.length + 1), [...wanted, 'live'], name)
}

function positionOf({ headers }: Head): string | undefined {
  return headers.get('msgbus-position')
}

function resumeOf({ headers }: Head): string | undefined {
  return headers.get('msgbus-resume')
}

function seqOf(id: string): number {
  return Number(id.split('-')[1])
}

await t.test('a stream that asks for nothing begins now, and says where that is', async t => {
  const server = await startWith(t, LOTS)
  const empty = await resume(t, server, '/msgbus/a')
  const epoch = server.server.bus.position.epoch
  t.equal(positionOf(empty.head), `${epoch}-0`)
  const [, , id = ''] = fill(server, 3)
  const { head } = await resume(t, server, '/msgbus/other')
  t.equal(positionOf(head), id)
  t.notOk(head.headers.has('msgbus-resume'))
  t.same(await empty.bodies(3), ['1', '2', '3'])
})

await t.test('after the position that a stream began with comes what it would have got', async t => {
  const server = await startWith(t, LOTS)
  const { head, stream } = await resume(t, server, '/msgbus/a')
  stream.socket.destroy()
  fill(server, 3)
  const again = await resume(t, server, `/msgbus/a?since=${positionOf(head)}`)
  t.equal(resumeOf(again.head), 'ok')
  t.equal(positionOf(again.head), positionOf(head))
  await expectBodies(t, server, again, ['1', '2', '3'])
})

await t.test('since and Last-Event-ID take an id, and what follows it comes', async t => {
  const server = await startWith(t, LOTS)
  const ids = fill(server, 5)
  for (const [at, id] of ids.entries()) {
    for (const [path, headers] of [
      [`/msgbus/a?since=${id}`, []],
      ['/msgbus/a', [`Last-Event-ID: ${id}`]],
      [`/msgbus/a?since=${id}`, [`Last-Event-ID: ${ids[0]}`]],
      [`/msgbus/a?since=${id}`, ['Last-Event-ID: nonsense']],
    ] as const) {
      const resumed = await resume(t, server, path, headers)
      t.equal(resumeOf(resumed.head), 'ok')
      t.equal(positionOf(resumed.head), id)
      t.same(await resumed.bodies(4 - at), ['2', '3', '4', '5'].slice(at), path)
    }
  }
})

await t.test('an empty Last-Event-ID says nothing, as browsers mean it', async t => {
  const server = await startWith(t, LOTS)
  fill(server, 2)
  const resumed = await resume(t, server, '/msgbus/a', ['Last-Event-ID: '])
  t.notOk(resumed.head.headers.has('msgbus-resume'))
  await expectBodies(t, server, resumed, [])
})

await t.test('since takes all, a number of messages, a time and a duration', async t => {
  const nowMs = Date.now()
  const times = [30, 5, 0].map(hours => nowMs - hours * 3_600_000)
  let clockMs = 0
  const server = await startWith(t, { ...LOTS, maxAgeMs: Infinity, now: () => clockMs })
  for (const [at, timeMs] of times.entries()) {
    clockMs = timeMs
    put(server, 'a', `${at + 1}`)
  }
  const date = new Date(nowMs - 6 * 3_600_000)
  const shifted = new Date(date.getTime() + 2 * 3_600_000).toISOString().replace('Z', '+02:00')
  for (const [since, wanted] of [
    ['all', ['1', '2', '3']],
    ['-0', []],
    ['-1', ['3']],
    ['-2', ['2', '3']],
    ['-999999999', ['1', '2', '3']],
    ['0', ['1', '2', '3']],
    [`${Math.floor(date.getTime() / 1000)}`, ['2', '3']],
    [`${(times[1] ?? 0) / 1000}`, ['2', '3']],
    [`${((times[1] ?? 0) + 1) / 1000}`, ['3']],
    ['99999999999', []],
    [date.toISOString(), ['2', '3']],
    [date.toISOString().replace(/\.\d+/, ''), ['2', '3']],
    [shifted, ['2', '3']],
    [shifted.replace('+', '%2B'), ['2', '3']],
    [new Date(nowMs - 86_400_000 * 2).toISOString().slice(0, 10), ['1', '2', '3']],
    ['1ms', []],
    ['60s', ['3']],
    ['10m', ['3']],
    ['6h', ['2', '3']],
    ['1d', ['2', '3']],
    ['2d', ['1', '2', '3']],
    ['999999999999d', ['1', '2', '3']],
  ] as const) {
    const resumed = await resume(t, server, `/msgbus/a?since=${since}`)
    t.equal(resumeOf(resumed.head), 'ok', since)
    t.same(await resumed.bodies(wanted.length), wanted, since)
    resumed.stream.socket.destroy()
  }
})

const MALFORMED = [
  '',
  ' ',
  'null',
  'NaN',
  'undefined',
  'Infinity',
  'ALL',
  'none',
  '-',
  '--1',
  '-1.5',
  '-1e3',
  '-10000000000',
  '+1',
  '1e3',
  '0x10',
  '1.',
  '1.1234567',
  '123456789012',
  '10M',
  '10 m',
  '10min',
  '-10m',
  '1w',
  '1m30s',
  '%D9%A1m',
  '2026-13-01T00:00:00Z',
  '2026-02-30',
  '2026-02-29T00:00:00Z',
  '2026-04-31T00:00:00-05:00',
  '2026-01-01T25:00:00Z',
  '2026-01-01T00:00:00',
  '2026-01-01 00:00:00Z',
  'Fri%2C%2020%20Nov%202026%2008%3A00%3A00%20GMT',
  'EPOCH-',
  'EPOCH-x',
  'EPOCH--1',
  'EPOCH-01',
  'EPOCH-1.0',
  'EPOCH-1e1',
  'EPOCH-18446744073709551616',
  'EPOCH-9007199254740992',
  'EPOCH-1%00',
  'EPOCH-1%0A',
  '%00',
  '-5%0D%0AX%3A%20y',
  'EPOCH-1-1',
  'EPOCH_1',
  'g-1',
  'ABC-1',
  `${'a'.repeat(33)}-1`,
  ','.repeat(256),
  '1,2',
  '%EF%BB%BF1m',
]

await t.test('what is no place is refused, and nothing is sent', async t => {
  const server = await startWith(t, LOTS)
  fill(server, 3)
  const { epoch } = server.server.bus.position
  for (const text of MALFORMED) {
    const since = text.replace('EPOCH', epoch)
    for (const method of ['GET', 'HEAD']) {
      for (const poll of ['', '&poll', '&wait=1s']) {
        const answer = await ask(t, server, method, `/msgbus/a?since=${since.replaceAll(' ', '%20')}${poll}`)
        t.equal(answer.status, 400, `${method} ${text}${poll}`)
        if (method === 'GET') t.match(answer.body, /^MSGBUS_QUERY: Cannot read "since" [^\n]+\n$/, text)
      }
    }
  }
})

await t.test('a Last-Event-ID that no message has is refused', async t => {
  const server = await startWith(t, LOTS)
  const [id = ''] = fill(server, 3)
  const lines = [
    'x',
    'null',
    'NaN',
    '-1',
    'all',
    '10m',
    '1',
    '2026-01-01T00:00:00Z',
    `${id},${id}`,
    `${id} x`,
  ]
  for (const line of [
    ...lines,
    `"${id}"`,
    `${id.toUpperCase()}X`,
    ','.repeat(256),
    '\xe9',
    '9'.repeat(10_000),
  ]) {
    const answer = await ask(t, server, 'GET', '/msgbus/a', { headers: [`Last-Event-ID: ${line}`] })
    t.equal(answer.status, 400, line.slice(0, 40))
    t.match(answer.body, /^MSGBUS_CURSOR: [^\n]+\n$/)
  }
  const twice = { headers: [`Last-Event-ID: ${id}`, `Last-Event-ID: ${id}`] }
  t.match((await ask(t, server, 'GET', '/msgbus/a', twice)).body, /^MSGBUS_HEADER_REPEATED: /)
  const long = { headers: [`Last-Event-ID: ${'1'.repeat(20_000)}`] }
  t.equal((await ask(t, server, 'GET', '/msgbus/a', long)).status, 431)
  t.equal((await ask(t, server, 'GET', `/msgbus/a?since=${'1'.repeat(5000)}`)).status, 414)
})

await t.test('an id that this history does not know is a reset, and all that is kept comes', async t => {
  const server = await startWith(t, LOTS)
  const [id = ''] = fill(server, 3)
  const { epoch } = server.server.bus.position
  for (const [since, name] of [
    [`${epoch}-4`, 'one that is yet to come'],
    [`${epoch}-9007199254740991`, 'the largest there is'],
    ['0-0', 'another epoch'],
    [`${id.replace(/-.*/, '')}0-1`, 'one digit more'],
    ['ffffffffffffffffffffffffffffffff-1', 'a long one'],
  ] as const) {
    for (const [path, headers] of [
      [`/msgbus/a?since=${since}`, []],
      ['/msgbus/a', [`Last-Event-ID: ${since}`]],
    ] as const) {
      const resumed = await resume(t, server, path, headers)
      t.equal(resumeOf(resumed.head), 'reset', name)
      t.equal(positionOf(resumed.head), `${epoch}-0`, name)
      t.same(await resumed.bodies(3), ['1', '2', '3'], name)
    }
  }
})

await t.test('an id of another channel is a place like any other', async t => {
  const server = await startWith(t, LOTS)
  const id = put(server, 'b', 'x')
  fill(server, 2)
  const resumed = await resume(t, server, `/msgbus/a?since=${id}`)
  t.equal(resumeOf(resumed.head), 'ok')
  await expectBodies(t, server, resumed, ['1', '2'])
})

await t.test('If-Modified-Since alone is no place', async t => {
  const server = await startWith(t, LOTS)
  fill(server, 2)
  const resumed = await resume(t, server, '/msgbus/a', ['If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT'])
  t.notOk(resumed.head.headers.has('msgbus-resume'))
  await expectBodies(t, server, resumed, [])
})

await t.test('what is gone between the place and the first message is told in the head, exactly', async t => {
  const server = await startWith(t, { maxCount: 3 })
  const ids = fill(server, 10)
  for (const [at, id] of ids.entries()) {
    const missedCount = Math.max(0, 7 - (at + 1))
    const resumed = await resume(t, server, `/msgbus/a?since=${id}`)
    t.equal(resumeOf(resumed.head), missedCount === 0 ? 'ok' : `gap; missed=${missedCount}`)
    const wanted = ['8', '9', '10'].filter(body => Number(body) > at + 1)
    t.same(await resumed.bodies(wanted.length), wanted)
  }
  const all = await resume(t, server, '/msgbus/a?since=all')
  t.equal(resumeOf(all.head), 'ok', 'who asks for what is kept misses nothing')
  await expectBodies(t, server, all, ['8', '9', '10'])
})

await t.test('what is gone is counted for the channels that are read, before the filter', async t => {
  const server = await startWith(t, { maxCount: 1 })
  const start = `${server.server.bus.position.epoch}-0`
  for (const channel of ['a', 'a/b', 'a/b', 'c', 'c', 'c', 'x']) put(server, channel, channel)
  for (const [matcher, missedCount] of [
    ['a', 0],
    ['a/', 1],
    ['c', 2],
    ['a,c', 2],
    ['a/,c', 3],
    ['', 3],
    ['nobody', 0],
  ] as const) {
    for (const query of ['', '&type=image/*']) {
      const { head } = await resume(t, server, `/msgbus/${matcher}?since=${start}${query}`)
      t.equal(resumeOf(head), missedCount === 0 ? 'ok' : `gap; missed=${missedCount}`, `${matcher}${query}`)
    }
  }
})

const FORMS: readonly {
  readonly as: string
  readonly type: RegExp
  readonly gap: string
  readonly reset: string
}[] = [
  { as: 'as=multipart', type: /^multipart\/x-mixed-replace; boundary=/, gap: '', reset: '' },
  { as: 'as=mixed', type: /^multipart\/mixed; boundary=/, gap: '', reset: '' },
  { as: 'framing=2008', type: /^multipart\/x-mixed-replace;boundary=/, gap: '', reset: '' },
  { as: 'as=ndjson', type: /^application\/x-ndjson$/, gap: '{"gap":7}\n', reset: '{"reset":true}\n' },
  {
    ...{ as: 'as=sse', type: /^text\/event-stream$/ },
    ...{ gap: 'event: gap\ndata: 7\n\n', reset: 'event: reset\ndata: true\n\n' },
  },
  {
    ...{ as: 'as=sse&envelope=json', type: /^text\/event-stream$/ },
    ...{ gap: 'event: gap\ndata: 7\n\n', reset: 'event: reset\ndata: true\n\n' },
  },
]

for (const { as, type, gap, reset } of FORMS) {
  await t.test(`${as}: a gap and a reset are told before anything else`, async t => {
    const server = await startWith(t, { maxCount: 3 })
    fill(server, 10)
    const { epoch } = server.server.bus.position
    for (const [since, outcome, notice] of [
      [`${epoch}-0`, 'gap; missed=7', gap],
      ['0-0', 'reset', reset],
      [`${epoch}-7`, 'ok', ''],
      ['all', 'ok', ''],
    ] as const) {
      const { stream, head } = await get(t, server, `/msgbus/a?${as}&since=${since}`)
      t.equal(head.status, 200)
      t.match(head.headers.get('content-type') ?? '', type)
      t.equal(resumeOf(head), outcome)
      const opening = as.startsWith('as=ndjson') && notice === '' ? '' : await stream.readChunk()
      const told = opening.replace(/^(?:--[^\r\n]+\r?\n|retry: \d+\n\n)/, '')
      t.equal(told, notice, since)
      t.match(await stream.readChunk(), /8/, 'then the first message that is kept')
    }
  })
}

await t.test('several channels, trees and everything come in their common order', async t => {
  const server = await startWith(t, LOTS)
  const ids = ['a', 'a/b', 'x', 'a/b/c', 'a', 'x,y'].map(channel => put(server, channel, channel))
  for (const [matcher, wanted] of [
    ['a', ['a', 'a']],
    ['a,x', ['a', 'x', 'a']],
    ['a/', ['a/b', 'a/b/c']],
    ['a/,a', ['a', 'a/b', 'a/b/c', 'a']],
    ['x%2Cy,x', ['x', 'x,y']],
    ['', ['a', 'a/b', 'x', 'a/b/c', 'a', 'x,y']],
  ] as const) {
    for (const skipped of [0, 1, 3]) {
      const since = skipped === 0 ? 'all' : (ids[skipped - 1] ?? '')
      const { bodies } = await resume(t, server, `/msgbus/${matcher}?since=${since}`)
      const behind = ['a', 'a/b', 'x', 'a/b/c', 'a', 'x,y'].slice(skipped)
      const expected = behind.filter(channel => (wanted as readonly string[]).includes(channel))
      t.same(await bodies(expected.length), expected, `${matcher} since ${skipped}`)
    }
  }
})

await t.test('filters let the same through of the past as of what comes', async t => {
  for (const [query, wanted] of [
    ['type=text/*', ['2', '3', '4']],
    ['type=image/*', ['1']],
    ['sender=alice', ['1', '2', '4']],
    ['sender=alice&type=text/*', ['2', '4']],
  ] as const) {
    const server = await startWith(t, LOTS)
    const publishAll = (): void => {
      put(server, 'a', '1', { type: 'image/png' })
      put(server, 'a', '2', { sender: 'alice' })
      put(server, 'a', '3', { sender: 'bob' })
      put(server, 'a', '4')
    }
    publishAll()
    const { bodies } = await resume(t, server, `/msgbus/a?since=all&${query}`)
    t.same(await bodies(wanted.length), wanted, query)
    publishAll()
    t.same(await bodies(wanted.length), wanted, query)
  }
})

await t.test('over HTTP/1.0 and over TLS, history comes as it does otherwise', async t => {
  for (const [isSecure, version] of [
    [false, '1.0'],
    [true, '1.1'],
    [true, '1.0'],
  ] as const) {
    const server = await start(t, {}, { pem: isSecure ? certificate('a') : null })
    const { boundary } = server.server.bus
    fill(server, 3)
    const stream = isSecure ? await connectSecurely(t, server) : await connect(t, server)
    stream.send(requestText('GET', '/msgbus/a?since=-2', { version }))
    const head = await stream.readHead()
    t.equal(head.line, `HTTP/${version} 200 OK`)
    t.equal(resumeOf(head), 'ok')
    put(server, 'a', 'live')
    const text = await stream.readThrough(`live\r\n--${boundary}\r\n`)
    const parts = [...text.matchAll(/Msgbus-Id: \S+-(\d+)\r\nMsgbus-Time: \d+\r\n\r\n(\w+)\r\n/g)]
    t.same(
      parts.map(([, seq, body]) => [seq, body]),
      [
        ['2', '2'],
        ['3', '3'],
        ['4', 'live'],
      ],
    )
  }
})

await t.test('HEAD tells the type and checks the place, and subscribes nobody', async t => {
  const server = await startWith(t, LOTS)
  fill(server, 3)
  const answer = await ask(t, server, 'HEAD', '/msgbus/a?since=all&as=ndjson')
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'application/x-ndjson')
  t.notOk(server.log.events.some(({ name }) => name === 'sub'))
})

await t.test('a part of history is the part that was live, byte for byte, in a chunk of its own', async t => {
  const server = await startWith(t, LOTS)
  const live = await resume(t, server, '/msgbus/')
  put(server, 'a/b', 'x\r\n--', { type: 'a/b; c=d', sender: 'bob' })
  put(server, 'c', '')
  const chunks = [await live.stream.readChunk(), await live.stream.readChunk()]
  const later = await resume(t, server, '/msgbus/?since=all')
  t.same([await later.stream.readChunk(), await later.stream.readChunk()], chunks)
})

await t.test('an <img> that comes back is shown the last picture at once', async t => {
  const server = await startWith(t, LOTS)
  const gif = Buffer.from(
    '47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b',
    'hex',
  ).toString('latin1')
  put(server, 'cam', 'no picture')
  put(server, 'cam', gif, { type: 'image/gif' })
  const { stream } = await resume(t, server, '/msgbus/cam?as=image&since=-2')
  t.ok((await stream.readChunk()).startsWith(gif))
})

await t.test('history that cannot be read ends the connection, and is told to the operator', async t => {
  const store = new LaterStore(new MemoryStore(LOTS))
  const server = await start(t, { bus: new Bus({ store }) })
  await server.server.bus.publish({ channel: 'a', type: 'a/b', sender: null, body: Buffer.from('x') })
  store.fault = new Error('the disk is on fire')
  const { stream, head } = await get(t, server, '/msgbus/a?since=all')
  t.equal(head.status, 200)
  t.notOk((await stream.readToEnd()).endsWith('0\r\n\r\n'))
  t.match(await server.log.until('history.fault'), { error: /the disk is on fire/ })
  t.equal((await ask(t, server, 'GET', '/msgbus/a?since=all&poll')).status, 500)
  store.fault = null
  const again = await resume(t, server, '/msgbus/a?since=all')
  t.same(await again.bodies(1), ['x'])
})

await t.test('the id that a publisher is told is a place, too', async t => {
  const server = await startWith(t, LOTS)
  const answer = await ask(t, server, 'POST', '/msgbus/a', { headers: ['Content-Type: a/b'], body: 'mine' })
  const id = answer.headers.get('msgbus-id') ?? ''
  t.equal(seqOf(id), 1)
  const resumed = await resume(t, server, `/msgbus/a?since=${id}`)
  await expectBodies(t, server, resumed, [])
})
