// What a page of another site can make a visitor's browser send, at the level of headers: publishing, reading, guessed
// host names, scripts and documents that others published. Browsers themselves are tested elsewhere.

import t, { type Test } from 'tap'
import {
  basic,
  checkRefusal,
  goodPost,
  openServer,
  parse,
  RawConnection,
  request,
  type Rig,
  send,
  Witness,
} from './raw.ts'

const CLOSE = 'Connection: close'

async function statusOf(t: Test, rig: Rig, bytes: string): Promise<number> {
  return parse(await send(t, rig, bytes)).status
}

await t.test('a page of another site cannot publish, by any means that needs no permission', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=B',
    'text/plain;charset=UTF-8',
  ]
  const senders: readonly (readonly string[])[] = [
    ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors', 'Origin: https://evil.example'],
    [
      'Sec-Fetch-Site: cross-site',
      'Sec-Fetch-Mode: navigate',
      'Sec-Fetch-Dest: document',
      'Origin: https://evil.example',
    ],
    ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Origin: null'],
    [
      'Sec-Fetch-Site: same-site',
      'Sec-Fetch-Mode: no-cors',
      `Origin: http://${rig.host.replace(/\d+$/, '1')}`,
    ],
    ['Sec-Fetch-Site: same-site'],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-origin, cross-site'],
    ['Sec-Fetch-Site: SAME-ORIGIN'],
    ['Sec-Fetch-Site: '],
    ['Sec-Fetch-Site: cross-site', `Origin: http://${rig.host}`],
    ['Origin: https://evil.example'],
    ['Origin: null'],
    ['Origin: '],
    [`Origin: http://${rig.host}.evil.example`],
    [`Origin: http://evil.example/${rig.host}`],
    [`Origin: http://user@${rig.host}`],
    [`Origin: file://${rig.host}`],
    ['Origin: http://127.0.0.1'],
  ]
  for (const lines of senders) {
    for (const type of types) {
      const post = goodPost(rig, 'a', 'x', lines).replace('text/plain', type)
      checkRefusal(t, await send(t, rig, post), 403, `${type} with ${lines.join(', ')}`)
    }
    const put = goodPost(rig, 'a', 'x', lines).replace('POST', 'PUT')
    checkRefusal(t, await send(t, rig, put), 403, `PUT with ${lines.join(', ')}`)
  }
  const programs: readonly (readonly string[])[] = [
    [],
    ['Sec-Fetch-Site: same-origin', `Origin: http://${rig.host}`],
    ['Sec-Fetch-Site: none'],
    [`Origin: http://${rig.host}`],
  ]
  for (const lines of programs) {
    t.equal(await statusOf(t, rig, goodPost(rig, 'a', 'x', [...lines, CLOSE])), 204, lines.join(', '))
  }
  await witness.saw(
    programs.map(() => ({ channel: 'a', body: 'x' })),
    'cross-site publishing',
  )
})

await t.test(
  'a page of another site is refused whatever credentials the browser adds, and never asked for some',
  async t => {
    const rig = await openServer(t, { password: 'secret' })
    const witness = await Witness.open(t, rig, [basic('', 'secret')])
    const foreign = ['Sec-Fetch-Site: cross-site', 'Origin: https://evil.example']
    for (const lines of [foreign, [...foreign, basic('u', 'secret')], [...foreign, basic('u', 'wrong')]]) {
      const { headers } = checkRefusal(
        t,
        await send(t, rig, goodPost(rig, 'a', 'x', lines)),
        403,
        lines.join(', '),
      )
      t.notOk(headers.has('www-authenticate'))
    }
    await witness.saw([], 'ambient credentials')
  },
)

await t.test('a host name that is not ours is refused for every method and upgrade', async t => {
  const rig = await openServer(t, { allowedHosts: ['bus.example'] })
  const witness = await Witness.open(t, rig)
  const port = `${rig.port}`
  const names = [
    ...[
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'evil.example.',
      '0.0.0.0',
    ],
    ...[
      'localhost@evil.example',
      'localhost/',
      'localhost, evil.example',
      'localhost evil',
      '',
      '::1',
      '[::1',
      '[::1].x',
      '127.1',
    ],
    ...[
      '127.0.0.1:1:2',
      'bus.example.',
      'x.bus.example',
      'bus.example.evil',
      '*',
      '2130706433',
      '[::ffff:127.0.0.1]',
      '[localhost]',
    ],
  ]
  for (const name of names) {
    const bytes = goodPost(rig, 'a', 'x').replace(`Host: ${rig.host}`, `Host: ${name}`)
    checkRefusal(t, await send(t, rig, bytes), 421, `Host: ${name}`)
  }
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'TRACE', 'DELETE', 'PATCH']) {
    const lines = [
      'Content-Type: text/plain',
      'Content-Length: 0',
      'Connection: Upgrade',
      'Upgrade: websocket',
    ]
    const bytes = request(rig, `${method} /msgbus/a`, lines).replace(rig.host, 'evil.example')
    t.equal(await statusOf(t, rig, bytes), 421, method)
  }
  const ours = [
    'localhost',
    `LOCALHOST:${port}`,
    '127.0.0.1',
    '127.0.0.1:1',
    '127.1.2.3',
    '[::1]',
    `[::1]:${port}`,
    'bus.example',
    'Bus.Example:80',
  ]
  for (const name of ours) {
    const bytes = goodPost(rig, 'a', 'x', [CLOSE]).replace(`Host: ${rig.host}`, `Host: ${name}`)
    t.equal(await statusOf(t, rig, bytes), 204, `Host: ${name}`)
  }
  await witness.saw(
    ours.map(() => ({ channel: 'a', body: 'x' })),
    'host names',
  )
  const open = await openServer(t, { allowedHosts: ['*'] })
  t.equal(
    await statusOf(t, open, goodPost(open, 'a', 'x', [CLOSE]).replace(open.host, 'evil.example')),
    204,
    'switched off',
  )
})

await t.test(
  'without listed origins nothing is ever said about CORS, and a preflight is refused',
  async t => {
    const rig = await openServer(t)
    for (const origin of ['https://evil.example', 'null', `http://${rig.host}`, '*']) {
      for (const method of ['GET', 'OPTIONS', 'POST']) {
        const lines = [`Origin: ${origin}`, 'Access-Control-Request-Method: POST', 'Content-Length: 0', CLOSE]
        const connection = new RawConnection(t, rig.port).write(request(rig, `${method} /msgbus/a`, lines))
        t.notMatch(await connection.matched('\r\n\r\n'), /access-control-/i, `${method} from ${origin}`)
        connection.socket.destroy()
      }
    }
    const preflight = ['Origin: https://evil.example', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: cors']
    checkRefusal(t, await send(t, rig, request(rig, 'OPTIONS /msgbus/a', preflight)), 403, 'a preflight')
  },
)

await t.test('a listed origin may read and publish, and only that very one', async t => {
  const rig = await openServer(t, { allowedOrigins: ['https://good.example'] })
  const witness = await Witness.open(t, rig)
  const cors = ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: cors', CLOSE]
  const good = [...cors, 'Origin: https://good.example']
  const post = parse(await send(t, rig, goodPost(rig, 'a', 'x', good)))
  const preflight = parse(await send(t, rig, request(rig, 'OPTIONS /msgbus/a', good)))
  const missing = parse(await send(t, rig, request(rig, 'GET /nothing', good)))
  const stream = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a', good))
  const streamed = parse(await stream.matched(`--${rig.server.bus.boundary}\r\n\r\n`))
  t.strictSame([post.status, preflight.status, missing.status, streamed.status], [204, 204, 404, 200])
  for (const { headers } of [post, preflight, missing, streamed]) {
    t.equal(headers.get('access-control-allow-origin'), 'https://good.example')
    t.equal(headers.get('vary'), 'Origin')
    t.equal(headers.get('cross-origin-resource-policy'), 'cross-origin')
  }
  t.equal(preflight.headers.get('access-control-max-age'), '600')
  const others = [
    ...[
      'https://evil.example',
      'null',
      'http://good.example',
      'https://good.example:444',
      'https://good.example.evil',
    ],
    ...[
      'https://evil-good.example',
      'https://GOOD.example',
      'https://good.example/',
      'https://good.example, https://x.y',
    ],
  ]
  for (const origin of others) {
    const lines = [...cors, `Origin: ${origin}`]
    for (const bytes of [goodPost(rig, 'a', 'x', lines), request(rig, 'GET /msgbus/a', lines)]) {
      const { headers } = checkRefusal(t, await send(t, rig, bytes), 403, origin)
      t.notOk(headers.has('access-control-allow-origin'), origin)
    }
  }
  await witness.saw([{ channel: 'a', body: 'x' }], 'listed origins')
})

await t.test(
  'another site cannot include a stream, and nobody can make a worker of a published script',
  async t => {
    const rig = await openServer(t)
    for (const mode of ['no-cors', 'cors', 'websocket', 'same-origin']) {
      for (const destination of ['image', 'script', 'empty', 'video', 'style', 'serviceworker']) {
        const lines = [
          'Sec-Fetch-Site: cross-site',
          `Sec-Fetch-Mode: ${mode}`,
          `Sec-Fetch-Dest: ${destination}`,
        ]
        checkRefusal(
          t,
          await send(t, rig, request(rig, 'GET /msgbus/a', lines)),
          403,
          `${mode} ${destination}`,
        )
      }
    }
    const worker = [
      'Sec-Fetch-Site: same-origin',
      'Sec-Fetch-Mode: same-origin',
      'Sec-Fetch-Dest: serviceworker',
      'Service-Worker: script',
    ]
    checkRefusal(t, await send(t, rig, request(rig, 'GET /msgbus/a', worker)), 403, 'a service worker')
  },
)

const OWED: ReadonlyMap<string, string> = new Map([
  ['content-security-policy', "sandbox; default-src 'none'; frame-ancestors 'self'"],
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'no-referrer'],
  ['cache-control', 'no-store'],
  ['cross-origin-resource-policy', 'same-origin'],
])

await t.test(
  'every answer keeps what others published from running, being guessed at, framed or cached',
  async t => {
    const rig = await openServer(t, { password: 'secret' })
    const user = basic('u', 'secret')
    const requests = [
      goodPost(rig, 'a', 'x', [user, CLOSE]),
      request(rig, 'HEAD /msgbus/a', [user, CLOSE]),
      request(rig, 'OPTIONS /msgbus/a', [CLOSE]),
      request(rig, 'GET /msgbus/a%00', [user]),
      request(rig, 'GET /elsewhere', [user]),
      request(rig, 'GET /msgbus/a'),
      request(rig, 'DELETE /msgbus/a', [user]),
      goodPost(rig, 'a', 'x', [user, 'Sec-Fetch-Site: cross-site']),
      request(rig, 'GET //'),
    ]
    const streams = ['', '?as=image', '?framing=2008'].map(query =>
      request(rig, `GET /msgbus/a${query}`, [user]),
    )
    const answers = await Promise.all([
      ...requests.map(bytes => send(t, rig, bytes)),
      ...streams.map(bytes => new RawConnection(t, rig.port).write(bytes).matched('\r\n\r\n')),
    ])
    for (const text of answers) {
      const { status, headers } = parse(text)
      for (const [name, value] of OWED) t.equal(headers.get(name), value, `${status}: ${name}`)
      for (const name of ['server', 'x-powered-by', 'set-cookie', 'refresh'])
        t.notOk(headers.has(name), `${status}: ${name}`)
    }
  },
)

await t.test('no header of a publisher reaches a reader, but for the type', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const own = [
    ...[
      'Set-Cookie: a=b',
      'Content-Security-Policy: x',
      'Content-Disposition: inline',
      'Content-Range: bytes 0-0/1',
    ],
    ...[
      'Refresh: 0;url=//evil',
      'Link: <x>',
      'Clear-Site-Data: "*"',
      'Service-Worker-Allowed: /',
      'From: forged',
      'Date: x',
    ],
    ...[
      'Content-Location: /msgbus/forged',
      'Msgbus-Id: 1-1',
      'Msgbus-Skipped: 5',
      'Last-Modified: x',
      'Location: /',
    ],
  ]
  t.equal(await statusOf(t, rig, goodPost(rig, 'a', 'x', [...own, CLOSE])), 204)
  const part = `--B\r\n${own.join('\r\n')}\r\nContent-Type: text/plain\r\n\r\nx\r\n--B--\r\n`
  const lines = ['Content-Type: multipart/mixed; boundary=B', `Content-Length: ${part.length}`, CLOSE]
  t.equal(await statusOf(t, rig, request(rig, 'POST /msgbus/a', lines, part)), 204)
  const formType = 'Content-Type: multipart/form-data; boundary=B'
  const formPart = part.replace(
    'Content-Disposition: inline',
    'Content-Disposition: form-data; name="a"; filename="b"',
  )
  const form = request(
    rig,
    'POST /msgbus/a',
    [formType, `Content-Length: ${formPart.length}`, CLOSE],
    formPart,
  )
  t.equal(await statusOf(t, rig, form), 204)
  await witness.saw(
    Array.from({ length: 3 }, () => ({ channel: 'a', body: 'x' })),
    "publishers' headers",
  )
})
