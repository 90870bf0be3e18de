// Bodies as they come over real connections: whole, too large, too slow, too many, cut short.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { MsgbusError } from '../../src/errors.ts'
import { Exchange } from '../../src/http/exchange.ts'
import { type BodyDeadlines, type Consumer, Intake } from '../../src/http/intake.ts'

const TARGET = { path: '/', query: '', authority: null }

/** What became of one body: its text, or the code of what was thrown. */
type Outcome = string

type Take = (intake: Intake, exchange: Exchange) => Promise<Outcome>

const READ: Take = async (intake, exchange) => (await intake.read(exchange, 100)).toString('latin1')

interface Bench {
  /** Opens a connection and writes the head of a POST and the beginning of its body. */
  readonly post: (headers: string, body?: string) => Socket
  /** What became of the next body, in the order in which they end. */
  readonly next: () => Promise<Outcome>
}

async function open(
  t: Test,
  maxTotalBytes: number,
  deadlines: Partial<BodyDeadlines> = {},
  take: Take = READ,
): Promise<Bench> {
  const intake = new Intake(maxTotalBytes, deadlines)
  const outcomes: Outcome[] = []
  let wake: () => void = () => undefined
  const handle = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    const exchange = new Exchange({
      req,
      res,
      target: TARGET,
      credentials: null,
      corsHeaders: [],
      expectsContinue,
    })
    take(intake, exchange)
      .then(
        text => {
          exchange.answer(200)
          return text
        },
        (error: unknown) => {
          exchange.refuse(error)
          return error instanceof MsgbusError ? error.code : String(error)
        },
      )
      .then(
        outcome => {
          outcomes.push(outcome)
          wake()
        },
        (error: unknown) => {
          t.fail(String(error))
        },
      )
  }
  const server = createServer((req, res) => {
    handle(req, res, false)
  })
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    handle(req, res, true)
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    post: (headers, body = '') => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      t.teardown(() => {
        socket.destroy()
      })
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`)
      return socket
    },
    next: () =>
      new Promise(resolve => {
        wake = () => {
          const outcome = outcomes.shift()
          if (outcome === undefined) return
          wake = () => undefined
          resolve(outcome)
        }
        wake()
      }),
  }
}

const CHUNKED = 'Transfer-Encoding: chunked'

await t.test('a body is handed on when it is whole', async t => {
  const { post, next } = await open(t, 1000)
  post('Content-Length: 5', 'hello')
  t.equal(await next(), 'hello')
  post('Content-Length: 0')
  t.equal(await next(), '')
  post(CHUNKED, '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n')
  t.equal(await next(), 'hello')
  post('Content-Length: 100', 'x'.repeat(100))
  t.equal(await next(), 'x'.repeat(100))
  const slow = post('Content-Length: 4', 'ab')
  slow.write('c')
  slow.write('d')
  t.equal(await next(), 'abcd')
})

await t.test('a client that waits for it is asked for its body, unless it is refused', async t => {
  const { post, next } = await open(t, 1000)
  const socket = post('Content-Length: 5\r\nExpect: 100-continue')
  const [line] = (await once(socket, 'data')) as [Buffer]
  t.equal(line.toString(), 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write('hello')
  t.equal(await next(), 'hello')
  const refused = post('Content-Length: 101\r\nExpect: 100-continue')
  const [answer] = (await once(refused, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1\.1 413 /)
})

await t.test('a body is refused for its length, told or not, and without one', async t => {
  const { post, next } = await open(t, 1000)
  post('Content-Length: 101')
  t.equal(await next(), 'MSGBUS_BODY_TOO_LARGE')
  post(CHUNKED, `65\r\n${'x'.repeat(101)}\r\n`)
  t.equal(await next(), 'MSGBUS_BODY_TOO_LARGE')
  post('X: y')
  t.equal(await next(), 'MSGBUS_LENGTH_REQUIRED')
})

await t.test('a body that is cut short is refused', async t => {
  const { post, next } = await open(t, 1000)
  for (const end of ['end', 'resetAndDestroy', 'destroy'] as const) {
    for (const [headers, body] of [
      ['Content-Length: 5', 'hell'],
      ['Content-Length: 5', ''],
      [CHUNKED, '5\r\nhello\r\n'],
    ] as const) {
      const socket = post(headers, body)
      socket.write('', () => {
        socket[end]()
      })
      t.equal(await next(), 'MSGBUS_BODY_INCOMPLETE', `${end} after ${JSON.stringify(body)}`)
    }
  }
})

await t.test('a body that has not come when its time is over is refused, however it trickles', async t => {
  const { post, next } = await open(t, 1000, { graceMs: 50, minBytesPerSecond: 1000, checkIntervalMs: 10 })
  post('Content-Length: 5', 'hell')
  t.equal(await next(), 'MSGBUS_BODY_SLOW')
  const trickle = post('Content-Length: 100')
  const clock = setInterval(() => trickle.write('x'), 20)
  t.teardown(() => {
    clearInterval(clock)
  })
  t.equal(await next(), 'MSGBUS_BODY_SLOW')
  clearInterval(clock)
  post('Content-Length: 5', 'hello')
  t.equal(await next(), 'hello', 'others are taken')
})

await t.test('what has come buys time, but not beyond the longest there is', async t => {
  const deadlines = { graceMs: 0, minBytesPerSecond: 0.01, maxBodyMs: 50, checkIntervalMs: 10 }
  const { post, next } = await open(t, 1000, deadlines)
  post('Content-Length: 100', 'x'.repeat(99))
  t.equal(await next(), 'MSGBUS_BODY_SLOW')
})

await t.test('a body that is fast for its size may take longer than its grace', async t => {
  const { post, next } = await open(t, 1000, { graceMs: 0, minBytesPerSecond: 0.001, checkIntervalMs: 5 })
  const fast = post('Content-Length: 100', 'x'.repeat(99))
  post('Content-Length: 100')
  t.equal(await next(), 'MSGBUS_BODY_SLOW', 'the one that has sent nothing')
  fast.write('x')
  t.equal(await next(), 'x'.repeat(100))
})

await t.test(
  'all bodies together are bounded by what they hold, and what one held is free afterwards',
  async t => {
    const { post, next } = await open(t, 150)
    const first = post('Content-Length: 100\r\nExpect: 100-continue')
    await once(first, 'data')
    first.write('x'.repeat(99))
    // Once those have arrived, not before.
    let outcome = ''
    while (outcome !== 'MSGBUS_BUSY') {
      post('Content-Length: 52', 'q'.repeat(52))
      outcome = await next()
    }
    post('Content-Length: 52')
    t.equal(await next(), 'MSGBUS_BUSY', 'refused before it is read')
    post(CHUNKED, `34\r\n${'x'.repeat(52)}\r\n`)
    t.equal(await next(), 'MSGBUS_BUSY')
    post('Content-Length: 50', 'y'.repeat(50))
    t.equal(await next(), 'y'.repeat(50), 'what fits beside')
    first.write('x')
    t.equal(await next(), 'x'.repeat(100))
    for (const end of ['whole', 'too large', 'cut']) {
      const socket = post(CHUNKED, `64\r\n${'x'.repeat(100)}\r\n`)
      if (end === 'whole') socket.write('0\r\n\r\n')
      else if (end === 'too large') socket.write('1\r\nx\r\n')
      else socket.end()
      await next()
      post('Content-Length: 100', 'z'.repeat(100))
      t.equal(await next(), 'z'.repeat(100), `after one that was ${end}`)
    }
  },
)

/** Reads for ever, and holds what its consumer says. */
function endless(consumer: Consumer): Take {
  return async (intake, exchange) => {
    await intake.stream(exchange, Infinity, consumer)
    return 'ended'
  }
}

await t.test(
  'an endless body is bounded by what of it is held, and has no deadline between two parts',
  async t => {
    let begun: { startedMs: number; byteCount: number } | null = null
    const texts: string[] = []
    const consumer: Consumer = {
      onBytes: bytes => {
        texts.push(bytes.toString())
        begun = bytes.toString() === 'begin' ? { startedMs: performance.now(), byteCount: 10 } : null
      },
      progress: () => begun,
    }
    const { post, next } = await open(t, 100, { graceMs: 50, checkIntervalMs: 5 }, endless(consumer))
    const whole = post(CHUNKED, '5\r\nbegin\r\n')
    while (texts.length < 1) await new Promise(resolve => setImmediate(resolve))
    whole.write('3\r\nend\r\n0\r\n\r\n')
    t.equal(await next(), 'ended')
    post(CHUNKED, '5\r\nbegin\r\n')
    t.equal(await next(), 'MSGBUS_BODY_SLOW', 'a part that does not end')
  },
)

await t.test('an endless body is read on when its consumer is ready', async t => {
  const texts: string[] = []
  const waits: (() => void)[] = []
  const consumer: Consumer = {
    onBytes: bytes => {
      texts.push(bytes.toString())
    },
    ready: () =>
      new Promise(resolve => {
        waits.push(resolve)
      }),
  }
  const { post, next } = await open(t, 100, {}, endless(consumer))
  const body = post(CHUNKED, '3\r\none\r\n')
  while (waits.length < 1) await new Promise(resolve => setImmediate(resolve))
  body.write('3\r\ntwo\r\n0\r\n\r\n')
  for (let turns = 0; turns < 20; turns++) await new Promise(resolve => setImmediate(resolve))
  t.strictSame(texts, ['one'])
  waits[0]?.()
  while (waits.length < 2) await new Promise(resolve => setImmediate(resolve))
  waits[1]?.()
  t.equal(await next(), 'ended')
  t.strictSame(texts, ['one', 'two'])
})

await t.test('an endless body that holds more than there is room for is refused', async t => {
  const consumer: Consumer = {
    onBytes: () => undefined,
    heldByteCount: 101,
  }
  const { post, next } = await open(t, 100, {}, endless(consumer))
  post(CHUNKED, '1\r\nx\r\n')
  t.equal(await next(), 'MSGBUS_BUSY')
  post(CHUNKED, '0\r\n\r\n')
  t.equal(await next(), 'ended', 'and holds nothing any more')
})

await t.test('what a consumer throws ends the body and reaches the caller as it is', async t => {
  const consumer: Consumer = {
    onBytes: () => {
      throw new MsgbusError('MSGBUS_TYPE', 'no')
    },
  }
  const { post, next } = await open(t, 100, {}, endless(consumer))
  post(CHUNKED, '1\r\nx\r\n')
  t.equal(await next(), 'MSGBUS_TYPE')
})
