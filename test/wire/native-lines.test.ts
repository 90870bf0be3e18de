// A channel as newline-delimited JSON: which request gets it, byte by byte over each kind of connection, and what a slow
// reader is told.

import t, { type Test } from 'tap'
import { TIME_MS } from '../still-bus.ts'
import {
  ask,
  certificate,
  chunk,
  type Connection,
  connect,
  connectSecurely,
  get,
  put,
  requestText,
  start,
  type TestServer,
} from './server.ts'

/** The line that a message of the type text/plain comes as. */
function lineOf(id: string, body: string, channel = 'a'): string {
  const content = `"type":"text/plain","sender":null,"body":${JSON.stringify(body)}`
  return `{"id":"${id}","channel":"${channel}","time":${TIME_MS},${content}}\n`
}

async function open(t: Test, server: TestServer, query = '?as=ndjson'): Promise<Connection> {
  const { stream, head } = await get(t, server, `/msgbus/a${query}`)
  t.equal(head.status, 200)
  return stream
}

await t.test(
  'over HTTP/1.1 a message is one line and one chunk, with nothing ahead of the first',
  async t => {
    const server = await start(t)
    const { stream, head } = await get(t, server, '/msgbus/a?as=ndjson')
    t.equal(head.line, 'HTTP/1.1 200 OK')
    t.equal(head.headers.get('content-type'), 'application/x-ndjson')
    t.equal(head.headers.get('transfer-encoding'), 'chunked')
    t.equal(head.headers.get('x-content-type-options'), 'nosniff')
    const ids = ['hello', '', 'grüß\n'].map(body => put(server, 'a', Buffer.from(body).toString('latin1')))
    const wanted = ['hello', '', 'grüß\n'].map((body, at) => lineOf(ids[at] ?? '', body))
    for (const line of wanted) t.equal(Buffer.from(await stream.readChunk(), 'latin1').toString(), line)
    await server.server.close()
    t.equal(await stream.readToEnd(), '0\r\n\r\n', 'no word of farewell')
  },
)

await t.test('over HTTP/1.0 and over TLS the lines are the same', async t => {
  for (const [isSecure, version] of [
    [false, '1.0'],
    [true, '1.1'],
    [true, '1.0'],
  ] as const) {
    const server = await start(t, {}, { pem: isSecure ? certificate('a') : null })
    const stream = isSecure ? await connectSecurely(t, server) : await connect(t, server)
    stream.send(requestText('GET', '/msgbus/a?as=ndjson', { version }))
    t.equal((await stream.readHead()).line, `HTTP/${version} 200 OK`)
    const line = lineOf(put(server, 'a', 'hello'), 'hello')
    const wanted = version === '1.0' ? line : chunk(line)
    t.equal(await stream.read(wanted.length), wanted)
    await server.server.close()
    t.equal(await stream.readToEnd(), version === '1.0' ? '' : '0\r\n\r\n')
  }
})

await t.test('the form is asked for by as, or by Accept', async t => {
  const server = await start(t)
  for (const [path, accept, type] of [
    ['?as=ndjson', '*/*', 'application/x-ndjson'],
    ['?as=ndjson', 'text/event-stream', 'application/x-ndjson'],
    ['', 'application/x-ndjson', 'application/x-ndjson'],
    ['', 'Application/X-NDJSON; q=1, */*', 'application/x-ndjson'],
    ['?as=sse', 'application/x-ndjson', 'text/event-stream'],
    ['?as=mixed', 'application/x-ndjson', 'multipart/mixed'],
    ['', 'multipart/mixed', 'multipart/mixed'],
    ['', '*/*, application/x-ndjson', 'multipart/x-mixed-replace'],
    ['', 'application/json', 'multipart/x-mixed-replace'],
    ['?framing=2008', 'application/x-ndjson', 'multipart/x-mixed-replace'],
  ] as const) {
    const { head, stream } = await get(t, server, `/msgbus/a${path}`, { headers: [`Accept: ${accept}`] })
    t.equal(head.headers.get('content-type')?.split(';')[0], type, `${path} ${accept}`)
    stream.socket.destroy()
    const answer = await ask(t, server, 'HEAD', `/msgbus/a${path}`, { headers: [`Accept: ${accept}`] })
    t.equal(answer.headers.get('content-type')?.split(';')[0], type, `HEAD ${path} ${accept}`)
  }
})

await t.test('a line says channel, type and sender, and bytes are base64', async t => {
  const server = await start(t)
  const { stream } = await get(t, server, '/msgbus/?as=ndjson')
  const ids = [
    put(server, 'a/b', '\0\xff', { type: 'image/x; y="z"', sender: 'bob' }),
    put(server, 'a', '\xe4', { type: 'text/plain; charset=utf-8' }),
  ]
  t.same(JSON.parse(await stream.readChunk()), {
    ...{ id: ids[0], channel: 'a/b', time: TIME_MS, type: 'image/x; y="z"', sender: 'bob', base64: 'AP8=' },
  })
  t.match(JSON.parse(await stream.readChunk()), { id: ids[1], base64: '5A==' })
})

await t.test('whatever is published, a message is one line', async t => {
  const server = await start(t)
  const stream = await open(t, server)
  const evil = '"}\n{"gap":1}\n\r\n\r\n0\r\n\r\n\u2028\ufeff\0'
  put(server, 'a', Buffer.from(evil).toString('latin1'), { sender: '"},{"', type: 'text/"x' })
  const line = Buffer.from(await stream.readChunk(), 'latin1').toString()
  t.match(line, /^\{[^\n\r\u2028]+\}\n$/)
  const { base64, sender } = JSON.parse(line) as { readonly base64: string; readonly sender: string }
  t.equal(Buffer.from(base64, 'base64').toString(), evil, 'a type that is none makes it bytes')
  t.equal(sender, '"},{"')
})

await t.test('an idle stream gets empty lines', async t => {
  const server = await start(t, { heartbeatMs: 100 })
  const stream = await open(t, server)
  t.equal(await stream.readChunk(), '\n')
  t.equal(await stream.readChunk(), '\n')
  put(server, 'a', 'x')
  let line = await stream.readChunk()
  while (line === '\n') line = await stream.readChunk()
  t.match(line, /"body":"x"/)
})

await t.test('what a slow reader loses is told in the line before the next message', async t => {
  const server = await start(t, { maxBacklogBytes: 200_000 })
  const { stream, head } = await get(t, server, '/msgbus/a?as=ndjson')
  t.equal(head.status, 200)
  stream.socket.pause()
  // The kernel takes some megabytes before anything waits in the server.
  for (let number = 1; number <= 400; number++) {
    put(server, 'a', `${number} `.padEnd(64 * 1024, 'x'))
    await new Promise(setImmediate)
  }
  stream.socket.resume()
  let last = 0
  let gapCount = 0
  const read = async (): Promise<void> => {
    // A notice and its message are one chunk.
    const lines = (await stream.readChunk()).trimEnd().split('\n')
    for (const line of lines) {
      const { gap, body } = JSON.parse(line) as { readonly gap?: number; readonly body?: string }
      if (gap !== undefined) {
        gapCount += gap
        last += gap
      } else {
        t.equal(Number.parseInt(body ?? '', 10), ++last)
      }
    }
  }
  while (last < 400) {
    put(server, 'a', `${server.server.bus.position.seq + 1}`)
    await read()
  }
  t.ok(gapCount > 0)
  while (last < server.server.bus.position.seq) await read()
})

await t.test('an envelope of events cannot be asked for in words of its own', async t => {
  const server = await start(t)
  for (const query of ['as=sse&envelope=yes', 'as=ndjson&envelope=', 'envelope=xml']) {
    const answer = await ask(t, server, 'GET', `/msgbus/a?${query}`)
    t.equal(answer.status, 400)
    t.match(answer.body, /^MSGBUS_QUERY: Cannot read "envelope"/)
  }
})
