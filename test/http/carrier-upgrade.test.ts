// Requests for another protocol: whoever speaks it gets a working socket, at the right place in the bytes.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { ConnectionLimit } from '../../src/http/connection-limit.ts'
import type { Arrival } from '../../src/http/gate.ts'
import { type Listener, type ListenerOptions, openListener } from '../../src/http/listener.ts'
import type { Upgrade } from '../../src/http/upgrade.ts'
import { silentLog } from '../../src/log.ts'
import { certificate, connect, requestText } from '../wire/server.ts'

const NO_BYTES = Buffer.alloc(0)
const WEBSOCKET = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const H2C = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']

/** The text frame `hello` of a client, masked with zeros, and its echo. */
const HELLO = '\x81\x85\0\0\0\0hello'
const HELLO_ECHO = '\x81\x05hello'

interface Rig {
  readonly port: number
  readonly listener: Listener
  /** What came as a plain request: method and path. */
  readonly requests: readonly string[]
}

/** A listener whose `/echo` is a WebSocket that sends back what it gets, and which answers all else with its method. */
async function open(t: Test, options: Partial<ListenerOptions> = {}): Promise<Rig> {
  const sockets = new WebSocketServer({ noServer: true })
  const requests: string[] = []
  const listener = await openListener({
    address: '127.0.0.1',
    port: 0,
    pem: null,
    headersTimeoutMs: 60_000,
    keepAliveMs: 60_000,
    connections: new ConnectionLimit(100),
    log: silentLog,
    handle: ({ req, res }: Arrival) => {
      requests.push(`${req.method ?? ''} ${req.url ?? ''}`)
      req.resume()
      if (req.url === '/never') return
      res.setHeader('Content-Length', req.method?.length ?? 0)
      res.end(req.method)
    },
    upgrade: ({ req, socket }: Upgrade) => {
      if (req.headers.upgrade !== 'websocket' || req.url !== '/echo') return false
      sockets.handleUpgrade(req, socket, NO_BYTES, webSocket => {
        webSocket.on('message', (data: Buffer, isBinary) => {
          webSocket.send(data, { binary: isBinary })
        })
      })
      socket.resume()
      return true
    },
    ...options,
  })
  t.teardown(async () => {
    const closed = listener.close()
    listener.destroy()
    await closed
  })
  return { port: Number(new URL(listener.url).port), listener, requests }
}

for (const pem of [null, certificate('a')]) {
  await t.test(`a WebSocket client is served, TLS ${pem !== null}`, async t => {
    const rig = await open(t, { pem })
    const url = rig.listener.url.replace('http', 'ws')
    const webSocket = new WebSocket(`${url}/echo`, { rejectUnauthorized: false })
    await once(webSocket, 'open')
    for (const text of ['hello', 'x'.repeat(1_000_000)]) {
      webSocket.send(text)
      const [data] = (await once(webSocket, 'message')) as [Buffer]
      t.ok(data.toString() === text)
    }
    webSocket.close(1000)
    const [code] = (await once(webSocket, 'close')) as [number]
    t.equal(code, 1000)
    t.strictSame(rig.requests, [])
  })
}

await t.test('what comes in the same segment as the request is read, and what comes in pieces', async t => {
  const rig = await open(t)
  const request = requestText('GET', '/echo', { headers: WEBSOCKET })
  const eager = await connect(t, rig)
  eager.send(`${request}${HELLO}${HELLO}`)
  t.match((await eager.readHead()).line, /101/)
  t.equal(await eager.read(2 * HELLO_ECHO.length), HELLO_ECHO + HELLO_ECHO)
  eager.send(HELLO)
  t.equal(await eager.read(HELLO_ECHO.length), HELLO_ECHO)
  const slow = await connect(t, rig)
  slow.socket.setNoDelay(true)
  for (const byte of `${request}${HELLO}`) {
    slow.send(byte)
    await new Promise(resolve => setImmediate(resolve))
  }
  t.match((await slow.readHead()).line, /101/)
  t.equal(await slow.read(HELLO_ECHO.length), HELLO_ECHO)
})

await t.test(
  'behind an answered request another protocol begins, behind an unanswered one it does not',
  async t => {
    const rig = await open(t)
    const upgrade = requestText('GET', '/echo', { headers: WEBSOCKET })
    const answered = await connect(t, rig)
    answered.send(requestText('GET', '/'))
    await answered.readAnswer()
    answered.send(`${upgrade}${HELLO}`)
    t.match((await answered.readHead()).line, /101/)
    t.equal(await answered.read(HELLO_ECHO.length), HELLO_ECHO)
    const unanswered = await connect(t, rig)
    unanswered.send(`${requestText('GET', '/never')}${upgrade}${HELLO}`)
    t.equal(await unanswered.readToEnd(), '')
  },
)

await t.test('what nobody takes is answered as if it had not been asked', async t => {
  const rig = await open(t)
  const connection = await connect(t, rig)
  const rows = [
    requestText('GET', '/h2c', { headers: H2C }),
    requestText('GET', '/elsewhere', { headers: WEBSOCKET }),
    requestText('POST', '/echo', { headers: WEBSOCKET, body: HELLO }),
    requestText('GET', '/body', { headers: H2C, body: 'x'.repeat(100_000) }),
  ]
  for (const request of rows) {
    connection.send(request)
    const answer = await connection.readAnswer()
    t.strictSame([answer.status, answer.body], [200, request.split(' ')[0]])
  }
  t.strictSame(
    rig.requests,
    rows.map(request => request.split(' HTTP')[0]),
  )
})

await t.test('the request is offered as it came, and answered with all its headers', async t => {
  const lines = [
    'X-Empty:',
    'X-Twice: a',
    'X-Twice: b',
    'X-Bytes: \xe4\xff',
    'Expect: 100-continue',
    'Content-Length: 1',
  ]
  const seen: (readonly string[])[] = []
  const rig = await open(t, {
    handle: ({ req, res, expectsContinue }) => {
      seen.push(req.rawHeaders)
      t.ok(expectsContinue)
      res.writeContinue()
      req.resume().on('end', () => res.writeHead(204).end())
    },
    upgrade: ({ req }) => {
      seen.push(req.rawHeaders)
      return false
    },
  })
  const connection = await connect(t, rig)
  connection.send(requestText('GET', '/', { headers: [...H2C, ...lines] }))
  t.match((await connection.readHead()).line, /100/)
  connection.send('x')
  t.equal((await connection.readHead()).status, 204)
  t.equal(seen.length, 2)
  t.strictSame(seen[0], seen[1])
  t.equal(seen[0]?.length, 2 * (1 + H2C.length + lines.length))
})

await t.test('without anybody to take them, requests for another protocol are as any other', async t => {
  const requests: string[] = []
  const listener = await openListener({
    address: '127.0.0.1',
    port: 0,
    pem: null,
    headersTimeoutMs: 60_000,
    keepAliveMs: 60_000,
    connections: new ConnectionLimit(100),
    log: silentLog,
    handle: ({ req, res }) => {
      requests.push(req.url ?? '')
      res.writeHead(204).end()
    },
  })
  t.teardown(() => listener.close())
  const connection = await connect(t, { port: Number(new URL(listener.url).port) })
  for (const headers of [WEBSOCKET, H2C]) {
    connection.send(requestText('GET', '/echo', { headers }))
    t.equal((await connection.readHead()).status, 204)
  }
  t.strictSame(requests, ['/echo', '/echo'])
})
