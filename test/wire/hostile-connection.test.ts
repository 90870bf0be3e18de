// What an attacker does with connections: requests behind streams, bodies that never end as they began, sides that are
// closed early, names that mean something to JavaScript. Nothing that was not answered for is carried out.

import t from 'tap'
import {
  checkRefusal,
  chunk,
  goodPost,
  openServer,
  parse,
  RawConnection,
  request,
  send,
  Witness,
} from './raw.ts'

const LAST_CHUNK = '0\r\n\r\n'

await t.test('an upload that is cut short publishes nothing', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const plain = ['Content-Type: text/plain']
  const form = ['Content-Type: multipart/form-data; boundary=B', 'Content-Length: 1000']
  const formBody = '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nfirst\r\n--B\r\nContent-Disp'
  const uploads = [
    request(rig, 'POST /msgbus/a', [...plain, 'Content-Length: 10'], 'short'),
    request(rig, 'POST /msgbus/a', [...plain, 'Content-Length: 10']),
    request(rig, 'POST /msgbus/a', [...plain, 'Transfer-Encoding: chunked'], chunk('whole')),
    request(rig, 'POST /msgbus/a', [...plain, 'Transfer-Encoding: chunked'], '5\r\nsho'),
    request(rig, 'POST /msgbus/a', [...plain, 'Transfer-Encoding: chunked'], `${chunk('whole')}0\r\n`),
    request(rig, 'POST /msgbus/a', form, formBody),
    goodPost(rig, 'a', 'x').slice(0, 60),
  ]
  for (const upload of uploads) {
    const ended = new RawConnection(t, rig.port).write(upload)
    ended.socket.end()
    checkRefusal(t, await ended.closed(), 400, JSON.stringify(upload.slice(-20)))
    const reset = new RawConnection(t, rig.port).write(`${goodPost(rig, 'b', 'answered')}${upload}`)
    await reset.matched('204 No Content')
    reset.socket.resetAndDestroy()
  }
  await witness.saw(
    uploads.map(() => ({ channel: 'b', body: 'answered' })),
    'aborted uploads',
  )
})

await t.test(
  'a stream owns its connection: whatever else comes on it ends it and is not carried out',
  async t => {
    const rig = await openServer(t)
    const witness = await Witness.open(t, rig)
    const stream = request(rig, 'GET /msgbus/a')
    const opening = `--${rig.server.bus.boundary}\r\n\r\n`
    const more: readonly (readonly [string, string])[] = [
      ['a publish', goodPost(rig, 'smuggled', 'x')],
      ['publishes', goodPost(rig, 'smuggled', 'x').repeat(500)],
      ['another stream', stream],
      ['300 streams', stream.repeat(300)],
      ['junk', 'junk\r\n\r\n'],
      ['a request without Host', 'GET / HTTP/1.1\r\n\r\n'],
      ['an expectation', goodPost(rig, 'smuggled', 'x', ['Expect: x'])],
      ['CONNECT', request(rig, 'CONNECT evil.example:80')],
      ['a request of an unknown method', request(rig, 'BREW /msgbus/a')],
    ]
    for (const [name, bytes] of more) {
      for (const first of [stream, stream.replace('HTTP/1.1', 'HTTP/1.0')]) {
        t.equal(await send(t, rig, `${first}${bytes}`), '', `${name}, in the same segment`)
      }
      const reader = new RawConnection(t, rig.port).write(stream)
      const before = await reader.matched(opening)
      t.equal(await reader.write(bytes).closed(), before, `${name}, later: not a byte more`)
    }
    const reader = new RawConnection(t, rig.port).write(stream)
    const before = await reader.matched(opening)
    t.equal(await reader.write('\0').closed(), before, 'a single byte')
    await witness.saw([], 'behind streams')
  },
)

await t.test('a stream behind a publish opens when that is answered', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const both = new RawConnection(t, rig.port)
  both.write(`${goodPost(rig, 'a', 'x')}${request(rig, 'GET /msgbus/a')}`)
  const text = await both.matched(`--${rig.server.bus.boundary}\r\n\r\n`)
  t.match(text, /^HTTP\/1\.1 204 [\s\S]*\r\n\r\nHTTP\/1\.1 200 /)
  await witness.saw([{ channel: 'a', body: 'x' }], 'a stream behind a publish')
})

await t.test('nothing is carried out behind an answer that closes the connection', async t => {
  const rig = await openServer(t, { rootDir: t.testdir({ 'a.txt': 'text' }) })
  const witness = await Witness.open(t, rig)
  const form = ['Content-Type: multipart/form-data; boundary=q', 'Content-Length: 7']
  for (const [first, status] of [
    [request(rig, 'GET /msgbus/z', ['Expect: foo']), 417],
    [request(rig, 'POST /a.txt', ['Content-Type: a/b', 'Content-Length: 1'], 'x'), 405],
    [request(rig, 'POST /a.txt'), 405],
    [request(rig, 'DELETE /msgbus/a'), 501],
    [request(rig, 'TRACE /msgbus/a'), 405],
    [request(rig, 'POST /msgbus/a', form, 'no form'), 400],
    [request(rig, 'POST /msgbus/a', ['Content-Type: a/b']), 411],
  ] as const) {
    const text = await send(t, rig, `${first}${goodPost(rig, 'smuggled', 'x')}`)
    t.ok(text.startsWith(`HTTP/1.1 ${status} `), first)
    t.equal(text.split('HTTP/1.1 ').length, 2, 'one answer')
  }
  await witness.saw([], 'what came behind')
})

await t.test('pipelined publishes are taken in order', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const bodies = Array.from({ length: 200 }, (_, at) => `${at}`)
  const posts = bodies.map((body, at) => goodPost(rig, 'a', body, at === 199 ? ['Connection: close'] : []))
  t.equal((await send(t, rig, posts.join(''))).split('HTTP/1.1 204 No Content').length, 201)
  await witness.saw(
    bodies.map(body => ({ channel: 'a', body })),
    'pipelined publishes',
  )
})

await t.test('a reader that closes its side, or has a body to its GET, gets what it is due', async t => {
  const rig = await openServer(t)
  const opening = `--${rig.server.bus.boundary}\r\n\r\n`
  const ended = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a'))
  await ended.matched(opening)
  ended.socket.end()
  t.ok((await ended.closed()).endsWith(opening), 'the stream ends with its reader, and without a word')
  const bodies: readonly (readonly [string, string])[] = [
    ['Content-Length: 3', 'abc'],
    ['Content-Length: 65536', 'x'.repeat(65_536)],
    ['Transfer-Encoding: chunked', `${chunk('abc')}${LAST_CHUNK}`],
    ['Expect: 100-continue', ''],
  ]
  for (const [header, body] of bodies) {
    const reader = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a', [header], body))
    t.equal(parse(await reader.matched(opening)).status, 200, header)
    reader.socket.destroy()
  }
})

await t.test(
  'HEAD ends at once with the headers of the stream, and Range and conditions change nothing',
  async t => {
    const rig = await openServer(t)
    const reader = new RawConnection(t, rig.port).write(
      request(rig, 'GET /msgbus/a', [
        'Range: bytes=0-1',
        'If-None-Match: *',
        'If-Modified-Since: x',
        'Accept: x/y',
      ]),
    )
    const stream = parse(await reader.matched(`--${rig.server.bus.boundary}\r\n\r\n`))
    t.equal(stream.status, 200)
    const head = parse(await send(t, rig, request(rig, 'HEAD /msgbus/a', ['Connection: close'])))
    t.strictSame([head.status, head.body], [200, ''])
    for (const [name, value] of head.headers) {
      if (name !== 'date') t.equal(stream.headers.get(name), value, name)
    }
  },
)

await t.test(
  'an Expect other than 100-continue is refused, and one to a refused request gets no go-ahead',
  async t => {
    const rig = await openServer(t)
    const witness = await Witness.open(t, rig)
    checkRefusal(t, await send(t, rig, goodPost(rig, 'a', 'x', ['Expect: a miracle'])), 417, 'another')
    const refused = request(rig, 'POST /msgbus/a', ['Content-Length: 1', 'Expect: 100-continue'])
    checkRefusal(t, await send(t, rig, refused), 400, 'without a type')
    const waiting = new RawConnection(t, rig.port)
    waiting.write(
      request(rig, 'POST /msgbus/a', [
        'Content-Type: text/plain',
        'Content-Length: 1',
        'Expect: 100-continue',
      ]),
    )
    t.equal(await waiting.matched('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
    await waiting.write('x').matched('HTTP/1.1 204 No Content')
    await witness.saw([{ channel: 'a', body: 'x' }], 'expectations')
  },
)

await t.test('names that mean something to JavaScript mean nothing here', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__']
  for (const name of names) {
    const user = `Authorization: Basic ${Buffer.from(`${name}:x`).toString('base64')}`
    const lines = [user, `${name}: x`, `${name}: y`, `Cookie: ${name}=x`, 'Connection: close']
    const post = goodPost(rig, name, name, lines).replace(
      ` /msgbus/${name}`,
      ` /msgbus/${name}?${name}=${name}`,
    )
    t.equal(parse(await send(t, rig, post)).status, 204, name)
    const reader = new RawConnection(t, rig.port)
    reader.write(request(rig, `GET /msgbus/${name}?${name}=x&type=${name},*`, [`${name}: x`]))
    await reader.matched(`--${rig.server.bus.boundary}\r\n\r\n`)
    reader.socket.destroy()
    const refused = ['slow', 'as', 'framing'].map(key => request(rig, `GET /msgbus/a?${key}=${name}`))
    for (const bytes of refused) checkRefusal(t, await send(t, rig, bytes), 400, bytes)
  }
  await witness.saw(
    names.map(name => ({ channel: name, from: name, body: name })),
    'JavaScript names',
  )
  t.equal(({} as Record<string, unknown>)['x'], undefined)
})
