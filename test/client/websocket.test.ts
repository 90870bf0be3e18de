// The client over WebSocket: where it begins, what it makes of frames and closes, and how it publishes. The server's part
// is played word by word.

import { EventEmitter, once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { type Client, type ClientOptions, connect } from '../../client/index.ts'
import { take } from './body.ts'
import { openSocketServer, type SocketServer } from './socket-server.ts'

function open(t: Test, { url }: Pick<SocketServer, 'url'>, options: ClientOptions = {}): Client {
  const client = connect(url, { transport: 'websocket', WebSocket, minDelayMs: 1, maxDelayMs: 1, ...options })
  t.teardown(client.close)
  return client
}

function envelope(seq: number, body: string): string {
  return JSON.stringify({ id: `e1-${seq}`, channel: 'a', time: 5, type: 'text/plain', sender: null, body })
}

const PART = (seq: number, body: string): string =>
  `Content-Length: ${body.length}\r\nContent-Type: text/plain\r\nMsgbus-Id: e1-${seq}\r\n\r\n${body}\r\n`

await t.test('it begins where a request before it says, and goes on behind what it has', async t => {
  const server = await openSocketServer(t, {
    open: (socket, at) => {
      if (at === 1) {
        socket.send('{"gap":2}')
        socket.send(envelope(4, 'one'))
        socket.send('{"id":"e1-5","channel":"a","time":6,"type":"x/y","sender":"bob","base64":"AP8="}')
      }
      if (at === 2) {
        socket.send('{"reset":true}')
        socket.send(envelope(6, 'three'))
        return
      }
      socket.close(1001)
    },
  })
  const messages = await take(open(t, server).subscribe('a', { type: 'text/*' }), 3)
  t.strictSame(
    messages.map(message => [message.id, [...message.bytes()].join(), message.lost, message.sender]),
    [
      ['e1-4', '111,110,101', 2, null],
      ['e1-5', '0,255', 0, 'bob'],
      ['e1-6', '116,104,114,101,101', null, null],
    ],
  )
  const poll = (since: string): string => `/msgbus/a?as=multipart&poll&type=text%2F*&since=${since}`
  const socket = 'WS /msgbus/a?envelope=json&type=text%2F*&since=e1-1'
  t.strictSame(server.targets, [poll('-0'), socket, poll('e1-1'), socket, poll('e1-5'), socket])
})

await t.test('what a request before it brings comes first', async t => {
  const server = await openSocketServer(t, {
    poll: res => {
      res.writeHead(200, {
        'Content-Type': 'multipart/mixed; boundary=b',
        'Msgbus-Position': 'e1-3',
        'Msgbus-Resume': 'gap; missed=7',
      })
      res.end(`--b\r\n${PART(2, 'one')}--b\r\n${PART(3, 'two')}--b--\r\n`)
    },
    open: socket => {
      socket.send(envelope(4, 'three'))
    },
  })
  const messages = await take(open(t, server).subscribe('a', { since: '-2' }), 3)
  t.strictSame(
    messages.map(message => [message.text(), message.lost]),
    [
      ['one', 7],
      ['two', 0],
      ['three', 0],
    ],
  )
  t.equal(server.targets[1], 'WS /msgbus/a?envelope=json&since=e1-3')
})

await t.test('why it is refused is known from the request before it', async t => {
  const server = await openSocketServer(t, {
    poll: res => {
      res.writeHead(401, { 'Content-Length': 20 }).end('MSGBUS_PASSWORD: no!')
    },
    open: () => undefined,
  })
  const client = open(t, server)
  await t.rejects(take(client.subscribe('a'), 1), { code: 'MSGBUS_PASSWORD', status: 401 })
})

await t.test('a server without WebSockets, and one that is not there, are told with a code', async t => {
  const server = await openSocketServer(t, { open: () => undefined, isClosed: true })
  for (const url of [server.url, 'http://127.0.0.1:1']) {
    const client = open(t, { url })
    await t.rejects(take(client.subscribe('a', { reconnects: false }), 1), { code: 'MSGBUS_UNREACHABLE' })
    await t.rejects(client.publish('a', 'x'), { code: 'MSGBUS_UNREACHABLE' })
  }
})

for (const [name, code, wanted] of [
  ['that says goodbye', 1001, 'ended'],
  ['that is done', 1000, 'ended'],
  ['that breaks', 'terminate', 'MSGBUS_STREAM_CUT'],
  ['that forbids something', 1008, 'MSGBUS_STREAM_CUT'],
  ['that wants a password', 4401, 'MSGBUS_STREAM_CUT'],
] as const) {
  await t.test(`a socket ${name} ends with ${wanted}, and what came before counts`, async t => {
    const server = await openSocketServer(t, {
      open: socket => {
        socket.send(envelope(2, 'one'), () => {
          if (code === 'terminate') socket.terminate()
          else socket.close(code)
        })
      },
    })
    const subscription = open(t, server).subscribe('a', { reconnects: false })
    const iterator = subscription[Symbol.asyncIterator]()
    t.equal((await iterator.next()).value?.text(), 'one')
    const end = await iterator.next().then(
      () => 'ended',
      (error: unknown) => (error as { code: string }).code,
    )
    t.equal(end, wanted)
  })
}

for (const frame of [
  '{"id":',
  'null',
  '{"id":"e1-2","channel":"a","type":"text/plain","sender":null,"base64":"%"}',
  '{"id":"e1-2","channel":"a","type":5,"sender":null,"body":""}',
  '{"id":"e1-2","channel":"a","type":"text/plain","sender":{},"body":""}',
]) {
  await t.test(`the frame ${frame} is no message`, async t => {
    const server = await openSocketServer(t, {
      open: socket => {
        socket.send(frame)
      },
    })
    const reading = take(open(t, server).subscribe('a', { reconnects: false }), 1)
    await t.rejects(reading, { code: 'MSGBUS_NOT_MSGBUS' })
  })
}

for (const slow of [undefined, 'drop', 'latest'] as const) {
  await t.test(`with slow=${slow ?? ''}, what piles up is bounded, and what is lost is told`, async t => {
    const count = 100
    const { socketClass, received } = countFrames()
    let sendLast = (): void => undefined
    const server = await openSocketServer(t, {
      open: socket => {
        for (let seq = 1; seq < count; seq++) socket.send(envelope(seq + 1, `${seq}`.padEnd(100_000)))
        sendLast = () => {
          socket.send(envelope(count + 1, `${count}`))
        }
      },
    })
    const subscription = open(t, server, { WebSocket: socketClass }).subscribe('a', { slow })
    await received(count - 1)
    const numbers: number[] = []
    let lostCount = 0
    for await (const message of subscription) {
      numbers.push(Number(message.text()))
      lostCount += message.lost ?? 0
      // Now there is room again.
      if (numbers.length === 1) setImmediate(sendLast)
      if (numbers.at(-1) === count) break
    }
    t.equal(numbers.length + lostCount, count)
    t.ok(lostCount > 0)
    t.strictSame(
      numbers,
      [...numbers].sort((one, other) => one - other),
    )
    t.equal(numbers.includes(count - 1), slow === 'latest')
  })
}

await t.test('with slow=close, a socket that is read too slowly is given up', async t => {
  const { socketClass, received } = countFrames()
  const server = await openSocketServer(t, {
    open: socket => {
      for (let seq = 1; seq < 50; seq++) socket.send(envelope(seq + 1, 'x'.repeat(100_000)))
    },
  })
  const client = open(t, server, { WebSocket: socketClass })
  const subscription = client.subscribe('a', { slow: 'close', reconnects: false })
  await received(49)
  let count = 0
  const reading = (async () => {
    for await (const { byteLength } of subscription) count += byteLength > 0 ? 1 : 0
  })()
  await t.rejects(reading, { code: 'MSGBUS_STREAM_CUT' })
  t.ok(count > 10 && count < 49)
})

await t.test('messages are published over one socket, and each has its own answer', async t => {
  const server = await openSocketServer(t, {
    open: socket => {
      socket.on('message', (data: Buffer) => {
        const { channel, ref } = JSON.parse(data.toString()) as { channel: string; ref: number }
        const answer =
          channel === 'bad'
            ? { error: 'MSGBUS_CHANNEL_NAME', text: 'Cannot use this channel name: no', ref }
            : { published: `id of ${channel}`, ref }
        // The other way round.
        setTimeout(
          () => {
            socket.send(JSON.stringify(answer))
          },
          30 - ref * 5,
        )
      })
    },
  })
  const client = open(t, server)
  const bytes = new Uint8Array([0, 255])
  const answers = await Promise.allSettled([
    client.publish('a', 'text ä'),
    client.publish('a/b', bytes, { type: 'x/y' }),
    client.publish('bad', new Blob([bytes])),
    client.publish('a', { b: 1 }),
    client.publish('..', 'x'),
  ])
  const seen = answers.map(answer =>
    answer.status === 'fulfilled' ? answer.value.id : (answer.reason as { code: string }).code,
  )
  t.strictSame(seen, ['id of a', 'id of a/b', 'MSGBUS_CHANNEL_NAME', 'id of a', 'MSGBUS_CHANNEL_NAME'])
  t.strictSame(server.targets, ['WS /msgbus/?envelope=json&type='])
  const frames = server.frames.map(frame => ({ ...(JSON.parse(frame) as object), ref: 0 }))
  t.same(
    new Set(frames.map(frame => JSON.stringify(frame))),
    new Set([
      '{"channel":"a","type":"text/plain; charset=utf-8","body":"text ä","ref":0}',
      '{"channel":"a/b","type":"x/y","base64":"AP8=","ref":0}',
      '{"channel":"bad","type":"application/octet-stream","base64":"AP8=","ref":0}',
      '{"channel":"a","type":"application/json","body":"{\\"b\\":1}","ref":0}',
    ]),
  )
})

for (const frame of ['no JSON', 'null', '{"ref":1}', '{"ref":1,"error":5}']) {
  await t.test(
    `a publish that is answered by ${frame} is refused, and the next one has a new socket`,
    async t => {
      const server = await openSocketServer(t, {
        open: (socket, at) => {
          socket.on('message', () => {
            socket.send(at === 0 ? frame : '{"ref":2,"published":"e1-2"}')
          })
        },
      })
      const client = open(t, server)
      await t.rejects(client.publish('a', 'x'), { code: 'MSGBUS_NOT_MSGBUS' })
      t.same(await client.publish('a', 'y'), { id: 'e1-2' })
    },
  )
}

await t.test('who signs with a name of his own publishes by a request', async t => {
  const server = await openSocketServer(t, {
    poll: res => {
      res.writeHead(204, { 'Msgbus-Id': 'e1-9' }).end()
    },
    open: () => undefined,
  })
  t.strictSame(await open(t, server).publish('a', 'x', { sender: 'bob' }), { id: 'e1-9' })
  t.strictSame(server.targets, ['/msgbus/a'])
})

await t.test('a socket says who is asking', async t => {
  const server = await openSocketServer(t, {
    open: socket => {
      socket.on('message', () => {
        socket.send('{"published":"e1-1","ref":1}')
      })
    },
  })
  await open(t, { url: server.url.replace('//', '//dug:geheim@') }).publish('a', 'x')
  t.equal(server.authorization(), `Basic ${btoa('dug:geheim')}`)
})

await t.test('a publish is over when its socket breaks, is given up or its client is closed', async t => {
  let cut = (): void => undefined
  const server = await openSocketServer(t, {
    open: socket => {
      cut = () => {
        socket.terminate()
      }
    },
  })
  const client = open(t, server)
  const broken = client.publish('a', 'x')
  await server.received(1)
  cut()
  await t.rejects(broken, { code: 'MSGBUS_UNREACHABLE' })

  const controller = new AbortController()
  const given = client.publish('a', 'x', { signal: controller.signal })
  const closed = client.publish('a', 'x')
  await server.received(3)
  controller.abort(new Error('enough'))
  await t.rejects(given, { message: 'enough' })
  client.close()
  await t.rejects(closed, { code: 'MSGBUS_CLOSED' })
})

await t.test('without any WebSocket it says what to do', async t => {
  const server = await openSocketServer(t, { open: () => undefined })
  const { WebSocket: own } = globalThis as { WebSocket?: unknown }
  t.teardown(() => Object.assign(globalThis, { WebSocket: own }))
  Object.assign(globalThis, { WebSocket: undefined })
  const client = open(t, server, { WebSocket: undefined })
  await t.rejects(take(client.subscribe('a'), 1), { name: 'TypeError', message: /package "ws"/ })
  await t.rejects(client.publish('a', 'x'), TypeError)
})

/** A WebSocket whose frames are counted as they come in. */
function countFrames() {
  const news = new EventEmitter()
  let frameCount = 0
  class CountingSocket extends WebSocket {
    constructor(url: string) {
      super(url)
      this.on('message', () => {
        frameCount++
        news.emit('news')
      })
    }
  }
  return {
    socketClass: CountingSocket,
    received: async (count: number): Promise<void> => {
      while (frameCount < count) await once(news, 'news')
    },
  }
}
