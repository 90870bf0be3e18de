// Channels over a WebSocket, by a real client and by literal bytes: frames out, frames in, and what is refused.

import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { certificate, put, start, subscribe, type TestServer } from './server.ts'

function asUser(credentials: string) {
  return { headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } }
}

interface Frame {
  readonly text: string
  readonly isBinary: boolean
}

/** A client that keeps what it is sent until it is asked for. */
class Client {
  readonly socket: WebSocket
  readonly #frames: Frame[] = []

  constructor(t: Test, url: string, options: WebSocket.ClientOptions = {}) {
    this.socket = new WebSocket(url, options)
    this.socket.on('message', (data: Buffer, isBinary) => {
      this.#frames.push({ text: data.toString('latin1'), isBinary })
      this.socket.emit('frame')
    })
    t.teardown(() => {
      this.socket.terminate()
    })
  }

  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift()
      if (frame !== undefined) return frame
      await once(this.socket, 'frame')
    }
  }

  async nextJson(): Promise<unknown> {
    return JSON.parse((await this.next()).text)
  }

  /** @returns Code and reason that the server closed with. */
  async closed(): Promise<readonly [code: number, reason: string]> {
    const [code, reason] = (await once(this.socket, 'close')) as [number, Buffer]
    return [code, reason.toString()]
  }
}

async function open(
  t: Test,
  server: TestServer,
  path: string,
  options: WebSocket.ClientOptions = {},
): Promise<Client> {
  const client = new Client(t, `ws://127.0.0.1:${server.port}${path}`, options)
  await once(client.socket, 'open')
  return client
}

await t.test(
  'a text message is a text frame, any other a binary one, with the bytes as published',
  async t => {
    const server = await start(t)
    const client = await open(t, server, '/msgbus/a')
    put(server, 'a', 'h\xc3\xa9llo')
    put(server, 'a', '\x00\xff', { type: 'image/png' })
    put(server, 'a', '\xff', { type: 'text/plain' })
    put(server, 'a', 'x'.repeat(125))
    put(server, 'a', 'x'.repeat(126))
    put(server, 'a', 'x'.repeat(65_536), { type: 'a/b' })
    t.same(await client.next(), { text: 'h\xc3\xa9llo', isBinary: false })
    t.same(await client.next(), { text: '\x00\xff', isBinary: true })
    t.same(
      await client.next(),
      { text: '\xff', isBinary: true },
      'text that is no UTF-8 would end the connection',
    )
    t.same(await client.next(), { text: 'x'.repeat(125), isBinary: false })
    t.same(await client.next(), { text: 'x'.repeat(126), isBinary: false })
    t.same(await client.next(), { text: 'x'.repeat(65_536), isBinary: true })
  },
)

await t.test(
  'with envelope=json every message is whole, and a wide subscription names its channels',
  async t => {
    const server = await start(t)
    const client = await open(t, server, '/msgbus/?envelope=json&type=text/*')
    put(server, 'a', '{}', { type: 'application/json' })
    const id = put(server, 'a/b', 'hi', { sender: 'dug' })
    t.same(await client.nextJson(), {
      ...{ id, channel: 'a/b', time: 1_700_000_000_000, type: 'text/plain', sender: 'dug', body: 'hi' },
    })
  },
)

await t.test('history comes first, then what is live; what is missing is told before all', async t => {
  const server = await start(t)
  const ids = ['1', '2', '3'].map(body => put(server, 'a', body))
  const client = await open(t, server, `/msgbus/a?envelope=json&since=${ids[0] ?? ''}`)
  put(server, 'a', '4')
  for (const body of ['2', '3', '4']) t.match(await client.nextJson(), { body })
  const lost = await open(t, server, '/msgbus/a?envelope=json&since=abc-1')
  t.same(await lost.nextJson(), { reset: true })
  t.match(await lost.nextJson(), { body: '1' })
})

await t.test('what a client sends is published to the channel of the URL', async t => {
  const server = await start(t)
  const reader = await subscribe(t, server, '/msgbus/a?as=ndjson')
  const client = await open(t, server, '/msgbus/a', asUser('dug:'))
  client.socket.send('text')
  client.socket.send(Buffer.from([0, 255]))
  const [first, second] = [await reader.readChunk(), await reader.readChunk()]
  t.match(JSON.parse(first), { type: 'text/plain; charset=utf-8', sender: 'dug', body: 'text' })
  t.match(JSON.parse(second), { type: 'application/octet-stream', sender: 'dug', base64: 'AP8=' })
})

await t.test(
  'an envelope is published with its own channel, type and sender, and answered by its ref',
  async t => {
    const server = await start(t)
    const reader = await open(t, server, '/msgbus/x?envelope=json')
    const client = await open(t, server, '/msgbus/a?envelope=json')
    const send = (value: unknown): void => {
      client.socket.send(typeof value === 'string' ? value : JSON.stringify(value))
    }
    send({ channel: 'x', type: 'image/png', base64: 'AP8=', sender: 'eve', ref: 7 })
    const answer = (await client.nextJson()) as { readonly published: string }
    t.match(answer, { published: /^[0-9a-f]+-1$/, ref: 7 })
    t.match(await reader.nextJson(), {
      id: answer.published,
      type: 'image/png',
      sender: 'eve',
      base64: 'AP8=',
    })
    for (const [value, error] of [
      ['no json', 'MSGBUS_ENVELOPE'],
      ['[]', 'MSGBUS_ENVELOPE'],
      ['null', 'MSGBUS_ENVELOPE'],
      [{}, 'MSGBUS_ENVELOPE'],
      [{ body: 1 }, 'MSGBUS_ENVELOPE'],
      [{ body: 'x', base64: 'eA==' }, 'MSGBUS_ENVELOPE'],
      [{ base64: '%' }, 'MSGBUS_ENVELOPE'],
      [{ body: 'x', ref: {} }, 'MSGBUS_ENVELOPE'],
      [{ body: 'x', sender: 1 }, 'MSGBUS_ENVELOPE'],
      [{ body: 'x', sender: 'a\nb' }, 'MSGBUS_SENDER'],
      [{ body: 'x', type: 'a/b\r\nX: y' }, 'MSGBUS_TYPE'],
      [{ body: 'x', channel: 'a//b' }, 'MSGBUS_CHANNEL_NAME'],
      [{ body: server.server.bus.boundary }, 'MSGBUS_BODY_BOUNDARY'],
    ] as const) {
      send(value)
      t.match(await client.nextJson(), { error }, JSON.stringify(value))
    }
    send({ body: 'still here' })
    t.match(await client.nextJson(), { published: /-2$/ })
    t.match(await client.nextJson(), { id: /-2$/, body: 'still here' })
  },
)

await t.test('an envelope that cannot be published is answered by its ref, too', async t => {
  const server = await start(t)
  const client = await open(t, server, '/msgbus/a?envelope=json')
  for (const [ref, fields] of [
    [1, { body: 5 }],
    ['two', { body: 'x', sender: 1 }],
    [3, { base64: '%' }],
  ] as const) {
    client.socket.send(JSON.stringify({ ...fields, ref }))
    t.match(await client.nextJson(), { error: 'MSGBUS_ENVELOPE', ref })
  }
})

await t.test('credentials decide the sender, whatever an envelope says', async t => {
  const server = await start(t)
  const client = await open(t, server, '/msgbus/a?envelope=json', asUser('dug:'))
  client.socket.send('{"body":"x","sender":"eve"}')
  t.match(await client.nextJson(), { published: /-1$/ })
  t.match(await client.nextJson(), { sender: 'dug' })
})

await t.test('what cannot be published closes a raw socket with its reason', async t => {
  const server = await start(t, { maxBodyBytes: 1_000 })
  const wide = await open(t, server, '/msgbus/')
  wide.socket.send('x')
  t.match(await wide.closed(), [1008, /^MSGBUS_CHANNEL_NAME: /])
  const large = await open(t, server, '/msgbus/a')
  large.socket.send('x'.repeat(1_001))
  t.match(await large.closed(), [1009, /^MSGBUS_BODY_TOO_LARGE: /])
  const huge = await open(t, server, '/msgbus/a')
  huge.socket.send('x'.repeat(100_000))
  t.match(await huge.closed(), [1009])
  t.equal(server.server.bus.position.seq, 0)
})

await t.test('a ping is answered', async t => {
  const client = await open(t, await start(t), '/msgbus/a')
  client.socket.ping('are you there')
  const [data] = (await once(client.socket, 'pong')) as [Buffer]
  t.equal(data.toString(), 'are you there')
})

await t.test('a server that closes says 1001', async t => {
  const server = await start(t)
  const client = await open(t, server, '/msgbus/a')
  put(server, 'a', 'last words')
  const closed = client.closed()
  await Promise.all([server.server.close(), closed])
  t.same(await client.next(), { text: 'last words', isBinary: false })
  t.equal((await closed)[0], 1001)
})

await t.test('works over TLS, behind other requests on the connection, and over loopback names', async t => {
  const server = await start(t, {}, { pem: certificate('a') })
  const client = new Client(t, `wss://127.0.0.1:${server.port}/msgbus/a`, { rejectUnauthorized: false })
  await once(client.socket, 'open')
  put(server, 'a', 'hello')
  t.match(await client.next(), { text: 'hello' })
})

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const UPGRADE = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${KEY}`

/** Sends a request and returns what comes until the pattern is there or the connection closes. */
async function exchange(t: Test, server: TestServer, text: string, until: RegExp): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(text, 'latin1')
  let received = ''
  for await (const data of socket) {
    received += (data as Buffer).toString('latin1')
    if (until.test(received)) break
  }
  return received
}

await t.test('the handshake and the frames are those of RFC 6455, byte by byte', async t => {
  const server = await start(t)
  put(server, 'a', 'hello')
  const received = await exchange(
    t,
    server,
    `GET /msgbus/a?since=all HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`,
    /hello/,
  )
  t.equal(
    received,
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05hello',
  )
})

await t.test('a frame that is no frame ends the connection and publishes nothing', async t => {
  const server = await start(t)
  for (const frame of [
    '\x81\x01x',
    '\xf1\x80\0\0\0\0',
    '\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff',
    'GET / HTTP/1.1\r\n\r\n',
  ]) {
    const head = `GET /msgbus/a HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`
    const socket = connect(server.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    socket.write(head)
    await once(socket, 'data')
    socket.write(frame, 'latin1')
    socket.resume()
    await once(socket, 'end')
  }
  t.equal(server.server.bus.position.seq, 0)
})

await t.test('a handshake that cannot be answered is refused in words', async t => {
  const server = await start(t)
  const get = 'GET /msgbus/a HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  for (const lines of ['', KEY, 'Sec-WebSocket-Version: 13\r\n', `Sec-WebSocket-Version: 8\r\n${KEY}`]) {
    const received = await exchange(t, server, `${get}${lines}\r\n`, /version 13/)
    t.match(received, /^HTTP\/1\.1 426 Upgrade Required\r\n(?:.*\r\n)*Sec-WebSocket-Version: 13\r\n/)
  }
})

await t.test('other upgrades, other methods and HTTP/1.0 are served as if nobody had asked', async t => {
  const server = await start(t)
  for (const [text, wanted] of [
    [
      'GET /msgbus/a HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      /^HTTP\/1\.1 200 OK/,
    ],
    [`GET /msgbus/a HTTP/1.0\r\n${UPGRADE}\r\n`, /^HTTP\/1\.0 200 OK/],
    [
      `POST /msgbus/a HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}Content-Type: a/b\r\nContent-Length: 1\r\n\r\nx`,
      /^HTTP\/1\.1 204 /,
    ],
  ] as const) {
    t.match(await exchange(t, server, text, /\r\n\r\n/), wanted)
  }
})

await t.test('a page of another origin is refused, and so is whoever has no password', async t => {
  const server = await start(t, { password: 'secret' })
  const url = `ws://127.0.0.1:${server.port}/msgbus/a`
  for (const [options, status] of [
    [{ headers: { ...asUser('x:secret').headers, origin: 'http://elsewhere.example' } }, 403],
    [{}, 401],
    [asUser('x:wrong'), 401],
  ] as const) {
    const client = new Client(t, url, options)
    const [error] = (await once(client.socket, 'error')) as [Error]
    t.match(error.message, `${status}`)
  }
  t.ok(await open(t, server, '/msgbus/a', asUser('x:secret')))
})

await t.test('a poll has no use for a socket', async t => {
  const server = await start(t)
  t.match(
    await exchange(t, server, `GET /msgbus/a?poll HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`, /MSGBUS/),
    /^HTTP\/1\.1 400 /,
  )
})
