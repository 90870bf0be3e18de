// The bus alone: order, ids, who gets what, and how little is done for it. Readers are plain objects.

import t from 'tap'
import { Bus, type Subscription } from '../../src/bus/bus.ts'
import { Filter } from '../../src/filter.ts'
import { parseMatcher } from '../../src/matcher.ts'
import type { Batch, Encoder, Sink } from '../../src/bus/sink.ts'
import type { Message } from '../../src/message.ts'
import { atOnce } from '../at-once.ts'

/** Writes a message as its channel and body, and counts. */
class TextEncoding implements Encoder {
  encodedCount = 0
  readonly #skipsEmpty: boolean

  constructor(skipsEmpty = false) {
    this.#skipsEmpty = skipsEmpty
  }

  encode({ channel, body }: Message): Uint8Array | null {
    this.encodedCount++
    if (this.#skipsEmpty && body.length === 0) return null
    return Buffer.concat([Buffer.from(`${channel}=`), body, Buffer.from(';')])
  }
}

/** Keeps what it is given. */
class Recorder implements Sink {
  readonly batches: Batch[] = []

  write(batch: Batch): void {
    this.batches.push(batch)
  }

  get text(): string {
    return this.batches.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).join('|')
  }
}

function put(
  bus: Bus,
  channel: string,
  body = '',
  { type = 'text/plain', sender = null as string | null } = {},
): Message {
  return atOnce(bus.publish({ channel, type, sender, body: Buffer.from(body) }))
}

/** Subscribes; everything that is not given is new. */
function read(
  bus: Bus,
  spelling: string,
  options: { readonly encoder?: Encoder; readonly sink?: Sink; readonly filter?: Filter } = {},
): { readonly recorder: Recorder; readonly subscription: Subscription } {
  const recorder = new Recorder()
  const { encoder = new TextEncoding(), sink = recorder, filter = new Filter() } = options
  return { recorder, subscription: bus.subscribe({ matcher: parseMatcher(spelling), filter, encoder, sink }) }
}

function endOfTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

await t.test('an accepted message is the draft with an id and a time', t => {
  const bus = new Bus()
  const draft = { channel: 'a/b', type: 'Text/Plain; x=y', sender: 'dug', body: Buffer.from('x') }
  const before = Date.now()
  const message = atOnce(bus.publish(draft))
  t.match(message.id, /^[0-9a-f]{12}-1$/)
  t.ok(message.time >= before && message.time <= Date.now())
  t.strictSame(
    { ...draft },
    { channel: message.channel, type: message.type, sender: message.sender, body: message.body },
  )
  t.equal(message.body, draft.body, 'not copied')
  t.equal(put(bus, 'x', '', { type: 'no type' }).type, 'application/octet-stream')
  t.end()
})

await t.test('ids of one bus grow by one, over all channels, and refused drafts take none', t => {
  const bus = new Bus()
  const [epoch = ''] = put(bus, 'a').id.split('-')
  t.throws(() => put(bus, 'a/'))
  t.same([put(bus, 'b').id, put(bus, 'a').id], [`${epoch}-2`, `${epoch}-3`])
  t.not(put(new Bus(), 'a').id.split('-')[0], epoch)
  t.end()
})

await t.test('a draft that cannot be carried is refused with its reason', t => {
  const bus = new Bus()
  const good = { channel: 'a', type: 'text/plain', sender: null, body: Buffer.from('x') }
  const bad = [
    ['MSGBUS_CHANNEL_NAME', { channel: '' }],
    ['MSGBUS_CHANNEL_NAME', { channel: 'a/' }],
    ['MSGBUS_TYPE', { type: '' }],
    ['MSGBUS_TYPE', { type: 'a/b\r\nX: y' }],
    ['MSGBUS_SENDER', { sender: 'x\ny' }],
    ['MSGBUS_BODY_BOUNDARY', { body: Buffer.from(`x${bus.boundary}y`) }],
    // A view into a larger buffer counts only as far as it goes.
    ['MSGBUS_BODY_BOUNDARY', { body: new Uint8Array(Buffer.from(`..${bus.boundary}`)).subarray(2) }],
  ] as const
  for (const [code, part] of bad) {
    t.throws(() => bus.publish({ ...good, ...part }), { code })
    t.throws(
      () => {
        bus.check({ ...good, ...part })
      },
      { code },
    )
  }
  t.doesNotThrow(() => bus.publish({ ...good, body: Buffer.from(bus.boundary).subarray(1) }))
  t.end()
})

await t.test('a closed bus delivers what waits and takes no more', t => {
  const bus = new Bus()
  const { recorder } = read(bus, 'a')
  put(bus, 'a', 'x')
  void bus.close()
  t.equal(recorder.text, 'a=x;')
  t.throws(() => put(bus, 'a'), { code: 'MSGBUS_CLOSED' })
  void bus.close()
  t.end()
})

await t.test('what is published within one turn arrives in one batch, in order', async t => {
  const bus = new Bus()
  const { recorder } = read(bus, '')
  const messages = ['a', 'b/c', 'a'].map((channel, at) => put(bus, channel, `${at}`))
  t.same(recorder.batches, [], 'not before the turn ends')
  await endOfTurn()
  t.equal(recorder.text, 'a=0;b/c=1;a=2;')
  const [batch] = recorder.batches
  t.equal(recorder.batches.length, 1)
  t.same(batch?.messages, messages)
  t.equal(batch?.firstByteCount, 4)
  put(bus, 'a', '3')
  await endOfTurn()
  t.equal(recorder.text, 'a=0;b/c=1;a=2;|a=3;')
})

await t.test('batches are joined up to 64 KiB, and a larger message is alone', async t => {
  const bus = new Bus()
  const { recorder } = read(bus, 'a')
  for (const size of [40_000, 20_000, 10_000, 100_000, 1]) put(bus, 'a', 'x'.repeat(size))
  await endOfTurn()
  t.same(
    recorder.batches.map(({ messages }) => messages.map(({ body }) => body.length)),
    [[40_000, 20_000], [10_000], [100_000], [1]],
  )
  t.equal(recorder.batches[2]?.bytes.length, 100_003)
})

await t.test('readers with the same matcher, filter and encoder share one encoding', async t => {
  const bus = new Bus()
  const encoder = new TextEncoding()
  const other = new TextEncoding()
  const same = [
    read(bus, 'a,b', { encoder }),
    read(bus, 'b,a,a', { encoder, filter: new Filter({ type: '*' }) }),
  ]
  const filtered = read(bus, 'a,b', { encoder, filter: new Filter({ type: 'text/*' }) })
  const wider = read(bus, 'a,b', { encoder: other })
  put(bus, 'a', 'x')
  await endOfTurn()
  t.equal(encoder.encodedCount, 2, 'once for the two that are alike, once for the filter')
  t.equal(other.encodedCount, 1)
  t.equal(same[0]?.recorder.batches[0]?.bytes, same[1]?.recorder.batches[0]?.bytes, 'the very same bytes')
  for (const { recorder } of [...same, filtered, wider]) t.equal(recorder.text, 'a=x;')
})

await t.test('one sink may stand in several subscriptions with nothing in common but itself', async t => {
  const bus = new Bus()
  const sink = new Recorder()
  read(bus, 'a', { sink })
  const { subscription } = read(bus, 'b', { sink })
  put(bus, 'a', '1')
  put(bus, 'b', '2')
  await endOfTurn()
  t.equal(sink.text, 'a=1;|b=2;')
  subscription.close()
  put(bus, 'a', '3')
  put(bus, 'b', '4')
  await endOfTurn()
  t.equal(sink.text, 'a=1;|b=2;|a=3;')
})

await t.test('who subscribes within a turn gets nothing that was published before in it', async t => {
  const bus = new Bus()
  const encoder = new TextEncoding()
  const first = read(bus, 'a', { encoder })
  put(bus, 'a', '1')
  const alike = read(bus, 'a', { encoder })
  const unlike = read(bus, '')
  put(bus, 'a', '2')
  await endOfTurn()
  t.equal(first.recorder.text.replace('|', ''), 'a=1;a=2;')
  t.equal(alike.recorder.text, 'a=2;')
  t.equal(unlike.recorder.text, 'a=2;')
})

await t.test('a closed subscription gets nothing more, not even what waits', async t => {
  const bus = new Bus()
  const encoder = new TextEncoding()
  const leaving = read(bus, 'a', { encoder })
  const staying = read(bus, 'a', { encoder })
  put(bus, 'a', '1')
  leaving.subscription.close()
  leaving.subscription.close()
  put(bus, 'a', '2')
  await endOfTurn()
  t.equal(leaving.recorder.text, '')
  t.equal(staying.recorder.text, 'a=1;a=2;')
})

await t.test('closing a subscription twice does not end another one like it', async t => {
  const bus = new Bus()
  const encoder = new TextEncoding()
  const first = read(bus, 'a', { encoder })
  first.subscription.close()
  const second = read(bus, 'a', { encoder })
  first.subscription.close()
  put(bus, 'a', 'x')
  await endOfTurn()
  t.equal(first.recorder.text, '')
  t.equal(second.recorder.text, 'a=x;')
})

await t.test('nothing is encoded for readers that are gone or ask for something else', async t => {
  const bus = new Bus()
  const encoder = new TextEncoding()
  for (const spelling of ['a', 'a/', '', 'b,a/']) read(bus, spelling, { encoder }).subscription.close()
  read(bus, 'b', { encoder })
  read(bus, 'a', { encoder, filter: new Filter({ type: 'image/*' }) })
  put(bus, 'a', 'x')
  put(bus, 'a/b', 'x')
  await endOfTurn()
  t.equal(encoder.encodedCount, 0)
})

const reach: readonly (readonly [spelling: string, channels: readonly string[]])[] = [
  ['', ['a', 'a/b', 'a/b/c', 'ab', 'b/a']],
  ['a', ['a']],
  ['a/', ['a/b', 'a/b/c']],
  ['a/b', ['a/b']],
  ['a/b/', ['a/b/c']],
  ['a/b/c/', []],
  ['b/', ['b/a']],
  ['a,a/', ['a', 'a/b', 'a/b/c']],
  ['a/,a/b/,a/b/c', ['a/b', 'a/b/c']],
  ['ab,b/a,c', ['ab', 'b/a']],
]

for (const [spelling, channels] of reach) {
  await t.test(`"${spelling}" reaches ${channels.join(' ') || 'nothing'}, each message once`, async t => {
    const bus = new Bus()
    const { recorder } = read(bus, spelling)
    for (const channel of ['a', 'a/b', 'a/b/c', 'ab', 'b/a']) put(bus, channel)
    await endOfTurn()
    t.equal(recorder.text, channels.map(channel => `${channel}=;`).join(''))
  })
}

await t.test('trees are still found after another subscription to the same one is closed', async t => {
  const bus = new Bus()
  const first = read(bus, 'a/')
  const second = read(bus, 'a/')
  first.subscription.close()
  first.subscription.close()
  put(bus, 'a/b', 'x')
  await endOfTurn()
  t.equal(second.recorder.text, 'a/b=x;')
})

await t.test('a message that a format leaves out is in no batch', async t => {
  const bus = new Bus()
  const { recorder } = read(bus, 'a', { encoder: new TextEncoding(true) })
  put(bus, 'a')
  await endOfTurn()
  t.same(recorder.batches, [])
  for (const body of ['', '1', '', '2', '']) put(bus, 'a', body)
  await endOfTurn()
  t.equal(recorder.text, 'a=1;a=2;')
  t.same(
    recorder.batches[0]?.messages.map(({ body }) => body.length),
    [1, 1],
  )
  t.equal(recorder.batches[0]?.firstByteCount, 4)
})

await t.test('a sink may publish, subscribe and close while it is written to', async t => {
  const bus = new Bus()
  const encoder = new TextEncoding()
  const late = new Recorder()
  const heard: string[] = []
  let isFirst = true
  const { subscription } = read(bus, 'a', {
    encoder,
    sink: {
      write: ({ messages }) => {
        heard.push(...messages.map(({ body }) => Buffer.from(body).toString()))
        if (!isFirst) return
        isFirst = false
        put(bus, 'a', 'answer')
        read(bus, 'a', { encoder, sink: late })
        put(bus, 'a', 'after')
        subscription.close()
      },
    },
  })
  const witness = read(bus, 'a')
  put(bus, 'a', 'question')
  await endOfTurn()
  await endOfTurn()
  t.equal(heard[0], 'question')
  t.equal(witness.recorder.text.replaceAll('|', ''), 'a=question;a=answer;a=after;')
  t.equal(late.text.split('|').at(-1), 'a=after;', 'what came after it was there')
})

await t.test('a sink that throws is told of, and is not the misfortune of other readers', async t => {
  const faults: unknown[] = []
  const bus = new Bus({ onFault: error => faults.push(error) })
  const fault = new Error('not written')
  const bad: Sink = {
    write: () => {
      throw fault
    },
  }
  read(bus, 'a', { sink: bad })
  const { recorder } = read(bus, 'a')
  put(bus, 'a', '1')
  await endOfTurn()
  put(bus, 'a', '2')
  await endOfTurn()
  t.equal(recorder.text, 'a=1;|a=2;')
  t.strictSame(faults, [fault, fault])
})

await t.test('several drafts are published in order, or none of them', t => {
  const bus = new Bus()
  const draft = (body: string) => ({ channel: 'a', type: 'a/b', sender: null, body: Buffer.from(body) })
  t.strictSame(
    atOnce(bus.publishAll([draft('x'), draft('y')])).map(({ id }) => id.split('-')[1]),
    ['1', '2'],
  )
  t.throws(() => bus.publishAll([draft('z'), draft(bus.boundary)]), { code: 'MSGBUS_BODY_BOUNDARY' })
  t.match(put(bus, 'a').id, /-3$/)
  t.end()
})

await t.test('channels may be called what objects of the language have', async t => {
  const bus = new Bus()
  const names = ['__proto__', 'constructor', 'toString', '0', '-1']
  const readers = names.map(name => read(bus, name))
  for (const name of names) put(bus, name, 'x')
  await endOfTurn()
  t.same(
    readers.map(({ recorder }) => recorder.text),
    names.map(name => `${name}=x;`),
  )
})
