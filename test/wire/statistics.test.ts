// What is served below `/_/`, but for what the page does in a browser: the statistics stream line by line, its readers and
// its clock, the page and the client library as files, and who gets none of it.

import t, { type Test } from 'tap'
import type { Bus } from '../../src/bus/bus.ts'
import { parseMatcher } from '../../src/matcher.ts'
import { Filter } from '../../src/filter.ts'
import { stillBus, TIME_MS } from '../still-bus.ts'
import {
  ask,
  basic,
  certificate,
  type Connection,
  connectSecurely,
  get,
  put,
  requestText,
  start,
} from './server.ts'

interface Channel {
  readonly name: string
  readonly messageCount: number
  readonly byteCount: number
  readonly subscribers: number
  readonly last: unknown
}

interface Line {
  readonly time: number
  readonly uptimeMs: number
  readonly totals: Readonly<Record<string, number>>
  readonly process: Readonly<Record<string, number>>
  readonly wide: readonly unknown[]
  readonly channels: readonly Channel[]
  readonly gone: readonly string[]
}

/** Reads one line, which is one chunk. */
async function readLine(stream: Connection): Promise<Line> {
  return parse(await stream.readChunk())
}

function parse(text: string): Line {
  if (!/^[^\n]+\n$/.test(text)) throw new Error(`Cannot read a line: ${JSON.stringify(text.slice(0, 400))}`)
  return JSON.parse(Buffer.from(text, 'latin1').toString()) as Line
}

async function openStatistics(t: Test, server: { readonly port: number }): Promise<Connection> {
  const { stream, head } = await get(t, server, '/_/stats')
  t.equal(head.line, 'HTTP/1.1 200 OK')
  t.equal(head.headers.get('content-type'), 'application/x-ndjson')
  return stream
}

async function poll(t: Test, server: { readonly port: number }): Promise<Line> {
  return parse((await ask(t, server, 'GET', '/_/stats?poll')).body)
}

function namesOf({ channels }: Line): string[] {
  return channels.map(({ name }) => name)
}

/** A subscription that reads nothing. */
function subscribe(bus: Bus, path: string): { close(): void } {
  return bus.subscribe({
    matcher: parseMatcher(path),
    filter: new Filter(),
    encoder: { encode: () => null },
    sink: { write: () => undefined },
  })
}

await t.test('the first line tells everything', async t => {
  const server = await start(t)
  const id = put(server, 'a/b', 'hello', { sender: 'dug' })
  const binaryId = put(server, 'ü"<b>', '\xc3\x28', { type: 'application/octet-stream' })
  subscribe(server.server.bus, 'a/b')
  const stream = await openStatistics(t, server)
  const { time, uptimeMs, process, ...line } = await readLine(stream)
  t.strictSame(line, {
    totals: { messages: 2, bytes: 7, channels: 2, subscribers: 1 },
    wide: [],
    channels: [
      {
        name: 'ü"<b>',
        messageCount: 1,
        byteCount: 2,
        subscribers: 0,
        last: { id: binaryId, time: TIME_MS, type: 'application/octet-stream', sender: null, size: 2 },
      },
      {
        name: 'a/b',
        messageCount: 1,
        byteCount: 5,
        subscribers: 1,
        last: { id, time: TIME_MS, type: 'text/plain', sender: 'dug', size: 5 },
      },
    ],
    gone: [],
  })
  t.ok(Number.isInteger(time) && Number.isInteger(uptimeMs) && uptimeMs >= 0)
  t.match(process, { cpuMs: Number, rssBytes: Number })
})

await t.test('every later line tells only what has changed since the line before', async t => {
  const server = await start(t)
  for (const name of ['a', 'b', 'c']) put(server, name, 'x')
  const stream = await openStatistics(t, server)
  t.strictSame(namesOf(await readLine(stream)), ['c', 'b', 'a'], 'newest first')
  put(server, 'b', 'yz')
  const line = await readLine(stream)
  t.match(line.channels, [{ name: 'b', messageCount: 2, byteCount: 3, last: { size: 2 } }])
  t.strictSame([namesOf(line), line.gone], [['b'], []])
  t.match(line.totals, { messages: 4, bytes: 5, channels: 3 })
  t.strictSame(namesOf(await readLine(stream)), [], 'a line comes all the same')
  const subscription = subscribe(server.server.bus, 'a')
  t.match(await readLine(stream), { channels: [{ name: 'a', messageCount: 1, subscribers: 1 }] })
  subscription.close()
  t.match(await readLine(stream), { channels: [{ name: 'a', messageCount: 1, subscribers: 0 }] })
})

await t.test('a channel with readers and without messages is listed for as long as they stay', async t => {
  const server = await start(t)
  const subscription = subscribe(server.server.bus, 'quiet,quiet/x')
  const stream = await openStatistics(t, server)
  const silent = { messageCount: 0, byteCount: 0, subscribers: 1, last: null }
  const line = await readLine(stream)
  t.strictSame(line.channels, [
    { name: 'quiet', ...silent },
    { name: 'quiet/x', ...silent },
  ])
  t.match(line.totals, { messages: 0, channels: 2, subscribers: 2 })
  subscription.close()
  t.match(await readLine(stream), { channels: [], gone: ['quiet', 'quiet/x'], totals: { channels: 0 } })
})

await t.test('subscriptions to more than one channel are listed apart, by their path', async t => {
  const server = await start(t)
  put(server, 'a/b', 'x')
  for (const path of ['a/', 'a/', '', 'a/b,c/', 'a/b']) subscribe(server.server.bus, path)
  const { wide, channels, totals } = await poll(t, server)
  t.strictSame(wide, [
    { path: 'a/', subscribers: 2 },
    { path: '', subscribers: 1 },
    { path: 'c/', subscribers: 1 },
  ])
  t.match(channels, [{ name: 'a/b', subscribers: 2 }])
  t.equal(totals.subscribers, 6, 'one with two paths counts twice')
})

await t.test('the thousand newest channels are listed, and all of them are counted', async t => {
  const server = await start(t)
  for (let number = 0; number < 2_500; number++) put(server, `c${number}`, 'x')
  put(server, 'c7', 'again')
  const stream = await openStatistics(t, server)
  const { channels, totals } = await readLine(stream)
  t.strictSame(
    channels.map(({ name }) => name),
    ['c7', ...Array.from({ length: 999 }, (_, at) => `c${2499 - at}`)],
  )
  t.match(totals, { messages: 2501, channels: 2500 })
  put(server, 'new', 'x')
  t.match(await readLine(stream), { channels: [{ name: 'new' }], gone: ['c1501'] })
})

await t.test('a channel whose last message is kept no more has none to show', async t => {
  const bus = stillBus()
  const record = { name: 'old', messageCount: 3, byteCount: 9, keptCount: 0, newest: undefined }
  t.intercept(bus, 'channels', { value: () => [record] })
  const server = await start(t, { bus })
  t.strictSame((await poll(t, server)).channels, [
    { name: 'old', messageCount: 3, byteCount: 9, subscribers: 0, last: null },
  ])
})

await t.test('all readers get the same lines, made once, whatever their version of HTTP', async t => {
  const server = await start(t)
  put(server, 'a', 'x')
  const first = await openStatistics(t, server)
  const whole = await first.readChunk()
  const second = await openStatistics(t, server)
  t.equal(await second.readChunk(), whole, 'who comes later begins at the same place')
  const { stream: old, head } = await get(t, server, '/_/stats', { version: '1.0' })
  t.equal(head.line, 'HTTP/1.0 200 OK')
  t.equal(await old.readThrough('\n'), whole)
  for (const body of ['y', 'z']) {
    put(server, 'a', body)
    const line = await first.readChunk()
    t.strictSame(namesOf(parse(line)), ['a'])
    t.equal(await second.readChunk(), line)
    t.equal(await old.readThrough('\n'), line)
  }
})

await t.test('the clock runs only while somebody reads', async t => {
  const bus = stillBus()
  const taken = t.capture(bus, 'channels', () => [])
  const cleared: unknown[] = []
  const server = await start(t, { bus })
  const started = t.capture(globalThis, 'setInterval', globalThis.setInterval)
  const stop = globalThis.clearInterval
  let onStop: () => void = () => undefined
  const stopped = new Promise<void>(resolve => {
    onStop = resolve
  })
  t.intercept(globalThis, 'clearInterval', {
    value: (clock: NodeJS.Timeout) => {
      cleared.push(clock)
      stop(clock)
      onStop()
    },
  })
  await poll(t, server)
  t.strictSame([started().length, taken().length], [0, 1], 'for one snapshot there is none')
  const streams = [await openStatistics(t, server), await openStatistics(t, server)]
  for (const stream of streams) for (let count = 0; count < 2; count++) await readLine(stream)
  t.strictSame([started().length, taken().length], [1, 2], 'one clock, one snapshot for both')
  for (const stream of streams) stream.socket.destroy()
  await stopped
  t.equal(cleared.length, 1)
  const late = await openStatistics(t, server)
  await readLine(late)
  t.equal(started().length, 1, 'and anew with the next one')
})

await t.test('?poll answers with one line that tells everything, and the connection stays', async t => {
  const server = await start(t)
  put(server, 'a', 'x')
  const { stream, head } = await get(t, server, '/_/stats?poll')
  t.equal(head.headers.get('content-type'), 'application/x-ndjson')
  t.match(parse(await stream.read(Number(head.headers.get('content-length')))), { channels: [{ name: 'a' }] })
  put(server, 'b', 'x')
  stream.send(requestText('GET', '/_/stats?poll'))
  t.strictSame(namesOf(parse((await stream.readAnswer()).body)), ['b', 'a'])
})

await t.test('over TLS the stream is the same', async t => {
  const server = await start(t, {}, { pem: certificate('a') })
  put(server, 'a', 'x')
  const stream = await connectSecurely(t, server)
  stream.send(requestText('GET', '/_/stats'))
  t.equal((await stream.readHead()).status, 200)
  t.strictSame(namesOf(await readLine(stream)), ['a'])
  t.strictSame(namesOf(await readLine(stream)), [])
})

await t.test('a reader that sends anything behind its request is no reader any more', async t => {
  const server = await start(t)
  const stream = await openStatistics(t, server)
  await stream.readChunk()
  stream.send(requestText('GET', '/_/stats?poll'))
  t.notMatch(await stream.readToEnd(), 'HTTP/1.1')
})

await t.test('the stream ends in good order with the server', async t => {
  const server = await start(t)
  const stream = await openStatistics(t, server)
  await stream.readChunk()
  await server.server.close()
  t.match(await stream.readToEnd(), /^(?:[0-9a-f]+\r\n\{.*\}\n\r\n)*0\r\n\r\n$/)
})

await t.test('everything can only be read', async t => {
  const server = await start(t)
  for (const path of ['/_/', '/_/stats', '/_/client.js']) {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE']) {
      const answer = await ask(t, server, method, path, { headers: ['Content-Type: text/plain'], body: 'x' })
      t.strictSame(
        [answer.status, answer.headers.get('allow')],
        [405, 'GET, HEAD, OPTIONS'],
        `${method} ${path}`,
      )
      t.equal(answer.headers.get('connection'), 'close')
      t.match(answer.body, /^MSGBUS_METHOD_NOT_ALLOWED: .+\n$/)
    }
    const options = await ask(t, server, 'OPTIONS', path)
    t.strictSame([options.status, options.headers.get('allow')], [204, 'GET, HEAD, OPTIONS'])
    const head = await ask(t, server, 'HEAD', path)
    const answer = path === '/_/stats' ? head : await ask(t, server, 'GET', path)
    t.strictSame([head.status, head.headers.get('content-type')], [200, answer.headers.get('content-type')])
  }
  t.strictSame(server.server.bus.position.seq, 0)
})

await t.test('nothing else is there', async t => {
  const server = await start(t)
  for (const path of [
    '/_/x',
    '/_/stats/',
    '/_/client.js/',
    '/_/client',
    '/_/index.js',
    '/_/Stats',
    '/_/..%2fx',
    '/_',
  ]) {
    t.equal((await ask(t, server, 'GET', path)).status, 404, path)
  }
})

await t.test('the client library is a module for pages of this origin', async t => {
  const server = await start(t)
  const { status, headers, body } = await ask(t, server, 'GET', '/_/client.js')
  t.strictSame([status, headers.get('content-type')], [200, 'text/javascript; charset=utf-8'])
  t.equal(headers.get('cache-control'), 'no-store')
  t.equal(headers.get('cross-origin-resource-policy'), 'same-origin')
  t.equal(headers.get('x-content-type-options'), 'nosniff')
  t.match(body, /export\s*\{[^}]*\bas connect\b/)
  const [, more] = /import\("\.\/([\w-]+\.js)"\)/.exec(body) ?? []
  if (more !== undefined) t.equal((await ask(t, server, 'GET', `/_/${more}`)).status, 200, more)
})

await t.test('the page runs its own script and nothing else, and no page may frame it', async t => {
  const server = await start(t, { prefix: `/a"b&c/`, password: 'secret' })
  const { headers, body } = await ask(t, server, 'GET', '/_/', { headers: [basic('u', 'secret')] })
  t.equal(headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(
    headers.get('content-security-policy') ?? '',
    /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'unsafe-inline'; img-src blob: data:; frame-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'$/,
  )
  t.match(
    body,
    '<meta id="server" name="msgbus" content="{&quot;prefix&quot;:&quot;/a\\&quot;b&amp;c/&quot;,&quot;hasPassword&quot;:true}">',
  )
  t.notMatch(body, '<!-- ')
})

await t.test('without the password there is nothing', async t => {
  const server = await start(t, { password: 'secret' })
  for (const path of ['/_/', '/_/stats', '/_/stats?poll', '/_/client.js', '/_/x']) {
    for (const headers of [[], [basic('u', 'wrong')]]) {
      const answer = await ask(t, server, 'GET', path, { headers })
      t.equal(answer.status, 401, path)
      t.equal(answer.headers.get('www-authenticate'), 'Basic realm="msgbus", charset="UTF-8"')
    }
  }
  const right = await ask(t, server, 'GET', '/_/stats?poll', { headers: [basic('u', 'secret')] })
  t.equal(right.status, 200)
})

await t.test('pages of other sites read nothing of it', async t => {
  const server = await start(t, { allowedOrigins: ['https://good.example'] })
  for (const path of ['/_/', '/_/stats', '/_/stats?poll', '/_/client.js']) {
    for (const mode of ['no-cors', 'cors', 'same-origin']) {
      const headers = ['Sec-Fetch-Site: cross-site', `Sec-Fetch-Mode: ${mode}`]
      t.equal((await ask(t, server, 'GET', path, { headers })).status, 403, `${mode} ${path}`)
    }
    const worker = ['Sec-Fetch-Site: same-origin', 'Service-Worker: script']
    t.equal((await ask(t, server, 'GET', path, { headers: worker })).status, 403, `a worker of ${path}`)
  }
  const link = ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document']
  t.equal((await ask(t, server, 'GET', '/_/', { headers: link })).status, 200, 'a link leads to the page')
  const good = ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: cors', 'Origin: https://good.example']
  const listed = await ask(t, server, 'GET', '/_/stats?poll', { headers: good })
  t.equal(listed.headers.get('access-control-allow-origin'), 'https://good.example')
})

await t.test('it can be turned off, and is no part of a listener that a protocol owns', async t => {
  const off = await start(t, { noConsole: true })
  const native = await start(t, {}, { protocol: 'native' })
  for (const path of ['/_/', '/_/stats?poll', '/_/client.js']) {
    t.equal((await ask(t, off, 'GET', path)).status, 404, path)
  }
  t.equal(
    (await ask(t, native, 'HEAD', '/_/stats')).headers.get('content-type')?.split(';')[0],
    'multipart/x-mixed-replace',
  )
})
