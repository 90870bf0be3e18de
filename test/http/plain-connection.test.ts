import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { DateLine } from '../../src/http/answer-text.ts'
import { Intake } from '../../src/http/intake.ts'
import { PlainConnection } from '../../src/http/plain-connection.ts'
import type { PlainPublisher } from '../../src/http/plain-runs.ts'
import type { Draft, Message } from '../../src/message.ts'

function toMessage(draft: Draft, seq: number): Message {
  return { ...draft, id: `epoch-${seq}`, seq, time: 0, ordinal: 0 }
}

const KEEP_ALIVE_MS = 65_000
const ROOM_BYTES = 2_000_000
const POST = 'POST /foo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx'
const HALF = POST.slice(0, 40)
const LONG_HEAD = POST.slice(0, -1).replace(': 1\r', ': 100000\r')
const LONG_BODY = Array.from({ length: 10_000 }, (_, at) => String(at).padStart(10)).join('')
const DELETE = 'DELETE /foo HTTP/1.1\r\nHost: a\r\n\r\n'

/** As much of a socket as is used. Its client takes what is written when it is told to. */
class FakeSocket extends Duplex {
  timeoutMs = 0
  taken = ''
  #isTaking = false
  #take: () => void = () => undefined

  setTimeout(timeoutMs: number): this {
    this.timeoutMs = timeoutMs
    return this
  }

  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Takes what was written, and what will be. */
  takeAll(): void {
    this.#isTaking = true
    this.#take()
  }

  get answerCount(): number {
    return this.taken.split('HTTP/1.1 204 ').length - 1
  }

  override _read(): void {
    return
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#take = () => {
      this.taken += bytes.toString('latin1')
      done()
    }
    if (this.#isTaking) this.#take()
  }
}

interface Rig {
  readonly socket: FakeSocket
  readonly bodies: string[]
  readonly intake: Intake
  readonly connection: PlainConnection
  readonly counts: { published: number; handedOver: number; refused: number }
}

function open(t: Test, { highWaterMark = 16_384, isLater = false } = {}): Rig {
  const intake = new Intake(ROOM_BYTES)
  const bodies: string[] = []
  const socket = new FakeSocket({ writableHighWaterMark: highWaterMark })
  t.teardown(() => socket.destroy())
  const counts = { published: 0, handedOver: 0, refused: 0 }
  const publisher: PlainPublisher = {
    publishAll: drafts => {
      bodies.push(...drafts.map(({ body }) => Buffer.from(body).toString('latin1')))
      const messages = drafts.map(draft => toMessage(draft, ++counts.published))
      return isLater ? nextTurn(messages) : messages
    },
  }
  const connection = new PlainConnection(socket as unknown as Socket, new DateLine(), {
    keepAliveMs: KEEP_ALIVE_MS,
    resolve: ({ type }) => ({
      kind: 'message',
      publisher,
      draftOf: body => ({ channel: 'a', type, sender: null, body }),
      copyOf: (bytes, from, end) => bytes.subarray(from, end),
    }),
    hold: () => intake.hold(),
    onRefused: () => {
      counts.refused++
    },
    openStream: () => t.fail('no stream was sent'),
    handOver: () => {
      counts.handedOver++
    },
    onLeave: () => undefined,
  })
  return { socket, connection, counts, bodies, intake }
}

async function send(socket: FakeSocket, bytes: string | null): Promise<void> {
  socket.push(bytes, 'latin1')
  await nextTurn()
}

await t.test('a client that takes no answers is let go of, whatever it has begun', async t => {
  for (const bytes of [POST, POST + HALF, POST + DELETE, POST + 'x'.repeat(20_000)]) {
    const { socket, counts } = open(t, { highWaterMark: 1 })
    await send(socket, bytes)
    t.equal(socket.timeoutMs, KEEP_ALIVE_MS)
    socket.emit('timeout')
    t.ok(socket.destroyed)
    t.strictSame(counts, { published: 1, handedOver: 0, refused: 0 })
  }
})

await t.test(
  'the rest of a request has its time from when it can come, and HTTP waits on for it',
  async t => {
    const { socket, counts } = open(t, { highWaterMark: 1 })
    await send(socket, POST + HALF)
    socket.takeAll()
    await nextTurn()
    t.ok(socket.timeoutMs > 0 && socket.timeoutMs < KEEP_ALIVE_MS)
    t.equal(counts.handedOver, 0)
    socket.emit('timeout')
    t.strictSame(counts, { published: 1, handedOver: 1, refused: 0 })
    t.equal(socket.timeoutMs, 0)
    t.equal(String(socket.read()), HALF)
  },
)

await t.test('HTTP has a connection when the answers before are taken', async t => {
  const { socket, counts } = open(t, { highWaterMark: 1 })
  await send(socket, POST + DELETE + POST)
  t.equal(counts.handedOver, 0)
  socket.takeAll()
  await nextTurn()
  t.strictSame(counts, { published: 1, handedOver: 1, refused: 0 })
  t.equal(socket.answerCount, 1)
  t.equal(String(socket.read()), DELETE + POST)
})

await t.test('one that is closed sends its answers first, and carries out nothing more', async t => {
  const { socket, connection, counts } = open(t)
  await send(socket, POST)
  await send(socket, POST)
  connection.close()
  await send(socket, POST)
  t.notOk(socket.destroyed)
  socket.takeAll()
  await nextTurn()
  t.ok(socket.destroyed)
  t.equal(socket.answerCount, 2)
  t.strictSame(counts, { published: 2, handedOver: 0, refused: 0 })
})

await t.test('a client that takes none of its last answers is let go of', async t => {
  const { socket, connection } = open(t)
  await send(socket, POST + HALF)
  connection.close()
  t.equal(socket.timeoutMs, KEEP_ALIVE_MS)
  socket.emit('timeout')
  t.ok(socket.destroyed)
})

await t.test('a client that has said all has its answer, with whatever behind it', async t => {
  for (const behind of ['', HALF, DELETE, 'x'.repeat(20_000)]) {
    const { socket, counts } = open(t, { isLater: true })
    socket.push(POST + behind, 'latin1')
    await send(socket, null)
    await nextTurn()
    await nextTurn()
    socket.takeAll()
    await nextTurn()
    t.ok(socket.destroyed, behind.slice(0, 8))
    t.equal(socket.answerCount, 1, behind.slice(0, 8))
    t.strictSame(counts, { published: 1, handedOver: 0, refused: behind === HALF ? 1 : 0 })
  }
})

await t.test(
  'a body that comes in pieces is published as soon as it is whole, however it is cut',
  async t => {
    const bytes = LONG_HEAD + LONG_BODY + POST
    const lengths = [LONG_HEAD.length - 1, LONG_HEAD.length, LONG_HEAD.length + 1, 30_000, bytes.length - 1]
    for (const length of lengths) {
      const { socket, counts, bodies, intake } = open(t)
      await send(socket, POST + bytes.slice(0, length))
      for (let at = length; at < bytes.length; at += length) await send(socket, bytes.slice(at, at + length))
      t.strictSame(counts, { published: 3, handedOver: 0, refused: 0 })
      t.ok(bodies.join('') === `x${LONG_BODY}x`, `pieces of ${length}`)
      intake.hold().set(ROOM_BYTES)
    }
  },
)

await t.test('a body that is kept later is read on behind', async t => {
  const { socket, counts, bodies } = open(t, { isLater: true })
  await send(socket, LONG_HEAD)
  await send(socket, LONG_BODY + LONG_HEAD + LONG_BODY.slice(0, 10))
  await send(socket, LONG_BODY.slice(10))
  await nextTurn()
  await nextTurn()
  t.strictSame(counts, { published: 2, handedOver: 0, refused: 0 })
  t.ok(bodies.join('') === LONG_BODY + LONG_BODY)
})

await t.test('HTTP has a body that is long, slow, or finds no room, as far as it came', async t => {
  const begun = LONG_HEAD + LONG_BODY.slice(0, 50_000)
  const slow = open(t)
  await send(slow.socket, begun)
  t.equal(slow.counts.handedOver, 0)
  slow.socket.emit('timeout')
  const full = open(t)
  full.intake.hold().set(ROOM_BYTES - 60_000)
  await send(full.socket, begun)
  t.equal(full.counts.handedOver, 0)
  await send(full.socket, LONG_BODY.slice(50_000))
  const long = open(t)
  await send(long.socket, LONG_HEAD.replace('100000', '1048577'))
  for (const [rig, bytes] of [
    [slow, begun],
    [full, LONG_HEAD + LONG_BODY],
    [long, LONG_HEAD.replace('100000', '1048577')],
  ] as const) {
    t.strictSame(rig.counts, { published: 0, handedOver: 1, refused: 0 })
    t.ok((rig.socket.read() as Buffer).toString('latin1') === bytes)
  }
  full.intake.hold().set(60_000)
  t.throws(() => {
    full.intake.hold().set(1)
  })
})

await t.test('a body that never comes takes its room with it', async t => {
  const { socket, counts, intake } = open(t)
  await send(socket, LONG_HEAD + LONG_BODY.slice(1))
  socket.takeAll()
  await send(socket, null)
  await nextTurn()
  t.ok(socket.destroyed)
  t.match(socket.taken, /^HTTP\/1\.1 400 [^]*MSGBUS_BODY_INCOMPLETE/)
  t.strictSame(counts, { published: 0, handedOver: 0, refused: 1 })
  intake.hold().set(ROOM_BYTES)
  const other = open(t)
  await send(other.socket, LONG_HEAD + LONG_BODY.slice(1))
  other.socket.destroy()
  await nextTurn()
  t.equal(other.counts.refused, 1)
  other.intake.hold().set(ROOM_BYTES)
})
