// What test-sub says of a stream that is sound, and of one in which something was lost, doubled, moved or changed on
// its way.

import { connect, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { certificate, put, start } from '../wire/server.ts'
import {
  type Edit,
  listen,
  PUB,
  publishStamped,
  type Result,
  resultOf,
  runPub,
  startProxy,
  startSub,
  startTool,
} from './tool.ts'

const SOUND = {
  lost: 0,
  skipped: 0,
  repeated: 0,
  reordered: 0,
  corrupted: 0,
  misrouted: 0,
  foreign: 0,
  failed: 0,
  isSound: true,
}

/** What test-sub says about ten messages that went through a proxy, and one of somebody else behind them. */
async function spoil(t: Test, edit: Edit, ...args: readonly string[]): Promise<Result> {
  const server = await start(t)
  const port = await startProxy(t, server, edit)
  const sub = await startSub(t, port, ...args)
  publishStamped(server, 10)
  put(server, 'flood', 'end')
  // Ends the stream in good order, behind all that was published.
  await server.server.close(5_000)
  return await resultOf(sub)
}

await t.test('every message of a clean run is counted, timed and found sound', async t => {
  const server = await start(t)
  const sub = await startSub(t, server.port, '-n', '3', '--count', '50')
  await runPub(t, server.port, '-r', 'max', '--count', '50', '-b', '200')
  const { code, json, lines } = await resultOf(sub)
  t.equal(code, 0)
  t.match(json, { ...SOUND, subscribers: 3, opened: 3, complete: 3, messages: 150, bytes: 30_000 })
  t.strictSame(json.faults, [])
  t.match(json.latencyMs, { p50: Number, p99: Number, p999: Number, max: Number })
  t.strictSame(lines, [])
})

await t.test('the result is one line of JSON, or rows of text', async t => {
  const server = await start(t)
  const sub = await startSub(t, server.port, '--count', '1')
  put(server, 'flood', 'x')
  const { json } = await resultOf(sub)
  t.strictSame(Object.keys(json), [
    'tool',
    'server',
    'channel',
    'subscribers',
    'openSeconds',
    'seconds',
    'opened',
    'complete',
    'ended',
    'failed',
    'messages',
    'bytes',
    'perSecond',
    'foreign',
    'lost',
    'skipped',
    'repeated',
    'reordered',
    'corrupted',
    'misrouted',
    'latencyMs',
    'isSound',
    'faults',
  ])
  const pub = await runPub(t, server.port, '--count', '1')
  t.strictSame(Object.keys(pub.json), [
    'tool',
    'server',
    'channel',
    'channels',
    'publishers',
    'isStreamed',
    'seconds',
    'messages',
    'bytes',
    'wantedPerSecond',
    'perSecond',
    'accepted',
    'refused',
    'unanswered',
    'latencyMs',
    'isSound',
    'faults',
  ])
  const text = await startTool(t, PUB, ['-p', `${server.port}`, '--count', '1']).ended()
  t.match(
    text.stdout,
    /^messages {5}1 in [^\n]+\nanswers {6}1 accepted, 0 refused, [^\n]+\nanswer time {2}p50 [^\n]+\n$/,
  )
})

await t.test('a message that is left out is lost, the first one too', async t => {
  for (const missing of [0, 4]) {
    const result = await spoil(t, (part, number) => (number === missing ? [] : [part]))
    t.equal(result.code, 1)
    t.match(result.json, { ...SOUND, messages: 10, foreign: 1, lost: 1, isSound: false })
    t.strictSame(result.json.faults, ['1 message lost'])
    t.strictSame(result.lines, ['test-sub: 1 message lost'])
  }
})

await t.test('a message that comes twice is repeated', async t => {
  const result = await spoil(t, (part, number) => (number === 4 ? [part, part] : [part]))
  t.equal(result.code, 1)
  t.match(result.json, { ...SOUND, foreign: 1, repeated: 1, isSound: false })
  t.strictSame(result.json.faults, ['1 message repeated'])
})

await t.test('a message that comes behind a later one is out of order, and not lost', async t => {
  let held = ''
  const result = await spoil(t, (part, number) => {
    if (number === 4) held = part
    return number === 4 ? [] : number === 6 ? [part, held] : [part]
  })
  t.equal(result.code, 1)
  t.match(result.json, { ...SOUND, foreign: 1, reordered: 1, isSound: false })
  t.strictSame(result.json.faults, ['1 message out of order'])
})

await t.test('one wrong byte anywhere in a message ends a fast run with 1', async t => {
  for (const at of [0, 20, 95]) {
    const result = await spoil(t, (part, number) => [
      number === 4 ? flip(part, part.indexOf('\r\n\r\n') + 4 + at) : part,
    ])
    t.equal(result.code, 1)
    t.match(
      result.json,
      { messages: 11, foreign: 1, corrupted: 1, repeated: 0, isSound: false },
      `byte ${at}`,
    )
    // Which sequence it belonged to cannot be told when that is what was damaged.
    const isSourceDamaged = at === 20
    t.strictSame(result.json.faults, ['1 message corrupted', ...(isSourceDamaged ? ['1 message lost'] : [])])
  }
})

function flip(text: string, at: number): string {
  return `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ 1)}${text.slice(at + 1)}`
}

await t.test('messages that the server says it skipped are told apart from lost ones', async t => {
  const skip: Edit = (part, number) => {
    if (number === 4) return []
    return [number === 5 ? `Msgbus-Skipped: 1\r\n${part}` : part]
  }
  const told = await spoil(t, skip)
  t.equal(told.code, 1)
  t.match(told.json, { ...SOUND, foreign: 1, skipped: 1, isSound: false })
  t.strictSame(told.json.faults, ['1 message skipped by the server for slowness'])
  const allowed = await spoil(t, skip, '--allow-skips')
  t.equal(allowed.code, 0)
  t.match(allowed.json, { ...SOUND, foreign: 1, skipped: 1 })
})

await t.test('a message on the channel of another is misrouted', async t => {
  const server = await start(t)
  const port = await startProxy(t, server, (part, number) => [
    number === 1 ? part.replace('/msgbus/flood-1', '/msgbus/flood-0') : part,
  ])
  const sub = await startSub(t, port, '-c', '', '--count', '4')
  publishStamped(server, 4, ['flood-0', 'flood-1'])
  const { code, json } = await resultOf(sub)
  t.equal(code, 1)
  t.match(json, { ...SOUND, messages: 4, misrouted: 1, isSound: false })
  t.strictSame(json.faults, ['1 message on a wrong channel'])
})

await t.test('a stream that is cut is a fault, and the text says where', async t => {
  const cases = [
    [(part: string) => part.slice(0, -50), 'in the middle of a part'],
    [(part: string) => part, 'between two parts'],
  ] as const
  for (const [cut, place] of cases) {
    const server = await start(t)
    const port = await startProxy(t, server, (part, number) =>
      number === 4 ? { cutBehind: cut(part) } : [part],
    )
    const sub = await startSub(t, port)
    publishStamped(server, 10)
    const { code, json, lines } = await resultOf(sub)
    t.equal(code, 1)
    t.match(json, { failed: 1, isSound: false })
    const url = `http://127.0.0.1:${port}/msgbus/flood`
    t.strictSame(lines, [
      `test-sub: 1 stream failed; the first: Cannot read "${url}": the stream was cut ${place}`,
    ])
  }
})

await t.test('bytes that are no part as msgbus writes it are a fault', async t => {
  const server = await start(t)
  const port = await startProxy(t, server, (part, number) => [
    number === 4 ? part.replace('Content-Length: 100', 'Content-Length: 99') : part,
  ])
  const sub = await startSub(t, port)
  publishStamped(server, 10)
  const { code, json, lines } = await resultOf(sub)
  t.equal(code, 1)
  t.match(json, { messages: 5, corrupted: 1, failed: 1, isSound: false })
  t.match(lines, [
    'test-sub: 1 message corrupted',
    /the stream is broken: no boundary follows the bytes that Content-Length tells$/,
  ])
})

await t.test('a stream that the server ends in good order is no fault, unless more was wanted', async t => {
  for (const args of [[], ['--count', '3']]) {
    const server = await start(t)
    const sub = await startSub(t, server.port, ...args)
    publishStamped(server, 2)
    await server.server.close(5_000)
    const { code, json } = await resultOf(sub)
    t.equal(code, args.length === 0 ? 0 : 1)
    t.match(json, { messages: 2, ended: 1, failed: 0 })
    t.strictSame(json.faults, args.length === 0 ? [] : ['1 subscriber got fewer than 3 messages'])
  }
})

await t.test('messages of others are counted, and nothing is said about them', async t => {
  const server = await start(t)
  const sub = await startSub(t, server.port, '--count', '3')
  for (const body of ['', 'hello', 'test-pub'.repeat(30)]) put(server, 'flood', body)
  const { code, json } = await resultOf(sub)
  t.equal(code, 0)
  t.match(json, { ...SOUND, messages: 3, foreign: 3, latencyMs: null })
})

await t.test('a duration and an interrupt end it with its totals', async t => {
  const server = await start(t)
  const timed = await startSub(t, server.port, '-d', '100ms')
  t.match(await resultOf(timed), { code: 0, json: { ...SOUND, messages: 0, opened: 1 } })
  const interrupted = await startSub(t, server.port)
  interrupted.signal('SIGINT')
  t.match(await resultOf(interrupted), { code: 0, json: { ...SOUND, messages: 0, opened: 1 } })
})

await t.test('channels are read in turn, and lists and everything below a name at once', async t => {
  const server = await start(t)
  const subs = [
    await startSub(t, server.port, '-c', 'a/b', '--channels', '2', '-n', '4', '--count', '3'),
    await startSub(t, server.port, '-c', 'a/b-0,a/b-1', '--count', '6'),
    await startSub(t, server.port, '-c', 'a/', '--count', '6'),
    await startSub(t, server.port, '-c', '', '--count', '6'),
  ]
  await runPub(t, server.port, '-c', 'a/b', '--channels', '2', '-r', 'max', '--count', '6', '--streamed')
  for (const [at, sub] of subs.entries()) {
    t.match(await resultOf(sub), { code: 0, json: { ...SOUND, messages: at === 0 ? 12 : 6 } })
  }
})

await t.test('the answers of a server of HTTP/1.0 are read to their end', async t => {
  const server = await start(t)
  const port = await listen(t, createServer(), client => {
    const upstream = connect(server.port, '127.0.0.1')
    t.teardown(() => {
      upstream.destroy()
    })
    client.once('data', (bytes: Buffer) => {
      upstream.write(bytes.toString('latin1').replace('HTTP/1.1', 'HTTP/1.0'), 'latin1')
    })
    upstream.pipe(client)
  })
  const sub = await startSub(t, port)
  publishStamped(server, 5)
  await server.server.close(5_000)
  t.match(await resultOf(sub), { code: 0, json: { ...SOUND, messages: 5, ended: 1 } })
})

await t.test('both tools work over TLS, with any certificate only if they are told to take it', async t => {
  const server = await start(t, {}, { pem: certificate('a') })
  const sub = await startSub(t, server.port, '-s', '--insecure', '-n', '3', '--count', '5')
  const pub = await runPub(t, server.port, '-s', '--insecure', '-r', 'max', '--count', '5', '-b', '100000')
  t.match(pub, { code: 0, json: { accepted: 5 } })
  t.match(await resultOf(sub), { code: 0, json: { ...SOUND, messages: 15 } })
  const refused = await runPub(t, server.port, '-s', '--count', '1')
  t.equal(refused.code, 1)
  t.match(refused.lines, [/its certificate does not hold \([A-Z_]+\); --insecure takes any$/])
})

await t.test('a thousand subscribers of one process each get every message', async t => {
  const server = await start(t)
  const sub = await startSub(t, server.port, '-n', '1000', '--count', '20')
  const pub = await runPub(t, server.port, '-r', 'max', '--count', '20', '--streamed')
  t.equal(pub.code, 0)
  const { code, json } = await resultOf(sub)
  t.equal(code, 0)
  t.match(json, { ...SOUND, opened: 1_000, complete: 1_000, messages: 20_000, bytes: 2_000_000 })
})
