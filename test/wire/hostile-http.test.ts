// Requests that no honest client sends, as bytes. Whatever comes, the answer is one refusal and the end of the
// connection, nothing of what was sent behind it is carried out, and the server goes on serving.

import t, { type Test } from 'tap'
import {
  checkRefusal,
  chunk,
  goodPost,
  openServer,
  parse,
  RawConnection,
  request,
  type Rig,
  send,
  Witness,
} from './raw.ts'

/** Name, the bytes, the status; null for an end without an answer. */
type Row = readonly [name: string, bytes: string, status: number | null]

/** Sends each, with a publish right behind it in the same segment, which must not be carried out. */
async function refuseAll(t: Test, rig: Rig, rows: readonly Row[], name: string): Promise<void> {
  const witness = await Witness.open(t, rig)
  for (const [what, bytes, status] of rows) {
    const text = await send(t, rig, `${bytes}${goodPost(rig, 'smuggled', 'x')}`)
    if (status === null) t.equal(text, '', what)
    else checkRefusal(t, text, status, what)
  }
  await witness.saw([], name)
}

const LAST_CHUNK = '0\r\n\r\n'

await t.test('an empty transfer encoding is refused', async t => {
  const rig = await openServer(t)
  const text = await send(t, rig, request(rig, 'POST /msgbus/a', ['Transfer-Encoding:'], LAST_CHUNK))
  // The parser of Node 24 refuses it by itself.
  checkRefusal(t, text, text.startsWith('HTTP/1.1 400') ? 400 : 501, 'empty')
})

await t.test('a body whose end can be read in two ways is refused, and so is all behind it', async t => {
  const rig = await openServer(t)
  const post = (header: string, body: string): string =>
    request(rig, 'POST /msgbus/a', ['Content-Type: text/plain', header], body)
  const lengths = ['+1', '-1', '0x1', '1 2', '1, 1', '', '1.0', '99999999999999999999'].map((value): Row => [
    `length "${value}"`,
    post(`Content-Length: ${value}`, 'x'),
    400,
  ])
  const codings = ['gzip, chunked', 'chunked;q=1', '"chunked"', 'identity', 'xchunked', 'gzip'].map(
    (value): Row => [`encoding "${value}"`, post(`Transfer-Encoding: ${value}`, LAST_CHUNK), 501],
  )
  const chunks = [
    '1\nx\n0\n\n',
    '1\r\nxyz\r\n0\r\n\r\n',
    `0x1\r\nx\r\n${LAST_CHUNK}`,
    `+1\r\nx\r\n${LAST_CHUNK}`,
    `-1\r\nx\r\n${LAST_CHUNK}`,
    `1 \r\nx\r\n${LAST_CHUNK}`,
    `\r\nx\r\n${LAST_CHUNK}`,
    `fffffffffffffffff\r\nx\r\n${LAST_CHUNK}`,
    `1;a\nx\r\n${LAST_CHUNK}`,
    `1\rx\r\n${LAST_CHUNK}`,
    `1;${'a'.repeat(20_000)}\r\nx\r\n${LAST_CHUNK}`,
  ].map((body): Row => [
    `chunks ${JSON.stringify(body.slice(0, 20))}`,
    post('Transfer-Encoding: chunked', body),
    400,
  ])
  const both = 'Content-Length: 5\r\nTransfer-Encoding: chunked'
  await refuseAll(
    t,
    rig,
    [
      ...lengths,
      ...codings,
      ...chunks,
      ['no length', post('X: y', ''), 411],
      ['length and encoding', post(both, LAST_CHUNK), 400],
      ['in any case of letters', post(both.toLowerCase().replace('chunked', 'CHUNKED'), LAST_CHUNK), 400],
      ['encoding and length', post('Transfer-Encoding: chunked\r\nContent-Length: 5', LAST_CHUNK), 400],
      ['one length twice', post('Content-Length: 1\r\nContent-Length: 1', 'x'), 400],
      ['two lengths', post('Content-Length: 1\r\nContent-Length: 2', 'x'), 400],
      ['encoding twice', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', LAST_CHUNK), 400],
      ['encodings in the wrong order', post('Transfer-Encoding: chunked, gzip', LAST_CHUNK), 400],
      [
        'encoding over HTTP/1.0',
        post('Transfer-Encoding: chunked', LAST_CHUNK).replace('HTTP/1.1', 'HTTP/1.0'),
        501,
      ],
    ],
    'ambiguous bodies',
  )
})

await t.test('header lines that a proxy might read otherwise are refused', async t => {
  const rig = await openServer(t)
  const post = (lines: string): string =>
    request(rig, 'POST /msgbus/a', ['Content-Type: text/plain', lines], 'x')
  const length = 'Content-Length: 1'
  const lines = [
    'Content-Length : 1',
    `X: y\r\n folded\r\n${length}`,
    ` ${length}`,
    `X: y\n${length}`,
    `X: y\rZ: w\r\n${length}`,
    `X: y\r\r\n${length}`,
    `: y\r\n${length}`,
    `X\r\n${length}`,
    `X\0Y: z\r\n${length}`,
    `X Y: z\r\n${length}`,
    `X\xc3\xa9: z\r\n${length}`,
    ...['\0', '\v', '\x1b', '\x7f', '\b'].map(control => `X: a${control}b\r\n${length}`),
    `Transfer-Encoding: \vchunked`,
  ]
  const singles = [
    ...['Host', 'Content-Type', 'Content-Location', 'From', 'Authorization', 'Origin', 'Content-Encoding'],
    ...['Last-Event-ID', 'Idempotency-Key'],
  ]
  const good = goodPost(rig, 'a', 'x')
  await refuseAll(
    t,
    rig,
    [
      ...lines.map((line): Row => [JSON.stringify(line), post(line), 400]),
      ...singles.map((name): Row => [
        `${name} twice`,
        post(`${name}: a\r\n${name.toUpperCase()}: a\r\n${length}`),
        400,
      ]),
      ['line feeds only', good.replaceAll('\r\n', '\n'), 400],
      ['a blank ahead', ` ${good}`, 400],
      ['tabs in the request line', good.replace('POST ', 'POST\t'), 400],
      ['an HTTP/1.1 request without Host', good.replace(/Host: .*?\r\n/, ''), 400],
    ],
    'odd lines',
  )
})

await t.test('a version other than 1.0 and 1.1, and what is no HTTP at all, is refused', async t => {
  const rig = await openServer(t)
  const get = request(rig, 'HEAD /msgbus/a').replace('HEAD', 'GET')
  const versions = ['0.9', '1.2', '2.0', '3.0'].map((version): Row => [
    `HTTP/${version}`,
    get.replace('HTTP/1.1', `HTTP/${version}`),
    505,
  ])
  await refuseAll(
    t,
    rig,
    [
      ...versions,
      ['http in small letters', get.replace('HTTP/1.1', 'http/1.1'), 400],
      ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0', 400],
      ['a TLS hello on the plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
      ['an SSH client', 'SSH-2.0-x\r\n', 400],
    ],
    'versions',
  )
  checkRefusal(t, await send(t, rig, 'GET /msgbus/a\r\n\r\n'), 505, 'a request line without a version')
})

await t.test('HTTP/1.0 gets a stream without chunks, and a publish from it is taken', async t => {
  const rig = await openServer(t)
  const reader = new RawConnection(t, rig.port).write('GET /msgbus/a HTTP/1.0\r\n\r\n')
  const { boundary } = rig.server.bus
  const head = parse(await reader.matched(`\r\n\r\n--${boundary}\r\n`))
  t.match(reader.text, /^HTTP\/1\.0 200 OK\r\n/)
  t.notOk(head.headers.has('transfer-encoding'))
  const post = 'POST /msgbus/a HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx'
  const answer = parse(await send(t, rig, post))
  t.equal(answer.status, 204)
  const id = answer.headers.get('msgbus-id') ?? ''
  const part = `Content-Type: text/plain\r\nContent-Length: 1\r\nMsgbus-Id: ${id}\r\nMsgbus-Time: 1700000000000\r\n\r\nx\r\n--${boundary}\r\n`
  t.equal(parse(await reader.matched(part)).body, `--${boundary}\r\n${part}`)
})

await t.test('a request target that is not plainly a path of this server is refused', async t => {
  const rig = await openServer(t)
  const { host } = rig
  const targets = [
    ...[
      '//evil.example/msgbus/a',
      '//',
      '/msgbus/a#b',
      '/#',
      '/msgbus\\a',
      '/msgbus/a\\..\\b',
      '*',
      'msgbus/a',
    ],
    ...[
      '/msgbus/a b',
      '/msgbus/\0',
      '/msgbus/\x7f',
      '/msgbus/\xc3\xa9',
      '',
      '?type=x',
      `ftp://${host}/msgbus/a`,
    ],
    ...['http:///msgbus/a', 'http:/msgbus/a', `http://${host}//msgbus/a`, `http://${host}?x`, 'http://'],
  ]
  const others = [
    ...['http://evil.example/msgbus/a', 'http://localhost/msgbus/a', `http://user@${host}/msgbus/a`],
    ...[
      `http://${host}.evil.example/msgbus/a`,
      `http://evil.example@${host}/msgbus/a`,
      'https://evil.example',
    ],
  ]
  await refuseAll(
    t,
    rig,
    [
      ...targets.map((target): Row => [JSON.stringify(target), request(rig, `GET ${target}`), 400]),
      ...others.map((target): Row => [JSON.stringify(target), request(rig, `GET ${target}`), 421]),
      ['a name that both agree on', 'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n', 421],
      ['more than 4 KiB', request(rig, `GET /${'a'.repeat(4096)}`), 414],
    ],
    'targets',
  )
  const options = await send(t, rig, request(rig, 'OPTIONS *', ['Connection: close']))
  t.strictSame(
    [parse(options).status, parse(options).headers.get('allow')],
    [204, 'GET, HEAD, POST, PUT, OPTIONS'],
  )
  const absolute = goodPost(rig, 'a', 'x', ['Connection: close']).replace('/msgbus', `http://${host}/msgbus`)
  t.equal(parse(await send(t, rig, absolute)).status, 204, 'the absolute form of an address of ours')
  t.equal(parse(await send(t, rig, request(rig, `HEAD /${'a'.repeat(4095)}`))).status, 404, 'exactly 4 KiB')
})

await t.test('methods that mean nothing here are refused with those that do', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const known = ['DELETE', 'PATCH', 'PROPFIND', 'LINK', 'M-SEARCH', 'SOURCE'].map(
    method => [method, 501] as const,
  )
  const unknown = ['BREW', 'get', 'GETS', 'GET_', 'X'].map(method => [method, 405] as const)
  for (const [method, status] of [...known, ...unknown, ['TRACE', 405] as const]) {
    const lines = ['Authorization: Basic c2VjcmV0OnNlY3JldA==']
    const text = await send(t, rig, request(rig, `${method} /msgbus/a`, lines))
    const { headers } = checkRefusal(t, text, status, method)
    t.equal(headers.get('allow'), 'GET, HEAD, POST, PUT, OPTIONS', `${method}: what is allowed`)
    t.notMatch(text, 'c2VjcmV0', `${method}: nothing is echoed`)
  }
  for (const method of ['B@D', '{}', 'GET:']) {
    checkRefusal(t, await send(t, rig, request(rig, `${method} /msgbus/a`)), 400, method)
  }
  t.equal(await send(t, rig, request(rig, 'CONNECT evil.example:80')), '', 'CONNECT: closed')
  await witness.saw([], 'methods')
})

await t.test('an Upgrade to what is not spoken here is ignored', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const h2c = [
    'Connection: Upgrade, HTTP2-Settings, close',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAAQAAP__',
  ]
  const tls = ['Connection: Upgrade, close', 'Upgrade: TLS/1.2']
  for (const [at, lines] of [h2c, tls].entries()) {
    t.equal(parse(await send(t, rig, goodPost(rig, 'a', `${at}`, lines))).status, 204)
    const reader = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a', lines))
    t.equal(parse(await reader.matched(`--${rig.server.bus.boundary}\r\n\r\n`)).status, 200)
  }
  await witness.saw(
    [
      { channel: 'a', body: '0' },
      { channel: 'a', body: '1' },
    ],
    'upgrades',
  )
})

await t.test('what is too large is refused, before it is read where its length tells', async t => {
  const rig = await openServer(t, { maxBodyBytes: 1000 })
  const witness = await Witness.open(t, rig)
  const head = (lines: readonly string[]): string =>
    request(rig, 'POST /msgbus/a', ['Content-Type: text/plain', ...lines])
  const many = Array.from({ length: 101 }, (_, at) => `X-${at}: y`)
  const rows: readonly Row[] = [
    ['103 headers', head(many), 431],
    ['2,000 headers', head([...many.slice(1), ...Array.from({ length: 1900 }, () => 'X: y')]), 431],
    ['a header of 16 KiB', head([`X: ${'y'.repeat(16 * 1024)}`]), 431],
    ['a name of 16 KiB', head([`${'X'.repeat(16 * 1024)}: y`]), 431],
    ['a header without end', `POST /msgbus/a HTTP/1.1\r\nX: ${'y'.repeat(20_000)}`, 431],
    ['a body, by its length', head(['Content-Length: 1001']), 413],
    ['a body of 2^53, by its length', head(['Content-Length: 9007199254740993']), 413],
    ['a body that the client would wait for', head(['Content-Length: 1001', 'Expect: 100-continue']), 413],
    ['a body, as it grows', `${head(['Transfer-Encoding: chunked'])}${chunk('x'.repeat(1001))}`, 413],
    ['a body of many chunks', `${head(['Transfer-Encoding: chunked'])}${chunk('x').repeat(1001)}`, 413],
    [
      'trailers',
      `${head(['Transfer-Encoding: chunked'])}${chunk('x')}0\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
      431,
    ],
    ['the body of a GET', request(rig, 'GET /msgbus/a', ['Content-Length: 65537']), 413],
    [
      'the growing body of a GET',
      `${request(rig, 'GET /msgbus/a', ['Transfer-Encoding: chunked'])}${chunk('x'.repeat(65_537))}`,
      413,
    ],
  ]
  for (const [name, bytes, status] of rows) checkRefusal(t, await send(t, rig, bytes), status ?? 0, name)
  const fits = await send(
    t,
    rig,
    goodPost(rig, 'a', 'x'.repeat(1000), [...many.slice(5), 'Connection: close']),
  )
  t.equal(parse(fits).status, 204, '100 headers and the whole size')
  await witness.saw([{ channel: 'a', body: 'x'.repeat(1000) }], 'sizes')
})

await t.test('trailers are dropped and short chunk extensions mean nothing', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const lines = [
    'Content-Type: text/plain',
    'Transfer-Encoding: chunked',
    'Connection: close',
    'Trailer: Content-Type',
  ]
  const body = '1;name=value\r\nx\r\n0;a\r\nContent-Type: text/html\r\nFrom: evil\r\nMsgbus-Id: 1-1\r\n\r\n'
  t.equal(parse(await send(t, rig, request(rig, 'POST /msgbus/a', lines, body))).status, 204)
  await witness.saw([{ channel: 'a', body: 'x' }], 'trailers')
})

await t.test('an encoded body is refused and never decoded, with the encoding that is taken', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  for (const encoding of ['gzip', 'br', 'zstd', 'deflate', 'identity, gzip', 'x']) {
    const text = await send(t, rig, goodPost(rig, 'a', 'x', [`Content-Encoding: ${encoding}`]))
    t.equal(checkRefusal(t, text, 415, encoding).headers.get('accept-encoding'), 'identity', encoding)
  }
  const identity = goodPost(rig, 'a', 'x', ['Content-Encoding: Identity', 'Connection: close'])
  t.equal(parse(await send(t, rig, identity)).status, 204)
  await witness.saw([{ channel: 'a', body: 'x' }], 'encodings')
})
