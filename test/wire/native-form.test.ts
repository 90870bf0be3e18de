// Publishing from an HTML form: every file and every field is a message of its own, all of them or none.

import t, { type Test } from 'tap'
import {
  type Answer,
  ask,
  basic,
  chunk,
  type Connection,
  connect,
  publish,
  requestText,
  start,
  subscribe,
  type TestServer,
} from './server.ts'

const TYPE = 'Content-Type: multipart/form-data; boundary=----Form'

interface Entry {
  readonly name?: string
  readonly filename?: string
  readonly type?: string
  readonly body: string
}

function formText(entries: readonly Entry[], end = '------Form--\r\n'): string {
  const texts = entries.map(({ name = 'x', filename, type, body }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`
    const typeLine = type === undefined ? '' : `Content-Type: ${type}\r\n`
    return `------Form\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${typeLine}\r\n${body}\r\n`
  })
  return texts.join('') + end
}

function send(t: Test, server: TestServer, body: string): Promise<Answer> {
  return ask(t, server, 'POST', '/msgbus/foo', { headers: [TYPE], body })
}

/** Fails if anything was delivered before now. */
async function expectNothing(t: Test, server: TestServer, stream: Connection): Promise<void> {
  await publish(t, server, '/msgbus/foo', 'fence')
  t.equal((await stream.readPart(server.server.bus.boundary)).body, 'fence', 'nothing was published')
}

await t.test('files and fields are published in their order, byte for byte', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const stream = await subscribe(t, server, '/msgbus/foo')
  const everyByte = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('')
  const entries = [
    { body: 'first field' },
    { filename: 'a.png', type: 'image/png', body: `${everyByte}\r\n------For` },
    { body: '\xe2\x82\xac' },
    { type: 'image/x', body: '\xe2\x82\xac \xff' },
    { filename: 'empty.txt', type: 'text/plain', body: '' },
    { body: '' },
    { filename: 'large.bin', body: everyByte.repeat(1000) },
  ]
  const answer = await ask(t, server, 'POST', '/msgbus/foo', {
    headers: [TYPE, basic('dug')],
    body: formText(entries),
  })
  t.equal(answer.line, 'HTTP/1.1 204 No Content')
  t.equal(answer.headers.get('msgbus-count'), '7')
  let lastId: string | undefined
  for (const { body } of entries) {
    const part = await stream.readPart(boundary)
    t.ok(part.body === body)
    t.equal(part.headers.get('from'), 'dug')
    lastId = part.headers.get('msgbus-id')
  }
  t.equal(answer.headers.get('msgbus-id'), lastId)
})

await t.test('an entry has its own type, a file of any bytes that of its name, a field is text', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const typed: readonly (readonly [Omit<Entry, 'body'>, string])[] = [
    [{}, 'text/plain; charset=utf-8'],
    [{ type: 'application/json' }, 'application/json'],
    [{ filename: 'a.png' }, 'image/png'],
    // [RFC 7578 §4.4] what an absent type means; browsers always write one.
    [{ filename: 'a.unheard-of' }, 'text/plain'],
    [{ filename: 'a.html', type: 'text/plain' }, 'text/plain'],
    [{ filename: 'a.png', type: 'application/octet-stream' }, 'image/png'],
    [{ filename: 'A.JPEG', type: 'application/octet-stream' }, 'image/jpeg'],
    [{ filename: 'a.html', type: 'application/octet-stream' }, 'text/html; charset=utf-8'],
    [{ filename: 'a.html', type: 'text/html; charset=latin1' }, 'text/html'],
    [{ filename: 'a.png', type: 'image/webp' }, 'image/webp'],
    [{ filename: 'a.unheard-of', type: 'application/octet-stream' }, 'application/octet-stream'],
    [{ filename: 'noextension', type: 'application/octet-stream' }, 'application/octet-stream'],
    [{ type: 'application/octet-stream' }, 'application/octet-stream'],
  ]
  const answer = await send(t, server, formText(typed.map(([entry]) => ({ ...entry, body: 'x' }))))
  t.equal(answer.status, 204)
  for (const [entry, type] of typed) {
    const part = await stream.readPart(server.server.bus.boundary)
    t.equal(part.headers.get('content-type'), type, JSON.stringify(entry))
  }
})

await t.test('a field comes out as UTF-8, whether its part names a charset or not', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const utf8 = Buffer.from('€é').toString('latin1')
  const answer = await send(
    t,
    server,
    formText([
      { body: utf8 },
      { type: 'text/plain; charset=utf-8', body: utf8 },
      { type: 'text/plain; charset=iso-8859-1', body: 'caf\xe9' },
      { type: 'application/octet-stream', filename: 'x', body: '\xe9\x00\xff' },
      { type: 'image/png', body: '\x89PNG\xff' },
    ]),
  )
  t.equal(answer.status, 204)
  for (const wanted of [utf8, utf8, Buffer.from('café').toString('latin1'), '\xe9\x00\xff', '\x89PNG\xff']) {
    t.equal((await stream.readPart(server.server.bus.boundary)).body, wanted)
  }
})

await t.test('a form that goes on behind its end is refused, and not waited for', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const file =
    '------Form\r\nContent-Disposition: form-data; name=f; filename=a.txt\r\nContent-Type: a/b\r\n\r\nx'
  const answer = await send(t, server, `${formText([{ body: 'one' }])}------Form\r\n${file}`)
  t.equal(answer.status, 400)
  t.match(answer.body, /^MSGBUS_MULTIPART: /)
  await expectNothing(t, server, stream)
})

await t.test('a file field that nobody touched is no message', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const untouched = { filename: '', type: 'application/octet-stream', body: '' }
  const answer = await send(t, server, formText([{ body: 'text' }, untouched]))
  t.equal(answer.headers.get('msgbus-count'), '1')
  t.equal((await stream.readPart(server.server.bus.boundary)).body, 'text')
  await expectNothing(t, server, stream)
})

await t.test('a form arrives whole however it is cut up', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const body = formText([{ body: 'one' }, { filename: 'two.txt', body: '\r\n--two\r\n' }])
  const publisher = await connect(t, server)
  publisher.send(requestText('POST', '/msgbus/foo', { headers: [TYPE, 'Transfer-Encoding: chunked'] }))
  for (const byte of body) publisher.send(chunk(byte))
  publisher.send('0\r\n\r\n')
  t.equal((await publisher.readAnswer()).status, 204)
  for (const wanted of ['one', '\r\n--two\r\n']) {
    t.equal((await stream.readPart(server.server.bus.boundary)).body, wanted)
  }
})

const MAX_BODY_BYTES = 1000
const full = 'x'.repeat(MAX_BODY_BYTES)

await t.test('a form may be as large as its limits', async t => {
  const server = await start(t, { maxBodyBytes: MAX_BODY_BYTES })
  const stream = await subscribe(t, server, '/msgbus/foo')
  t.equal((await send(t, server, formText([{ body: full }, { filename: 'a', body: full }]))).status, 204)
  for (let at = 0; at < 2; at++) t.equal((await stream.readPart(server.server.bus.boundary)).body, full)
  const many = Array.from({ length: 100 }, (_, at) => ({
    body: `${at}`,
    ...(at % 2 === 0 ? { filename: 'a' } : {}),
  }))
  t.equal((await send(t, server, formText(many))).headers.get('msgbus-count'), '100')
  for (const { body } of many) t.equal((await stream.readPart(server.server.bus.boundary)).body, body)
})

interface Refusal {
  readonly name: string
  readonly body: string
  readonly status: number
  readonly code: string
}

const few: readonly Entry[] = [{ body: 'field' }, { filename: 'a.txt', body: 'file' }]

const refusals: readonly Refusal[] = [
  {
    name: 'a file too large',
    body: formText([...few, { filename: 'a', body: `${full}x` }]),
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  {
    name: 'a field too large',
    body: formText([...few, { body: `${full}x` }]),
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  {
    name: 'a file much too large',
    body: formText([...few, { filename: 'a', body: full.repeat(100) }]),
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  {
    name: '101 entries',
    body: formText(Array.from({ length: 101 }, () => ({ body: 'x' }))),
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  { name: 'no entry', body: formText([]), status: 400, code: 'MULTIPART' },
  { name: 'no closing boundary', body: formText(few, ''), status: 400, code: 'MULTIPART' },
  { name: 'an end behind a boundary', body: formText(few, '------Form\r\n'), status: 400, code: 'MULTIPART' },
  {
    name: 'an end within a file',
    body: formText([...few, { filename: 'a', body: 'x' }], '').slice(0, -2),
    status: 400,
    code: 'MULTIPART',
  },
  {
    name: 'an end within a field',
    body: formText([...few, { body: 'x' }], '').slice(0, -2),
    status: 400,
    code: 'MULTIPART',
  },
  {
    name: 'an end within headers',
    body: formText(few, '------Form\r\nContent-Disp'),
    status: 400,
    code: 'MULTIPART',
  },
  {
    name: 'another boundary',
    body: formText(few).replaceAll('----Form', '----Other'),
    status: 400,
    code: 'MULTIPART',
  },
  {
    name: 'a field in an unknown charset',
    body: formText([...few, { type: 'text/plain; charset=no-such', body: 'x' }]),
    status: 400,
    code: 'MULTIPART',
  },
  {
    name: 'a bad type',
    body: formText([...few, { type: `a/${'x'.repeat(300)}`, body: 'x' }]),
    status: 400,
    code: 'TYPE',
  },
]

for (const { name, body, status, code } of refusals) {
  await t.test(`a form with ${name} is refused as a whole`, async t => {
    const server = await start(t, { maxBodyBytes: MAX_BODY_BYTES })
    const stream = await subscribe(t, server, '/msgbus/foo')
    const answer = await send(t, server, body)
    t.equal(answer.status, status)
    t.equal(answer.headers.get('connection'), 'close')
    t.match(answer.body, new RegExp(`^MSGBUS_${code}: [\\x20-\\x7e]+\\n$`))
    await expectNothing(t, server, stream)
  })
}

await t.test('a form is refused at the byte that is too much, not at its end', async t => {
  const server = await start(t, { maxBodyBytes: MAX_BODY_BYTES })
  const publisher = await connect(t, server)
  publisher.send(requestText('POST', '/msgbus/foo', { headers: [TYPE, 'Content-Length: 1000000'] }))
  publisher.send(formText([...few, { filename: 'a', body: full }], '').slice(0, -2))
  publisher.send('x')
  const answer = await publisher.readAnswer()
  t.equal(answer.status, 413)
  t.match(answer.body, /^MSGBUS_BODY_TOO_LARGE: /)
  t.equal(await publisher.readToEnd(), '')
})

await t.test('a form with the boundary of the bus in its last entry is refused as a whole', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/foo')
  const answer = await send(t, server, formText([...few, { body: server.server.bus.boundary }]))
  t.equal(answer.status, 400)
  t.match(answer.body, /^MSGBUS_BODY_BOUNDARY: /)
  await expectNothing(t, server, stream)
})
