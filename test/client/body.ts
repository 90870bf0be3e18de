// What the client promises wherever it runs: one list of cases for Node and for browsers. A case gets a client library
// and a bus, and returns what it saw as plain values. Imports no code, so that a page can load it as it is. Not a test.

import type {
  Client,
  ClientOptions,
  connect,
  MsgbusError,
  ReceivedMessage,
  Subscription,
} from '../../client/index.ts'

/** What a case has to work with. */
export interface Bench {
  readonly connect: typeof connect
  /** A bus with nothing in its history whose clock stands still, behind a line of its own. */
  readonly url: string
  /** Breaks every connection to it. */
  cut(): Promise<void>
  /** Streams that it has open. */
  streamCount(): Promise<number>
  /** What the client is made with. */
  readonly options: ClientOptions
}

export interface Case {
  readonly name: string
  /** What `run` returns. */
  readonly wanted: unknown
  readonly options?: ClientOptions
  readonly run: (bench: Bench) => Promise<unknown>
}

const FAST = { minDelayMs: 1, maxDelayMs: 50 } as const

function open({ connect, url, options }: Bench, more: ClientOptions = {}): Client {
  return connect(url, { ...FAST, ...options, ...more })
}

/** The next messages of a subscription. */
export async function take(subscription: Subscription, count: number): Promise<ReceivedMessage[]> {
  const iterator = subscription[Symbol.asyncIterator]()
  const messages: ReceivedMessage[] = []
  while (messages.length < count) {
    const { done, value } = await iterator.next()
    if (done === true) break
    messages.push(value)
  }
  return messages
}

async function texts(subscription: Subscription, count: number): Promise<string[]> {
  return (await take(subscription, count)).map(message => message.text())
}

/** Subscribes, and resolves when the subscription is open. */
async function subscribed(
  client: Client,
  channel: string | readonly string[],
  options: Parameters<Client['subscribe']>[1] = {},
): Promise<Subscription> {
  return new Promise((resolve, reject) => {
    const subscription = client.subscribe(channel, {
      ...options,
      onState: (state, error) => {
        options.onState?.(state, error)
        if (state === 'open') resolve(subscription)
        if (state === 'closed') reject(error ?? new Error('Cannot subscribe: it was closed'))
      },
    })
  })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing was thrown',
    (error: unknown) => (error as MsgbusError).code,
  )
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array([1, 2])
  await Promise.resolve()
  yield new Uint8Array([3])
}

function range(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, at) => `${from + at}`)
}

export const cases: readonly Case[] = [
  {
    name: 'whatever a program has in its hands can be published, with the type that fits it',
    wanted: [
      ['text/plain; charset=utf-8', 'ä ☃'],
      ['text/html', '<b>'],
      ['application/octet-stream', '\u0001\u0002\u0003'],
      ['application/octet-stream', '\u0004\u0005'],
      ['image/x-test', 'blob'],
      ['application/octet-stream', 'blob'],
      ['application/octet-stream', '\u0001\u0002\u0003'],
      ['application/octet-stream', '\u0001\u0002\u0003'],
      ['application/json', '{"a":[1,null,"x"]}'],
      ['application/json', '[]'],
      ['application/json', '17'],
      ['application/json', 'false'],
      ['application/json', 'null'],
      ['application/vnd.x+json', '{}'],
      ['text/plain; charset=utf-8', ''],
    ],
    run: async bench => {
      const client = open(bench)
      const reader = await subscribed(client, 'a')
      await client.publish('a', 'ä ☃')
      await client.publish('a', '<b>', { type: 'text/html' })
      await client.publish('a', new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4))
      await client.publish('a', new Uint8Array([4, 5]).buffer)
      await client.publish('a', new Blob(['blob'], { type: 'image/x-test' }))
      await client.publish('a', new Blob(['blob']))
      await client.publish('a', pieces())
      await client.publish('a', new Blob([new Uint8Array([1, 2, 3])]).stream())
      await client.publish('a', { a: [1, null, 'x'] })
      await client.publish('a', [])
      await client.publish('a', 17)
      await client.publish('a', false)
      await client.publish('a', null)
      await client.publish('a', {}, { type: 'application/vnd.x+json' })
      await client.publish('a', '')
      const messages = await take(reader, 15)
      client.close()
      return messages.map(message => [message.type, message.text()])
    },
  },
  {
    name: 'a message says all that is known of it',
    wanted: {
      ...{ id: true, channel: 'a/ü b', type: 'text/plain; charset=iso-8859-1', sender: 'bob', lost: 0 },
      ...{
        time: '2023-11-14T22:13:20.000Z',
        byteLength: 1,
        bytes: [0xe4],
        text: 'ä',
        blob: ['text/plain; charset=iso-8859-1', 1],
      },
      ...{ json: [{ a: 'ä' }], lastId: true },
    },
    run: async bench => {
      const client = open(bench)
      const reader = await subscribed(client, 'a/ü b')
      const { id } = await client.publish('a/ü b', new Uint8Array([0xe4]), {
        type: 'text/plain; charset=iso-8859-1',
        sender: 'bob',
      })
      await client.publish('a/ü b', { a: 'ä' })
      const [message, json] = (await take(reader, 2)) as [ReceivedMessage, ReceivedMessage]
      client.close()
      const blob = message.blob()
      return {
        id: message.id === id && /^[0-9a-f]+-1$/.test(id),
        channel: message.channel,
        type: message.type,
        sender: message.sender,
        lost: message.lost,
        time: message.time?.toISOString(),
        byteLength: message.byteLength,
        bytes: [...message.bytes()],
        text: message.text(),
        blob: [blob.type, blob.size],
        json: [json.json()],
        lastId: reader.lastId === json.id,
      }
    },
  },
  {
    name: 'one channel, several, those below a name and all are read, each by its own spelling',
    wanted: {
      a: ['a'],
      'a,c': ['a', 'c'],
      'a/': ['a/b', 'a/b/ü %2F?#'],
      '': ['a', 'a/b', 'a/b/ü %2F?#', 'c', 'd,e', 'end'],
      'a/b/ü %2F?#': ['a/b/ü %2F?#'],
      'd,e': ['d,e'],
    },
    run: async bench => {
      const seen: Record<string, string[]> = {}
      // A page has six connections, and one of them is for publishing.
      for (const counts of [
        [
          ['a', 1],
          ['a,c', 2],
          ['a/', 2],
        ],
        [
          ['', 6],
          ['a/b/ü %2F?#', 1],
          [['d,e'], 1],
        ],
      ] as const) {
        const client = open(bench)
        const readers = await Promise.all(counts.map(([spelling]) => subscribed(client, spelling)))
        for (const channel of ['a', 'a/b', 'a/b/ü %2F?#', 'c', 'd,e', 'end'])
          await client.publish(channel, channel)
        for (const [at, [spelling, count]] of counts.entries()) {
          const messages = await take(readers[at] as Subscription, count)
          seen[String(spelling)] = messages.map(message => message.channel)
        }
        client.close()
      }
      return seen
    },
  },
  {
    name: 'filters let through what the server would, whether a connection is shared or not',
    wanted: [
      ['alone', ['text/plain bob', 'text/html bob', 'image/png null', 'text/x bob']],
      ['type', ['image/png null', 'text/x bob']],
      ['sender', ['text/plain bob', 'text/html bob', 'image/png null', 'text/x bob']],
      ['both', ['text/html bob', 'text/x bob']],
    ],
    run: async bench => {
      const client = open(bench)
      const alone = await subscribed(client, 'a', { sender: 'b*', slow: 'drop' })
      const type = await subscribed(client, 'a', { type: 'image/*,text/x' })
      const sender = await subscribed(client, 'a', { sender: 'b*,!eve' })
      const both = await subscribed(client, 'a,b', { type: 'text/*,!text/plain', sender: '?ob' })
      const list = [
        ['text/plain', 'bob'],
        ['text/html', 'bob'],
        ['text/html', 'eve'],
        ['image/png', undefined],
        ['text/x', 'bob'],
      ] as const
      for (const [kind, name] of list) await client.publish('a', 'x', { type: kind, sender: name })
      const seen: unknown[] = []
      for (const [name, reader, count] of [
        ['alone', alone, 4],
        ['type', type, 2],
        ['sender', sender, 4],
        ['both', both, 2],
      ] as const) {
        seen.push([
          name,
          (await take(reader, count)).map(message => `${message.type} ${message.sender ?? 'null'}`),
        ])
      }
      client.close()
      return seen
    },
  },
  {
    name: 'subscriptions of one client share one connection, and none is left when it is closed',
    options: { isShared: true },
    wanted: { streamCount: 1, seen: [['a'], ['b'], ['a', 'b', 'c'], ['c']] },
    run: async bench => {
      const client = open(bench)
      const readers = await Promise.all(['a', 'b', '', 'c'].map(channel => subscribed(client, channel)))
      const streamCount = await bench.streamCount()
      for (const channel of ['a', 'b', 'c']) await client.publish(channel, channel)
      const seen: string[][] = []
      for (const [at, reader] of readers.entries()) seen.push(await texts(reader, [1, 1, 3, 1][at] ?? 0))
      client.close()
      // Whoever leaves is noticed by the server a little later.
      while ((await bench.streamCount()) > 0) await new Promise(resolve => setTimeout(resolve, 20))
      return { streamCount, seen }
    },
  },
  {
    name: 'who subscribes and leaves while messages pass takes none from the others and gets none twice',
    options: { isShared: true },
    wanted: { first: range(0, 199), othersAreWhole: true, old: 'nothing old' },
    run: async bench => {
      const client = open(bench)
      const writer = open(bench)
      await writer.publish('b', 'old')
      const first = await subscribed(client, 'a')
      const gathered = texts(first, 200)
      let isWhole = true
      let old = 'nothing old'
      const others: Promise<void>[] = []
      for (let number = 0; number < 200; number++) {
        await writer.publish('a', `${number}`)
        await writer.publish('b', `${number}`)
        if (number % 20 !== 10) continue
        const other = client.subscribe(number % 40 === 10 ? 'a' : 'b')
        others.push(
          texts(other, 15).then(found => {
            if (found.includes('old')) old = 'something old'
            isWhole &&= found.every((text, at) => Number(text) === Number(found[0]) + at)
            other.close()
          }),
        )
      }
      const seen = await gathered
      // Whoever came late may not even be connected yet.
      let areDone = false
      const done = Promise.all(others).finally(() => (areDone = true))
      for (let number = 200; !areDone; number++) {
        await writer.publish('a', `${number}`)
        await writer.publish('b', `${number}`)
      }
      await done
      client.close()
      writer.close()
      return { first: seen, othersAreWhole: isWhole, old }
    },
  },
  {
    name: 'what was there before can be asked for, also by one of several on a shared connection',
    wanted: {
      all: ['1', '2', '3', '4', 'live'],
      two: ['3', '4', 'live'],
      after: ['2', '3', '4', 'live'],
      none: ['live'],
    },
    run: async bench => {
      const client = open(bench)
      const { id } = await client.publish('a', '1')
      for (const text of ['2', '3', '4']) await client.publish('a', text)
      const none = await subscribed(client, 'a')
      const all = await subscribed(client, 'a', { since: 'all' })
      const two = await subscribed(client, 'a', { since: '-2' })
      const after = await subscribed(client, 'a', { since: id })
      await client.publish('a', 'live')
      const seen = {
        all: await texts(all, 5),
        two: await texts(two, 3),
        after: await texts(after, 4),
        none: await texts(none, 1),
      }
      client.close()
      return seen
    },
  },
  {
    name: 'a connection that breaks is made again, and goes on where it was',
    wanted: { seen: ['1', '2', '3', '4', '5'], lost: [0, 0, 0, 0, 0], other: ['4'], states: true },
    run: async bench => {
      const client = open(bench)
      const states: string[] = []
      const reader = await subscribed(client, 'a', { onState: state => states.push(state) })
      // Has seen nothing yet when it breaks.
      const other = await subscribed(client, 'b')
      await client.publish('a', '1')
      const [first] = (await take(reader, 1)) as [ReceivedMessage]
      const writer = open(bench)
      await bench.cut()
      for (const text of ['2', '3']) await untilPublished(writer, 'a', text)
      const seen = [first, ...(await take(reader, 2))]
      await bench.cut()
      await untilPublished(writer, 'a', '4')
      await untilPublished(writer, 'b', '4')
      seen.push(...(await take(reader, 1)))
      await writer.publish('a', '5')
      seen.push(...(await take(reader, 1)))
      const fromOther = await texts(other, 1)
      client.close()
      writer.close()
      return {
        seen: seen.map(message => message.text()),
        lost: seen.map(message => message.lost),
        other: fromOther,
        states: /^open(?:,waiting(?:,connecting,waiting)*,connecting,open)+,closed$/.test(states.join()),
      }
    },
  },
  {
    name: 'a subscription ends when it is closed, its loop is left, its signal aborts or its client is closed',
    wanted: {
      closed: [true, 'closed'],
      left: [1, 'closed'],
      aborted: [0, 'closed'],
      late: [0, 'closed'],
      all: [0, 'closed'],
    },
    run: async bench => {
      const client = open(bench)
      const drain = async (subscription: Subscription): Promise<number> => {
        let count = 0
        for await (const message of subscription) count += message.byteLength
        return count
      }
      const closed = await subscribed(client, 'a')
      const isOver = drain(closed).then(() => true)
      closed.close()
      closed.close()
      const left = await subscribed(client, 'a')
      await client.publish('a', '1')
      await client.publish('a', '2')
      let count = 0
      for await (const message of left) {
        count += message.byteLength
        break
      }
      const controller = new AbortController()
      const aborted = await subscribed(client, 'a', { signal: controller.signal })
      const abortedCount = drain(aborted)
      controller.abort()
      const late = client.subscribe('a', { signal: controller.signal })
      const all = await subscribed(client, 'a')
      const allCount = drain(all)
      client.close()
      client.close()
      return {
        closed: [await isOver, closed.state],
        left: [count, left.state],
        aborted: [await abortedCount, aborted.state],
        late: [await drain(late), late.state],
        all: [await allCount, all.state],
      }
    },
  },
  {
    name: 'a refusal comes from the iterator with its code, and the others on the connection go on',
    wanted: {
      names: ['MSGBUS_CHANNEL_NAME', 'MSGBUS_CHANNEL_NAME', 'MSGBUS_CHANNEL_NAME', 'MSGBUS_CHANNEL_NAME'],
      since: 'MSGBUS_QUERY',
      filter: 'MSGBUS_FILTER',
      publish: ['MSGBUS_CHANNEL_NAME', 'MSGBUS_CHANNEL_NAME', 'MSGBUS_CHANNEL_NAME', 'MSGBUS_TYPE'],
      others: ['x'],
    },
    run: async bench => {
      const client = open(bench)
      const good = await subscribed(client, 'a')
      const failure = (channel: string, options = {}): Promise<string> =>
        codeOf(take(client.subscribe(channel, options), 1))
      const names = []
      for (const name of ['a//b', '..', 'a/../b', 'a\u0000']) names.push(await failure(name))
      const since = await failure('a', { since: 'x' })
      const filter = await failure('a', { type: '*'.repeat(17) })
      const publish = []
      for (const name of ['', 'a/', '.']) publish.push(await codeOf(client.publish(name, 'x')))
      publish.push(await codeOf(client.publish('a', 'x', { type: `text/${'x'.repeat(300)}` })))
      await client.publish('a', 'x')
      const others = await texts(good, 1)
      client.close()
      return { names, since, filter, publish, others }
    },
  },
  {
    name: 'a publish that is given up ends at once, and a client that was closed does nothing more',
    wanted: ['AbortError', 'MSGBUS_CLOSED', 'MSGBUS_CLOSED'],
    run: async bench => {
      const client = open(bench)
      const signal = AbortSignal.abort()
      const name = await client.publish('a', 'x', { signal }).catch((error: unknown) => (error as Error).name)
      client.close()
      const subscribe = codeOf(Promise.resolve().then(() => client.subscribe('a')))
      return [name, await codeOf(client.publish('a', 'x')), await subscribe]
    },
  },
]

/** A connection that was kept for publishing may be one of those that were cut. */
async function untilPublished(client: Client, channel: string, text: string): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const isDone = await client.publish(channel, text).then(
      () => true,
      () => false,
    )
    if (isDone) return
  }
}
