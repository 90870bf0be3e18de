// Readers that do not keep up: what each policy loses, that the loss is told to the last message, that nobody else
// notices. The kernel takes some 4 MB before anything waits in the server, so each test publishes more than that.

import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { ServerOptions } from '../../src/server.ts'
import {
  type Connection,
  certificate,
  chunk,
  connect,
  connectSecurely,
  GIF,
  requestText,
  start,
  type TestServer,
} from './server.ts'

const MESSAGE_BYTES = 64 * 1024
const FLOOD_COUNT = 256

interface RigOptions extends ServerOptions {
  readonly isSecure?: boolean
}

/** A server, a healthy reader, and the count of what was published; messages number themselves from 1. */
class Rig {
  readonly server: TestServer
  readonly boundary: string
  readonly healthy: Connection
  readonly stalled: Connection
  publishedCount = 0

  private constructor(server: TestServer, healthy: Connection, stalled: Connection) {
    this.server = server
    this.boundary = server.server.bus.boundary
    this.healthy = healthy
    this.stalled = stalled
  }

  /** The other reader asks for the policy of the query, and reads nothing to begin with. */
  static async open(t: Test, query: string, { isSecure = false, ...options }: RigOptions = {}): Promise<Rig> {
    const server = await start(t, options, { pem: isSecure ? certificate('a') : null })
    const open = async (path: string): Promise<Connection> => {
      const stream = isSecure ? await connectSecurely(t, server) : await connect(t, server)
      stream.send(requestText('GET', path))
      await stream.readHead()
      await stream.readChunk()
      return stream
    }
    const healthy = await open('/msgbus/foo')
    const stalled = await open(`/msgbus/foo${query}`)
    stalled.socket.pause()
    return new Rig(server, healthy, stalled)
  }

  /** Publishes a message and waits until the healthy reader has it. */
  async send(byteCount = 0): Promise<void> {
    const text = `${++this.publishedCount} `.padEnd(byteCount, 'x')
    const body = Buffer.from(text)
    void this.server.server.bus.publish({ channel: 'foo', type: 'text/plain', sender: null, body })
    const part = await this.healthy.readPart(this.boundary)
    if (part.body !== text || part.headers.has('msgbus-skipped')) {
      throw new Error(`The healthy reader got ${part.body.slice(0, 20)} instead of ${this.publishedCount}`)
    }
  }

  async flood(): Promise<void> {
    for (let at = 0; at < FLOOD_COUNT; at++) await this.send(MESSAGE_BYTES)
  }
}

/** What the stalled reader got in the end. */
interface Account {
  readonly numbers: number[]
  skippedCount: number
}

/** Reads until `isLast` says so. Throws for a part that is not whole, and for a loss that is not told exactly. */
async function read(
  { stalled, boundary }: Rig,
  account: Account,
  isLast: (number: number) => boolean,
): Promise<void> {
  let before = account.numbers.at(-1) ?? 0
  while (!isLast(before)) {
    const { body, headers } = await stalled.readPart(boundary)
    const number = Number.parseInt(body, 10)
    const skippedCount = Number(headers.get('msgbus-skipped') ?? 0)
    if (number !== before + skippedCount + 1) {
      throw new Error(`${number} came after ${before}, and ${skippedCount} are said to be skipped`)
    }
    account.numbers.push(number)
    account.skippedCount += skippedCount
    before = number
  }
}

/** Lets the stalled reader read, and publishes small messages until it has the newest. */
async function catchUp(rig: Rig, account: Account): Promise<void> {
  const floodEnd = rig.publishedCount
  let isCaughtUp = false
  rig.stalled.socket.resume()
  const reading = read(rig, account, number => isCaughtUp && number === rig.publishedCount)
  // What fails here is seen below.
  reading.catch(() => undefined)
  while ((account.numbers.at(-1) ?? 0) <= floodEnd) {
    await rig.send()
    await Promise.race([reading, new Promise(setImmediate)])
  }
  isCaughtUp = true
  await rig.send()
  await reading
}

const TCP_TABLE = '/proc/net/tcp'

/**
 * Whether the kernel still keeps the server's end of a connection, as it does after a plain close for as long as the
 * reader takes nothing. Always false where it cannot be asked.
 */
function isKept({ server, stalled }: Rig): boolean {
  if (!existsSync(TCP_TABLE)) return false
  const [near, far] = [server.port, stalled.socket.localPort ?? 0].map(
    port => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`,
  )
  return readFileSync(TCP_TABLE, 'latin1').includes(`: ${near} ${far} `)
}

/** Fails unless the stalled reader is gone, by RST, in the middle of what it was sent. */
async function expectCutOff(t: Test, rig: Rig, reason: string): Promise<void> {
  t.equal((await rig.server.log.until('sub.slow')).reason, reason)
  await rig.server.log.until('unsub')
  t.notOk(isKept(rig), 'by RST: megabytes would stay in the send queue otherwise')
  rig.stalled.socket.resume()
  t.notOk((await rig.stalled.readToEnd()).endsWith('\r\n0\r\n\r\n'), 'the stream was not ended in good order')
  t.equal(rig.server.log.events.filter(({ name }) => name === 'sub.slow').length, 1)
  await rig.send()
}

for (const [name, query, isSecure] of [
  ['by default', '', false],
  ['slow=drop', '?slow=drop', false],
  ['over TLS', '', true],
] as const) {
  await t.test(`drop (${name}): a reader that stalls loses the newest, and every loss is told`, async t => {
    const rig = await Rig.open(t, query, { maxBacklogBytes: 200_000, isSecure })
    const account: Account = { numbers: [], skippedCount: 0 }
    let lostBefore = 0
    for (const round of ['first', 'second']) {
      await rig.flood()
      await catchUp(rig, account)
      t.ok(account.skippedCount > lostBefore, `something was lost the ${round} time`)
      t.equal(account.numbers.length + account.skippedCount, rig.publishedCount)
      lostBefore = account.skippedCount
      rig.stalled.socket.pause()
    }
    t.same(
      account.numbers.slice(0, 30),
      Array.from({ length: 30 }, (_, at) => at + 1),
      'the oldest arrived',
    )
  })
}

await t.test('latest: a reader that stalls gets what the kernel holds, and then the newest', async t => {
  const rig = await Rig.open(t, '?slow=latest')
  await rig.flood()
  const floodEnd = rig.publishedCount
  rig.stalled.socket.resume()
  const account: Account = { numbers: [], skippedCount: 0 }
  await read(rig, account, number => number === floodEnd)
  t.ok(account.skippedCount > 0)
  t.equal(account.numbers.length + account.skippedCount, floodEnd)
  t.equal(account.numbers.at(-2), floodEnd - account.skippedCount - 1, 'in one gap, before the newest')
  await catchUp(rig, account)
  t.equal(account.numbers.length + account.skippedCount, rig.publishedCount)
})

await t.test('close: a reader that stalls is cut off at the bound', async t => {
  const rig = await Rig.open(t, '?slow=close', { maxBacklogBytes: 200_000 })
  await rig.flood()
  await expectCutOff(t, rig, 'backlog')
})

for (const slow of ['drop', 'latest', 'close']) {
  await t.test(`${slow}: a reader that takes no byte for the write timeout is cut off`, async t => {
    const rig = await Rig.open(t, `?slow=${slow}`, { maxBacklogBytes: 1_000_000_000, writeTimeoutMs: 200 })
    await rig.flood()
    await expectCutOff(t, rig, 'timeout')
  })
}

await t.test('a picture reader that stalls over nothing but heartbeats is cut off too', async t => {
  const picture = Buffer.concat([Buffer.from(GIF, 'latin1'), Buffer.alloc(1_000_000)])
  const server = await start(t, { heartbeatMs: 100, writeTimeoutMs: 200 })
  const stalled = await connect(t, server)
  stalled.send(requestText('GET', '/msgbus/cam?as=image'))
  await stalled.readHead()
  stalled.socket.pause()
  void server.server.bus.publish({ channel: 'cam', type: 'image/gif', sender: null, body: picture })
  await server.log.until('sub.slow')
  t.equal(server.log.events.find(({ name }) => name === 'sub.slow')?.fields.reason, 'timeout')
})

await t.test('a reader that has caught up may idle longer than the write timeout', async t => {
  const options = { maxBacklogBytes: 1_000_000_000, writeTimeoutMs: 2_000, heartbeatMs: 2_200 }
  const rig = await Rig.open(t, '', options)
  await rig.flood()
  const account: Account = { numbers: [], skippedCount: 0 }
  await catchUp(rig, account)
  t.equal(account.skippedCount, 0, 'all of it waited')
  const ping = chunk('Msgbus-Ping: 1\r\n')
  t.equal(await rig.stalled.read(ping.length), ping)
  t.notOk(rig.server.log.events.some(({ name }) => name === 'sub.slow'))
})
