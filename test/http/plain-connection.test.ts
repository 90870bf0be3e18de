import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { DateLine } from '../../src/http/answer-text.ts'
import { PlainConnection } from '../../src/http/plain-connection.ts'
import type { PlainPublisher } from '../../src/http/plain-runs.ts'
import type { Draft, Message } from '../../src/message.ts'

function toMessage(draft: Draft, seq: number): Message {
  return { ...draft, id: `epoch-${seq}`, seq, time: 0, ordinal: 0 }
}

const KEEP_ALIVE_MS = 65_000
const POST = 'POST /foo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx'
const HALF = POST.slice(0, 40)
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
  readonly connection: PlainConnection
  readonly counts: { published: number; handedOver: number }
}

function open(t: Test, { highWaterMark = 16_384, isLater = false } = {}): Rig {
  const socket = new FakeSocket({ writableHighWaterMark: highWaterMark })
  t.teardown(() => socket.destroy())
  const counts = { published: 0, handedOver: 0 }
  const publisher: PlainPublisher = {
    publishAll: drafts => {
      const messages = drafts.map(draft => toMessage(draft, ++counts.published))
      return isLater ? nextTurn(messages) : messages
    },
  }
  const connection = new PlainConnection(socket as unknown as Socket, new DateLine(), {
    keepAliveMs: KEEP_ALIVE_MS,
    resolve: ({ type }) => ({
      publisher,
      draftOf: (bytes, from, end) => ({ channel: 'a', type, sender: null, body: bytes.subarray(from, end) }),
    }),
    onRefused: error => t.fail(String(error)),
    handOver: () => {
      counts.handedOver++
    },
    onLeave: () => undefined,
  })
  return { socket, connection, counts }
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
    t.strictSame(counts, { published: 1, handedOver: 0 })
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
    t.strictSame(counts, { published: 1, handedOver: 1 })
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
  t.strictSame(counts, { published: 1, handedOver: 1 })
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
  t.strictSame(counts, { published: 2, handedOver: 0 })
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
    t.strictSame(counts, { published: 1, handedOver: 0 })
  }
})
