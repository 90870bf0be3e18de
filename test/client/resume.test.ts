// How the client keeps a connection up: from where it asks to go on, what it tells of losses, when it tries again and
// when it does not. The server's part is played word by word.

import t, { type Test } from 'tap'
import { type ClientOptions, connect, type SubscribeOptions, type Subscription } from '../../client/index.ts'
import { take } from './body.ts'
import { answer, part, RawServer, send, sendAndEnd, streamHead } from './raw-server.ts'
import { hurryTimers } from './timers.ts'

const FAST = { minDelayMs: 1, maxDelayMs: 1 }
const OPENING = '--b\r\n'

function subscribe(
  t: Test,
  server: RawServer,
  options: SubscribeOptions = {},
  clientOptions: ClientOptions = FAST,
): Subscription {
  const client = connect(server.url, clientOptions)
  t.teardown(client.close)
  return client.subscribe('a', options)
}

/** A stream with these messages that breaks off. */
function broken(headers: readonly string[], ...parts: string[]) {
  return sendAndEnd(`${streamHead(headers)}${OPENING}${parts.join('')}`)
}

/** A stream with these messages that goes on. */
function endless(headers: readonly string[], ...parts: string[]) {
  return send(`${streamHead(headers)}${OPENING}${parts.join('')}`)
}

await t.test('it goes on from the last id, and before the first one from where the stream began', async t => {
  const server = await RawServer.open(
    t,
    broken(['Msgbus-Position: e1-7']),
    broken(['Msgbus-Position: e1-7', 'Msgbus-Resume: ok'], part('e1-9', 'one'), part('e1-12', 'two')),
    broken(['Msgbus-Position: e1-12', 'Msgbus-Resume: ok']),
    endless(['Msgbus-Position: e1-12', 'Msgbus-Resume: ok'], part('e1-13', 'three')),
  )
  const subscription = subscribe(t, server, { type: 'text/*', sender: 'a+b', slow: 'close' })
  const messages = await take(subscription, 3)
  t.strictSame(
    messages.map(message => [message.text(), message.lost]),
    [
      ['one', 0],
      ['two', 0],
      ['three', 0],
    ],
  )
  const query = '/msgbus/a?as=multipart&type=text%2F*&sender=a%2Bb&slow=close'
  t.strictSame(
    server.requests.map((_, at) => server.target(at)),
    [query, `${query}&since=e1-7`, `${query}&since=e1-12`, `${query}&since=e1-12`],
  )
  t.equal(subscription.lastId, 'e1-13')
})

await t.test('a place to begin at is asked for until there is a better one', async t => {
  const server = await RawServer.open(
    t,
    sendAndEnd(answer('503 Busy', [], 'MSGBUS_BUSY: later')),
    broken(['Msgbus-Position: e1-3', 'Msgbus-Resume: ok']),
    endless(['Msgbus-Position: e1-3', 'Msgbus-Resume: ok'], part('e1-4', 'x')),
  )
  await take(subscribe(t, server, { since: '-5' }), 1)
  t.strictSame(
    server.requests.map((_, at) => /since=(.*)/.exec(server.target(at))?.[1]),
    ['-5', '-5', 'e1-3'],
  )
})

const LOSSES = [
  { name: 'nothing is lost', resume: ['Msgbus-Resume: ok'], lost: 0 },
  { name: 'some are lost', resume: ['Msgbus-Resume: gap; missed=4'], lost: 4 },
  { name: 'the history is another one', resume: ['Msgbus-Resume: reset'], lost: null },
  { name: 'the server does not say', resume: [], lost: null },
]

for (const { name, resume, lost } of LOSSES) {
  await t.test(`with the message after a break it is told that ${name}`, async t => {
    const server = await RawServer.open(
      t,
      broken([], part('e1-1', 'one')),
      endless(resume, part('e1-6', 'two', ['Msgbus-Skipped: 3']), part('e1-7', 'three')),
    )
    const messages = await take(subscribe(t, server), 3)
    t.strictSame(
      messages.map(message => message.lost),
      [0, lost === null ? null : lost + 3, 0],
    )
  })
}

await t.test('what was taken before is not taken again', async t => {
  const server = await RawServer.open(
    t,
    broken([], part('e1-1', 'one'), part('e1-2', 'two'), part('e1-3', 'cut').slice(0, -9)),
    endless(['Msgbus-Resume: ok'], part('e1-1', 'one'), part('e1-2', 'two'), part('e1-10', 'three')),
  )
  const messages = await take(subscribe(t, server), 3)
  t.strictSame(
    messages.map(message => message.text()),
    ['one', 'two', 'three'],
  )
})

await t.test('ids of another history are not compared', async t => {
  const server = await RawServer.open(
    t,
    broken([], part('e1-100', 'old')),
    endless(['Msgbus-Position: e2-0', 'Msgbus-Resume: reset'], part('e2-1', 'new')),
  )
  const messages = await take(subscribe(t, server), 2)
  t.strictSame(
    messages.map(message => message.text()),
    ['old', 'new'],
  )
})

await t.test('pauses double up to their limit, and are never of one length for all', async t => {
  const delaysMs = hurryTimers(t, 200)
  const server = await RawServer.open(t, sendAndEnd(''))
  const subscription = subscribe(t, server, {}, {})
  await server.asked(8)
  subscription.close()
  const wantedMs = [500, 1000, 2000, 4000, 8000, 10_000, 10_000]
  for (const [at, wanted] of wantedMs.entries()) {
    const delayMs = delaysMs[at] ?? 0
    t.ok(delayMs >= wanted / 2 && delayMs <= wanted, `${delayMs} for ${wanted}`)
  }
  t.equal(new Set(delaysMs).size, delaysMs.length)
})

await t.test('a server that asks to be left alone is, but not for ever', async t => {
  const delaysMs = hurryTimers(t, 200)
  const refusal = (seconds: string) =>
    sendAndEnd(answer('503 Busy', [`Retry-After: ${seconds}`], 'MSGBUS_BUSY: no'))
  const server = await RawServer.open(t, refusal('77'), refusal('999999'), refusal('soon'), send(''))
  const subscription = subscribe(t, server)
  await server.asked(4)
  subscription.close()
  t.strictSame(delaysMs, [77_000, 300_000])
})

await t.test('events say when to connect again, and what was lost', async t => {
  const delaysMs = hurryTimers(t, 200)
  const head = (...lines: string[]) => streamHead(['Content-Type: text/event-stream', ...lines])
  const event = (id: string, body: string) =>
    `id: ${id}\ndata: ${JSON.stringify({ id, channel: 'a', time: 5, type: 'text/plain', sender: null, body })}\n\n`
  const binary = `id: e1-9\r\ndata: {"id":"e1-9","channel":"a","time":6,"type":"x/y","sender":"bob","base64":"AP8="}\r\n\r\n`
  const server = await RawServer.open(
    t,
    sendAndEnd(`${head('Msgbus-Position: e1-1')}retry: 3210\n\n:\n\n${event('e1-2', 'a\nb')}`),
    sendAndEnd(
      `${head('Msgbus-Resume: gap; missed=3')}event: gap\ndata: 3\n\n${event('e1-6', 'two')}data: {"i`,
    ),
    send(
      `${head('Msgbus-Resume: reset')}event: reset\ndata: true\n\n${event('e1-8', 'three')}event: gap\ndata: 2\n\n${binary}`,
    ),
  )
  const messages = await take(subscribe(t, server, {}, { ...FAST, transport: 'sse' }), 4)
  t.strictSame(
    messages.map(message => [
      message.id,
      [...message.bytes()].join(),
      message.lost,
      message.sender,
      message.time?.getTime(),
    ]),
    [
      ['e1-2', '97,10,98', 0, null, 5],
      ['e1-6', '116,119,111', 3, null, 5],
      ['e1-8', '116,104,114,101,101', null, null, 5],
      ['e1-9', '0,255', 2, 'bob', 6],
    ],
  )
  t.strictSame(delaysMs, [3210])
  t.strictSame(
    server.requests.map((_, at) => server.target(at)),
    ['', '&since=e1-2', '&since=e1-6'].map(since => `/msgbus/a?as=sse&envelope=json${since}`),
  )
})

for (const [name, bytes, code] of [
  ['a page', answer('200 OK', ['Content-Type: text/html'], 'x'), 'MSGBUS_NOT_MSGBUS'],
  [
    'events that are no messages',
    `${streamHead(['Content-Type: text/event-stream'])}data: {"a":\n\n`,
    'MSGBUS_NOT_MSGBUS',
  ],
  [
    'an event without end',
    `${streamHead(['Content-Type: text/event-stream'])}data: ${'x'.repeat(100_000)}`,
    'MSGBUS_BODY_TOO_LARGE',
  ],
  ['an end', `${streamHead(['Content-Type: text/event-stream'])}retry: 1\n\n`, 'MSGBUS_STREAM_CUT'],
] as const) {
  await t.test(`${name} in place of events is told with a code`, async t => {
    const server = await RawServer.open(t, sendAndEnd(bytes))
    const options = { transport: 'sse', maxBodyBytes: 1000 } as const
    await t.rejects(take(subscribe(t, server, { reconnects: false }, options), 1), { code })
  })
}

for (const status of [400, 401, 403, 404, 405, 414, 421]) {
  await t.test(`${status} is not tried again`, async t => {
    const server = await RawServer.open(t, sendAndEnd(answer(`${status} No`, [], 'no')))
    await t.rejects(take(subscribe(t, server), 1), { code: 'MSGBUS_REFUSED', status })
    // Of itself, fetch asks once more over another connection after 421.
    t.equal(server.requests.length, status === 421 ? 2 : 1)
  })
}

for (const status of [408, 429, 500, 502, 503, 504]) {
  await t.test(`${status} is tried again, and its reason told meanwhile`, async t => {
    const server = await RawServer.open(
      t,
      sendAndEnd(answer(`${status} No`, [], 'no')),
      endless([], part('e1-1', 'one')),
    )
    const states: string[] = []
    const onState: SubscribeOptions['onState'] = (state, error) => {
      states.push(`${state} ${error?.code ?? ''}`.trim())
    }
    await take(subscribe(t, server, { onState }), 1)
    t.strictSame(states, ['waiting MSGBUS_REFUSED', 'connecting', 'open'])
  })
}

await t.test('a message that is too long is not asked for again', async t => {
  const server = await RawServer.open(t, broken([], part('e1-1', 'x'.repeat(101))))
  await t.rejects(take(subscribe(t, server, {}, { ...FAST, maxBodyBytes: 100 }), 1), {
    code: 'MSGBUS_BODY_TOO_LARGE',
  })
  t.equal(server.requests.length, 1)
})

await t.test(
  'a server that is no msgbus ends a subscription, but not one that it stands in the way of',
  async t => {
    const page = sendAndEnd(answer('200 OK', ['Content-Type: text/html'], 'Log in'))
    const wrong = await RawServer.open(t, page)
    await t.rejects(take(subscribe(t, wrong), 1), { code: 'MSGBUS_NOT_MSGBUS' })
    t.equal(wrong.requests.length, 1)

    const server = await RawServer.open(
      t,
      broken([], part('e1-1', 'one')),
      page,
      endless([], part('e1-2', 'two')),
    )
    const messages = await take(subscribe(t, server), 2)
    t.strictSame(
      messages.map(message => message.text()),
      ['one', 'two'],
    )
  },
)

await t.test('without connecting again, an end in good order ends the loop', async t => {
  const server = await RawServer.open(t, broken([], part('e1-1', 'one'), '--b--\r\n'))
  const subscription = subscribe(t, server, { reconnects: false })
  t.equal((await take(subscription, 2)).length, 1)
  t.equal(subscription.state, 'closed')
})

await t.test('a fault of whoever listens for states comes out of the iterator', async t => {
  const server = await RawServer.open(t, endless([], part('e1-1', 'one')))
  const onState = (state: string): void => {
    if (state === 'open') throw new RangeError('mine')
  }
  await t.rejects(take(subscribe(t, server, { onState }), 1), { name: 'RangeError', message: 'mine' })
})

await t.test('a fault of one who listens for states does not end those who share his connection', async t => {
  const poll = sendAndEnd('HTTP/1.1 204 No Content\r\nMsgbus-Position: e1-1\r\nConnection: close\r\n\r\n')
  const server = await RawServer.open(t, (socket, request) => {
    if (request.includes('&poll')) poll(socket, request)
    else
      endless(['Msgbus-Position: e1-1'], part('e1-2', 'x', ['Content-Location: /msgbus/a']))(socket, request)
  })
  const client = connect(server.url, { ...FAST, isShared: true })
  t.teardown(client.close)
  const good = client.subscribe('a')
  t.equal((await take(good, 1)).length, 1)
  const onState = (state: string): void => {
    if (state !== 'connecting') throw new RangeError('mine')
  }
  await t.rejects(take(client.subscribe('a,b', { onState }), 1), { message: 'mine' })
  t.not(good.state, 'closed')
})
