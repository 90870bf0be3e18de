// Peers that are slow, silent, greedy or too many. They lose what they wait for, or their connection; nobody else notices
// anything, and what they took is free again afterwards.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t from 'tap'
import { createServer } from '../../src/index.ts'
import {
  checkRefusal,
  chunk,
  goodPost,
  Journal,
  openServer,
  parse,
  RawConnection,
  request,
  type Rig,
  send,
  Witness,
} from './raw.ts'
import { certificate } from './server.ts'

const CLOSE = 'Connection: close'

/** More than the kernel takes from a writer whose reader has stopped. */
const FLOOD_BYTES = 32 * 1024 * 1024
const LARGE = Buffer.alloc(256 * 1024, 'x')

/** Publishes until as much is sent as no kernel takes, or until there is a reason to stop. */
async function flood({ server: { bus } }: Rig, isDone: () => boolean = () => false): Promise<number> {
  let count = 0
  for (; count * LARGE.length < FLOOD_BYTES && !isDone(); count++) {
    void bus.publish({ channel: 'a', type: 'a/b', sender: null, body: LARGE })
    await new Promise(resolve => setImmediate(resolve))
  }
  return count
}

/** The ids of the parts that arrived and what was skipped before each. */
function receipts(text: string): readonly { readonly seq: number; readonly skippedCount: number }[] {
  return [
    ...text.matchAll(/(?:Msgbus-Skipped: (\d+)\r\n)?Content-Type: a\/b\r\n.*\r\nMsgbus-Id: \w+-(\d+)/g),
  ].map(([, skipped = '0', seq]) => ({ seq: Number(seq), skippedCount: Number(skipped) }))
}

const TABLE = '/proc/net/tcp'
const FIN_WAIT_1 = '04'

/** How many connections the server has closed whose bytes the kernel still keeps. Linux only; 0 elsewhere. */
function queuedInKernel({ port }: Rig): number {
  if (!existsSync(TABLE)) return 0
  const localPort = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync(TABLE, 'latin1')
    .split('\n')
    .map(row => row.trim().split(/\s+/))
  return rows.filter(row => row[1]?.endsWith(localPort) && row[3] === FIN_WAIT_1).length
}

await t.test(
  'a reader that stops is reset when its backlog is full, and the others get everything',
  async t => {
    const log = new Journal()
    const rig = await openServer(t, { log, maxBacklogBytes: 100_000 })
    const [stopped, other] = [1, 2].map(() =>
      new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a?slow=close')),
    )
    if (stopped === undefined || other === undefined) throw new Error('no readers')
    for (const reader of [stopped, other]) await reader.matched(`--${rig.server.bus.boundary}\r\n`)
    stopped.socket.pause()
    const isOut = (): boolean => log.entries.some(({ event }) => event === 'sub.slow')
    const count = await flood(rig, isOut)
    t.strictSame((await log.until('sub.slow')).fields['reason'], 'backlog')
    t.equal(log.entries.filter(({ event }) => event === 'sub.slow').length, 1)
    await log.until('unsub')
    t.equal(queuedInKernel(rig), 0, 'nothing is left in the queue of the kernel')
    stopped.socket.resume()
    await stopped.closed()
    await other.matched(new RegExp(`Msgbus-Id: \\w+-${count}\r\nMsgbus-Time: \\d+\r\n\r\nx+\r\n--`))
    t.strictSame(
      receipts(other.text).map(({ seq }) => seq),
      Array.from({ length: count }, (_, at) => at + 1),
    )
    t.notOk(other.isClosed)
  },
)

await t.test('a reader that stops and goes on is told how many messages it lost', async t => {
  const rig = await openServer(t, { maxBacklogBytes: 100_000 })
  const reader = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a'))
  await reader.matched(`--${rig.server.bus.boundary}\r\n`)
  reader.socket.pause()
  let count = await flood(rig)
  reader.socket.resume()
  while (!reader.text.includes('Msgbus-Skipped')) {
    void rig.server.bus.publish({ channel: 'a', type: 'a/b', sender: null, body: Buffer.from('y') })
    count++
    await new Promise(resolve => setImmediate(resolve))
  }
  await reader.matched(`Msgbus-Id: ${lastId(reader.text)}`)
  let expected = 1
  for (const { seq, skippedCount } of receipts(reader.text)) {
    t.equal(seq, expected + skippedCount)
    expected = seq + 1
  }
  t.ok(expected <= count + 1)
})

function lastId(text: string): string {
  return /.*Msgbus-Id: (\S+)/s.exec(text)?.[1] ?? ''
}

await t.test('a reader that takes nothing for the time allowed is reset, however little waits', async t => {
  const log = new Journal()
  const rig = await openServer(t, { log, maxBacklogBytes: 2 * FLOOD_BYTES, writeTimeoutMs: 100 })
  const reader = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a'))
  await reader.matched(`--${rig.server.bus.boundary}\r\n`)
  reader.socket.pause()
  await flood(rig)
  t.strictSame((await log.until('sub.slow')).fields['reason'], 'timeout')
  await log.until('unsub')
  t.equal(queuedInKernel(rig), 0, 'nothing is left in the queue of the kernel')
  reader.socket.resume()
  await reader.closed()
})

await t.test('whoever sends its headers slowly, or nothing, is told so and closed', async t => {
  const rig = await openServer(t, { headersTimeoutMs: 100 })
  const witness = await Witness.open(t, rig)
  const beginnings = [
    '',
    'P',
    'POST /msgbus/a HTTP/1.1\r\n',
    goodPost(rig, 'a', 'x').slice(0, -5),
    '\r\n\r\n',
  ]
  const silent = beginnings.map(bytes => new RawConnection(t, rig.port).write(bytes))
  const answered = new RawConnection(t, rig.port).write(`${goodPost(rig, 'a', 'x')}GET`)
  for (const [at, connection] of silent.entries()) {
    checkRefusal(t, await connection.closed(), 408, JSON.stringify(beginnings[at]))
  }
  const text = await answered.closed()
  t.match(text, /^HTTP\/1\.1 204 /)
  checkRefusal(t, text.slice(text.indexOf('HTTP/1.1 408')), 408, 'after a good request')
  await witness.saw([{ channel: 'a', body: 'x' }], 'slow headers')
})

await t.test('a byte now and then does not extend the time for the headers', async t => {
  const rig = await openServer(t, { headersTimeoutMs: 100 })
  const connection = new RawConnection(t, rig.port).write(`GET / HTTP/1.1\r\nHost: ${rig.host}\r\nX: `)
  const trickle = setInterval(() => connection.write('y'), 20)
  t.teardown(() => {
    clearInterval(trickle)
  })
  connection.socket.once('close', () => {
    clearInterval(trickle)
  })
  checkRefusal(t, await connection.closed(), 408, 'a trickle')
})

await t.test(
  'bodies that would take more than all may hold together are refused before they are read',
  async t => {
    const rig = await openServer(t, { maxBodiesTotalBytes: 1000, maxBodyBytes: 1000 })
    const witness = await Witness.open(t, rig)
    const slow = new RawConnection(t, rig.port)
    slow.write(
      request(rig, 'POST /msgbus/a', [
        'Content-Type: text/plain',
        'Content-Length: 900',
        'Expect: 100-continue',
      ]),
    )
    await slow.matched('100 Continue')
    slow.write('s'.repeat(899))
    // Once those have arrived, not before.
    const probe = request(rig, 'POST /msgbus/a', [
      'Content-Length: 200',
      'Content-Type: text/plain',
      'Expect: 100-continue',
    ])
    for (let text = ''; !text.includes(' 503 ');) {
      const probing = new RawConnection(t, rig.port).write(probe)
      text = await probing.matched('\r\n\r\n')
      probing.socket.destroy()
    }
    const waiting = ['Content-Type: text/plain', 'Content-Length: 200', 'Expect: 100-continue']
    const refused = checkRefusal(
      t,
      await send(t, rig, request(rig, 'POST /msgbus/a', waiting)),
      503,
      'declared',
    )
    const seconds = Number(refused.headers.get('retry-after'))
    t.ok(Number.isInteger(seconds) && seconds >= 5 && seconds <= 15, 'later, and not all at once')
    const growing = request(rig, 'POST /msgbus/a', ['Content-Type: text/plain', 'Transfer-Encoding: chunked'])
    checkRefusal(t, await send(t, rig, `${growing}${chunk('x'.repeat(200))}`), 503, 'growing')
    const part = `--B\r\nContent-Type: text/plain\r\n\r\n${'x'.repeat(200)}`
    const parts = request(
      rig,
      'POST /msgbus/a',
      ['Content-Type: multipart/mixed; boundary=B', 'Content-Length: 9999'],
      part,
    )
    checkRefusal(t, await send(t, rig, parts), 503, 'an unfinished part')
    const fits = goodPost(rig, 'a', 'y'.repeat(80), [CLOSE])
    t.equal(parse(await send(t, rig, fits)).status, 204, 'what fits beside is taken')
    slow.socket.resetAndDestroy()
    // What the other one held is free when its end has been noticed.
    const again = goodPost(rig, 'b', 'z'.repeat(1000), [CLOSE])
    let status = 503
    while (status === 503) status = parse(await send(t, rig, again)).status
    t.equal(status, 204)
    await witness.saw(
      [
        { channel: 'a', body: 'y'.repeat(80) },
        { channel: 'b', body: 'z'.repeat(1000) },
      ],
      'bodies',
    )
  },
)

await t.test('of many uploads that are cut off, none goes on holding its place', async t => {
  const rig = await openServer(t, { maxBodiesTotalBytes: 1000, maxBodyBytes: 1000 })
  const ends = ['0x1\r\n', '5\r\nabc', '', '2\r\nab\r\n0\r\nX: \0\r\n\r\n', 'ffffffffffffffffff\r\n']
  for (const end of ends) {
    const bytes = request(rig, 'POST /msgbus/a', ['Content-Type: text/plain', 'Transfer-Encoding: chunked'])
    const connection = new RawConnection(t, rig.port).write(`${bytes}${chunk('x'.repeat(900))}${end}`)
    connection.socket.end()
    await connection.closed()
    const whole = goodPost(rig, 'a', 'x'.repeat(1000), [CLOSE])
    t.equal(parse(await send(t, rig, whole)).status, 204, JSON.stringify(end))
  }
})

await t.test(
  'near the limit of connections one is asked to come back, past it dropped, and then it is well again',
  async t => {
    const log = new Journal()
    const rig = await openServer(t, { maxConnections: 10, log })
    const open = async (): Promise<RawConnection> => {
      const connection = new RawConnection(t, rig.port)
      await once(connection.socket, 'connect')
      return connection
    }
    const readers: RawConnection[] = []
    for (let count = 0; count < 9; count++) {
      const reader = (await open()).write(request(rig, 'GET /msgbus/a'))
      await reader.matched(`--${rig.server.bus.boundary}\r\n`)
      readers.push(reader)
    }
    const tenth = await open()
    const eleventh = await open()
    t.equal(await eleventh.closed(), '', 'dropped without a word')
    const refused = checkRefusal(
      t,
      await tenth.write(goodPost(rig, 'a', 'x')).closed(),
      503,
      'near the limit',
    )
    t.match(refused.body, /^MSGBUS_BUSY: /)
    const seconds = Number(refused.headers.get('retry-after'))
    t.ok(Number.isInteger(seconds) && seconds >= 5 && seconds <= 15)
    await log.until('conn.limit')
    t.notOk(
      readers.some(reader => reader.isClosed),
      'those who were there stay',
    )
    readers.pop()?.socket.destroy()
    readers.pop()?.socket.destroy()
    let status = 503
    while (status === 503)
      status = parse(await send(t, rig, goodPost(rig, 'a', 'well again', [CLOSE]))).status
    t.equal(status, 204)
    for (const reader of readers) await reader.matched('well again')
  },
)

await t.test('a connection counts before it has said anything over TLS', async t => {
  const rig = await openServer(t, { maxConnections: 4 }, { pem: certificate('a') })
  const silent: RawConnection[] = []
  for (let count = 0; count < 4; count++) {
    const connection = new RawConnection(t, rig.port)
    await once(connection.socket, 'connect')
    silent.push(connection)
  }
  const fifth = new RawConnection(t, rig.port)
  t.equal(await fifth.closed(), '', 'dropped without a word')
  t.notOk(silent.some(({ isClosed }) => isClosed))
})

await t.test('a limit of one connection serves one', async t => {
  const rig = await openServer(t, { maxConnections: 1 })
  t.equal(parse(await send(t, rig, goodPost(rig, 'a', 'x', [CLOSE]))).status, 204)
})

await t.test('a peer that never closes its side keeps no place after it was refused', async t => {
  const rig = await openServer(t, { maxConnections: 1 })
  const refused = [
    'junk\r\n\r\n',
    request(rig, 'POST /msgbus/a', ['Content-Type: text/plain', 'Transfer-Encoding: chunked'], '0x1\r\n'),
    request(rig, 'POST /msgbus/a', ['Content-Type: text/plain', 'Transfer-Encoding: gzip']),
    goodPost(rig, 'a', 'x', ['Expect: a miracle']),
  ]
  for (const bytes of refused) {
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => undefined)
    t.teardown(() => {
      socket.destroy()
    })
    socket.resume().write(bytes)
    await once(socket, 'end')
    let text = ''
    while (text === '') text = await send(t, rig, goodPost(rig, 'a', 'x', [CLOSE]))
    t.equal(parse(text).status, 204, JSON.stringify(bytes.slice(0, 10)))
    socket.destroy()
  }
})

await t.test(
  'a server that closes leaves no connection behind, not even of readers that do not read',
  async t => {
    const server = createServer()
    const http = createHttpServer(server.handle)
    const sockets: Socket[] = []
    http.on('connection', (socket: Socket) => sockets.push(socket))
    http.listen(0, '127.0.0.1')
    t.teardown(() => http.close())
    await once(http, 'listening')
    const { port } = http.address() as AddressInfo
    const rig = { server, port, host: `127.0.0.1:${port}` }
    const readers = Array.from({ length: 20 }, () =>
      new RawConnection(t, port).write(request(rig, 'GET /msgbus/a')),
    )
    for (const reader of readers) await reader.matched(`--${server.bus.boundary}\r\n`)
    for (const reader of readers.slice(10)) reader.socket.pause()
    await flood(rig)
    const closed = Promise.all(sockets.map(socket => once(socket, 'close')))
    await server.close(0)
    await closed
    t.ok(sockets.every(socket => socket.destroyed))
  },
)

const STARVED = `
const { createServer } = await import(process.argv[2])
const server = createServer()
console.log(await server.listen())
`

await t.test('without descriptors left some are turned away, and afterwards it is well again', async t => {
  const dir = t.testdir({ 'starved.mjs': STARVED })
  const module = new URL('../../src/index.js', import.meta.url).href
  const script = 'ulimit -n 64 && exec "$0" "$@"'
  const child: ChildProcess = spawn('bash', ['-c', script, process.execPath, `${dir}/starved.mjs`, module], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  if (child.stdout === null) throw new Error('no output')
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { host, port } = new URL(line.toString().trim())
  const rig = { port: Number(port), host }
  const readers = Array.from({ length: 100 }, () =>
    new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a')),
  )
  const outcomes = await Promise.all(
    readers.map(reader =>
      reader.matched('\r\n\r\n').then(
        () => 'served',
        () => 'closed',
      ),
    ),
  )
  t.ok(outcomes.includes('served') && outcomes.includes('closed'), 'as many as there are descriptors')
  for (const reader of readers) reader.socket.destroy()
  let text = ''
  while (text === '') text = await send(t, rig, goodPost(rig, 'a', 'x', [CLOSE]))
  t.equal(parse(text).status, 204)
})
