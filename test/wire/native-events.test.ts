// A channel as server-sent events: which request gets it, byte by byte over each kind of connection, what a browser makes
// of it by the rules of the standard, and what a slow reader is told.

import t, { type Test } from 'tap'
import { readEvents } from '../codec/event-reader.ts'
import { TIME_MS } from '../still-bus.ts'
import {
  ask,
  certificate,
  chunk,
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

/** Opens a stream and reads its `retry` field. */
async function open(
  t: Test,
  server: TestServer,
  query = '?as=sse',
  headers: readonly string[] = [],
): Promise<{ readonly stream: Connection; readonly head: Head }> {
  const { stream, head } = await get(t, server, `/msgbus/a${query}`, { headers })
  t.equal(head.status, 200)
  return { stream, head }
}

/** The bytes of a text, one character each. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

await t.test('over HTTP/1.1 a message is one event and one chunk, with its id', async t => {
  const server = await start(t)
  const { stream, head } = await open(t, server)
  t.equal(head.headers.get('content-type'), 'text/event-stream')
  t.equal(head.headers.get('cache-control'), 'no-store')
  t.equal(head.headers.get('x-accel-buffering'), 'no')
  t.match(await stream.readChunk(), /^retry: \d{4}\n\n$/)
  for (const [body, data] of [
    ['hello', 'data: hello\n\n'],
    ['', 'data: \n\n'],
    ['grüß\ndich\r\n', 'data: grüß\ndata: dich\ndata: \n\n'],
  ] as const) {
    const id = put(server, 'a', bytesOf(body))
    t.equal(await stream.readChunk(), `id: ${id}\n${bytesOf(data)}`)
  }
  const id = put(server, 'a', '\0\xff', { type: 'image/png' })
  t.equal(
    await stream.readChunk(),
    `id: ${id}\nevent: binary\ndata: {"type":"image/png","base64":"AP8="}\n\n`,
  )
  await server.server.close()
  t.equal(await stream.readToEnd(), '0\r\n\r\n')
})

await t.test('over HTTP/1.0 and over TLS the events are the same', async t => {
  for (const [isSecure, version] of [
    [false, '1.0'],
    [true, '1.1'],
    [true, '1.0'],
  ] as const) {
    const server = await start(t, {}, { pem: isSecure ? certificate('a') : null })
    const stream = isSecure ? await connectSecurely(t, server) : await connect(t, server)
    stream.send(requestText('GET', '/msgbus/a?as=sse', { version }))
    t.equal((await stream.readHead()).line, `HTTP/${version} 200 OK`)
    if (version === '1.1') await stream.readChunk()
    else t.match(await stream.readThrough('\n\n'), /^retry: \d{4}\n\n$/)
    const event = `id: ${put(server, 'a', 'hello')}\ndata: hello\n\n`
    const wanted = version === '1.0' ? event : chunk(event)
    t.equal(await stream.read(wanted.length), wanted)
  }
})

await t.test('browsers are told to come back after two to five seconds, not all at once', async t => {
  const server = await start(t)
  const retries = new Set<number>()
  for (let at = 0; at < 20; at++) {
    const { stream } = await open(t, server)
    const { retryMs } = readEvents(Buffer.from(await stream.readChunk()))
    t.ok(retryMs !== null && retryMs >= 2000 && retryMs < 5000)
    retries.add(retryMs ?? 0)
    stream.socket.destroy()
  }
  t.ok(retries.size > 1)
})

await t.test('the form is asked for by as, or by Accept as EventSource sends it', async t => {
  const server = await start(t)
  for (const [query, accept, userAgent, isEvents] of [
    ['', 'text/event-stream', 'Mozilla/5.0', true],
    ['', 'TEXT/Event-Stream;charset=utf-8, */*', 'x', true],
    ['?as=sse', '*/*', 'x', true],
    ['?as=sse', 'image/png', 'libevmsg/1.0', true],
    ['?as=multipart', 'text/event-stream', 'x', false],
    ['?framing=2008', 'text/event-stream', 'x', false],
    ['', 'text/event-stream', 'libevmsg/1.0', false],
    ['', 'text/html, text/event-stream', 'x', false],
    ['', 'text/event-streams', 'x', false],
  ] as const) {
    const headers = [`Accept: ${accept}`, `User-Agent: ${userAgent}`, 'Sec-Fetch-Dest: empty']
    const { head, stream } = await open(t, server, query, headers)
    const type = head.headers.get('content-type')
    t.equal(type === 'text/event-stream', isEvents, `${query} ${accept} ${userAgent}`)
    stream.socket.destroy()
  }
})

await t.test('with envelope=json the data is the whole message in one line', async t => {
  const server = await start(t)
  const { stream } = await open(t, server, '?as=sse&envelope=json')
  await stream.readChunk()
  const id = put(server, 'a', 'x\ny', { sender: 'bob' })
  const content = '"type":"text/plain","sender":"bob","body":"x\\ny"'
  t.equal(
    await stream.readChunk(),
    `id: ${id}\ndata: {"id":"${id}","channel":"a","time":${TIME_MS},${content}}\n\n`,
  )
  put(server, 'a', '\xff')
  t.match(await stream.readChunk(), /^id: \S+\ndata: \{[^\n]+"base64":"\/w=="\}\n\n$/)
})

await t.test('a browser that lost its connection goes on behind the last event it got', async t => {
  const server = await start(t)
  const first = await open(t, server, '', ['Accept: text/event-stream'])
  await first.stream.readChunk()
  for (const body of ['1', '2', '3']) put(server, 'a', body)
  await first.stream.readChunk()
  const [event] = readEvents(Buffer.from(await first.stream.readChunk())).events
  t.equal(event?.data, '2')
  first.stream.socket.destroy()
  await server.log.until('unsub')
  put(server, 'a', '4')
  const headers = ['Accept: text/event-stream', `Last-Event-ID: ${event?.lastEventId}`]
  const again = await open(t, server, '', headers)
  t.equal(again.head.headers.get('msgbus-resume'), 'ok')
  await again.stream.readChunk()
  for (const body of ['3', '4']) t.match(await again.stream.readChunk(), new RegExp(`\ndata: ${body}\n\n$`))
})

await t.test('whatever is published, a browser sees one event for each message', async t => {
  const server = await start(t)
  const { stream } = await open(t, server)
  const bodies = [
    'a\n\ndata: b\n\nevent: reset\ndata: true\n\n',
    'a\rid: e-9\r\rdata: c',
    '\ufeffdata: x\u2028data: y',
    '\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
    ': comment\nretry: 1',
    'a\0b',
    '\n',
  ]
  const ids = bodies.map(body => put(server, 'a', bytesOf(body)))
  let text = ''
  for (let at = 0; at <= bodies.length; at++) text += await stream.readChunk()
  const { events, retryMs } = readEvents(Buffer.from(text, 'latin1'))
  t.same(
    events,
    bodies.map((body, at) => ({
      ...{ type: 'message', data: body.replace(/\r\n?/g, '\n'), lastEventId: ids[at] },
    })),
  )
  t.ok(retryMs !== null && retryMs >= 2000)
})

await t.test('an idle stream gets comments', async t => {
  const server = await start(t, { heartbeatMs: 100 })
  const { stream } = await open(t, server)
  await stream.readChunk()
  t.equal(await stream.readChunk(), ':\n\n')
  t.equal(await stream.readChunk(), ':\n\n')
})

await t.test('what a slow reader loses is an event before the next message', async t => {
  const server = await start(t, { maxBacklogBytes: 200_000 })
  const { stream } = await open(t, server)
  await stream.readChunk()
  stream.socket.pause()
  // The kernel takes some megabytes before anything waits in the server.
  for (let number = 1; number <= 400; number++) {
    put(server, 'a', `${number} `.padEnd(64 * 1024, 'x'))
    await new Promise(setImmediate)
  }
  stream.socket.resume()
  let last = 0
  let gapCount = 0
  while (last < 400) {
    put(server, 'a', `${server.server.bus.position.seq + 1}`)
    for (const { type, data } of readEvents(Buffer.from(await stream.readChunk())).events) {
      const number = Number.parseInt(data, 10)
      if (type === 'gap') gapCount += number
      last = type === 'gap' ? last + number : last + 1
      if (type !== 'gap') t.equal(number, last)
    }
  }
  t.ok(gapCount > 0)
})

await t.test('a broken id of a browser is refused as such', async t => {
  const server = await start(t)
  const headers = ['Accept: text/event-stream', 'Last-Event-ID: 17']
  const answer = await ask(t, server, 'GET', '/msgbus/a', { headers })
  t.equal(answer.status, 400)
  t.match(answer.body, /^MSGBUS_CURSOR: /)
})
