// Server-sent events in literal bytes, and read back by the rules of the standard: whatever is published, a browser gets
// one event for each message and nothing of the publisher's making beside its data.

import fc from 'fast-check'
import t from 'tap'
import { eventFormat, retryField } from '../../src/codec/events.ts'
import type { PartOptions } from '../../src/codec/stream-format.ts'
import type { Message } from '../../src/message.ts'
import { type ReadEvent, readEvents } from './event-reader.ts'

function messageOf(body: string | Uint8Array, given: Partial<Message> = {}): Message {
  return {
    ...{ id: 'e-1', seq: 1, channel: 'a', time: 5, ordinal: 0, type: 'text/plain', sender: null },
    ...given,
    body: Buffer.from(body),
  }
}

const NARROW: PartOptions = { isWide: false, skippedCount: 0 }
const text = eventFormat('text')
const envelope = eventFormat('envelope')

function write(message: Message, format = text, options = NARROW): string {
  const part = format.part(message, options)
  if (part === null) throw new Error('this form leaves nothing out')
  if (!/^[\x20-\x7e\n]*$/.test(part.head)) throw new Error(`the head is not ASCII: ${part.head}`)
  return `${part.head}${Buffer.from(part.body).toString()}${format.tail}`
}

function read(...pieces: readonly string[]): readonly ReadEvent[] {
  return readEvents(Buffer.from(pieces.join(''))).events
}

await t.test('text is the data of an event, line by line', t => {
  t.equal(write(messageOf('hello')), 'id: e-1\ndata: hello\n\n')
  t.equal(write(messageOf('')), 'id: e-1\ndata: \n\n')
  t.equal(write(messageOf('ä\n\nb')), 'id: e-1\ndata: ä\ndata: \ndata: b\n\n')
  t.equal(write(messageOf('a\r\nb\rc\n')), 'id: e-1\ndata: a\ndata: b\ndata: c\ndata: \n\n')
  t.equal(write(messageOf('{"a":1}', { type: 'application/json' })), 'id: e-1\ndata: {"a":1}\n\n')
  t.end()
})

await t.test('what is no text is an event of its own kind, with its type', t => {
  const binary = write(messageOf(Buffer.from([0, 255, 1]), { type: 'image/png' }))
  t.equal(binary, 'id: e-1\nevent: binary\ndata: {"type":"image/png","base64":"AP8B"}\n\n')
  const latin = write(messageOf(Buffer.from([0xe4]), { type: 'text/plain; charset="iso-8859-1"' }))
  t.same(read(latin), [
    {
      ...{ type: 'binary', lastEventId: 'e-1' },
      data: '{"type":"text/plain; charset=\\"iso-8859-1\\"","base64":"5A=="}',
    },
  ])
  t.end()
})

await t.test('as an envelope, a message is one line with its channel, sender and time', t => {
  t.equal(
    write(messageOf('a\nb', { sender: 'bob' }), envelope),
    'id: e-1\ndata: {"id":"e-1","channel":"a","time":5,"type":"text/plain","sender":"bob","body":"a\\nb"}\n\n',
  )
  t.end()
})

await t.test('a loss is an event before the message, in both forms', t => {
  for (const format of [text, envelope]) {
    const written = write(messageOf('x'), format, { isWide: false, skippedCount: 3 })
    t.match(written, /^event: gap\ndata: 3\n\nid: e-1\ndata: /)
    t.equal(format.notice(7), 'event: gap\ndata: 7\n\n')
    t.equal(format.notice(null), 'event: reset\ndata: true\n\n')
    t.equal(format.ping(1), ':\n\n')
    t.equal(format.contentType, 'text/event-stream')
    t.same([format.opening, format.closing, format.lastTail], ['', '', '\n\n'])
  }
  t.equal(retryField(2500), 'retry: 2500\n\n')
  t.end()
})

await t.test('signs of life and notices change neither data nor place', t => {
  const stream = [retryField(2500), text.ping(1) ?? '', write(messageOf('x')), ':\n\n', text.notice(2)]
  t.same(read(...stream), [
    { type: 'message', data: 'x', lastEventId: 'e-1' },
    { type: 'gap', data: '2', lastEventId: 'e-1' },
  ])
  t.equal(readEvents(Buffer.from(stream.join(''))).retryMs, 2500)
  t.end()
})

const INJECTIONS = [
  'a\ndata: b',
  'a\n\ndata: b\n\n',
  'a\r\rdata: b\r\r',
  'a\r\n\r\nid: e-9\r\n\r\n',
  '\nid: e-9',
  '\rid: e-9',
  '\revent: binary',
  '\nevent: reset\ndata: true\n\n',
  '\nretry: 1',
  '\n: comment',
  '\ufeffdata: x',
  '\ufeff',
  'a\0b',
  'a\u2028data: b\u2029\u0085c',
  ' two blanks before',
  ':',
  'data',
  '\n',
  '\r',
  '\r\n',
  '\n\r',
]

for (const body of INJECTIONS) {
  // Written out, since what reads the names of tests has its own idea of lines.
  await t.test(`${encodeURI(body)} is data and nothing else`, t => {
    // As the first thing of a stream, too, where a byte order mark would be taken off.
    for (const before of ['', retryField(2500)]) {
      const events = read(before, write(messageOf(body)), write(messageOf('next', { id: 'e-2' })))
      t.same(events, [
        { type: 'message', data: body.replace(/\r\n|\r/g, '\n'), lastEventId: 'e-1' },
        { type: 'message', data: 'next', lastEventId: 'e-2' },
      ])
    }
    const [whole] = read(write(messageOf(body), envelope))
    t.equal((JSON.parse(whole?.data ?? '') as { readonly body: string }).body, body, 'exact, as an envelope')
    t.end()
  })
}

await t.test('types and names cannot leave their place', t => {
  const type = 'image/png; x="\\"}"'
  const [event] = read(write(messageOf('x', { type })))
  t.equal((JSON.parse(event?.data ?? '') as { readonly type: string }).type, type)
  t.end()
})

await t.test('a mebibyte of bytes and one of lines are one event each', t => {
  const bytes = Uint8Array.from({ length: 2 ** 20 }, (_, at) => (at * 31 + (at >> 8)) & 0xff)
  const [binary] = read(write(messageOf(bytes, { type: 'a/b' })))
  const { base64 } = JSON.parse(binary?.data ?? '') as { readonly base64: string }
  t.ok(Buffer.compare(Buffer.from(base64, 'base64'), bytes) === 0)
  const lines = 'x\n'.repeat(2 ** 19)
  const [event, ...others] = read(write(messageOf(lines)))
  t.ok(event?.data === lines)
  t.same(others, [])
  t.end()
})

await t.test('whatever is published, each message is one event with its own id', t => {
  const word = fc.constantFrom(
    '\n',
    '\r',
    '\r\n',
    'data:',
    'id: 1',
    'event: x',
    ':',
    ' ',
    '\0',
    '\ufeff',
    '\u2028',
  )
  const body = fc.oneof(
    fc
      .array(fc.oneof(word, fc.string({ unit: 'binary', maxLength: 3 })))
      .map(list => Buffer.from(list.join(''))),
    fc.uint8Array({ maxLength: 20 }),
  )
  const message = fc.record({ body, type: fc.constantFrom('text/plain', 'a/b'), skippedCount: fc.nat(2) })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), fc.boolean(), (messages, isWhole) => {
      const format = isWhole ? envelope : text
      const pieces = messages.map(({ body, type, skippedCount }, at) =>
        write(messageOf(body, { type, id: `e-${at}` }), format, { isWide: true, skippedCount }),
      )
      const events = read(retryField(1), ...pieces).filter(({ type }) => type !== 'gap')
      return (
        events.length === messages.length &&
        events.every(({ type, data, lastEventId }, at) => {
          const { body = new Uint8Array() } = messages[at] ?? {}
          const isJson = isWhole || type === 'binary'
          const { base64, body: inner } = (isJson ? JSON.parse(data) : {}) as Partial<Record<string, string>>
          const found = isJson
            ? base64 === undefined
              ? Buffer.from(inner ?? '')
              : Buffer.from(base64, 'base64')
            : Buffer.from(data)
          const wanted = isJson
            ? body
            : Buffer.from(
                Buffer.from(body)
                  .toString()
                  .replace(/\r\n|\r/g, '\n'),
              )
          return lastEventId === `e-${at}` && Buffer.compare(found, wanted) === 0
        })
      )
    }),
    { seed: 1, numRuns: 1000 },
  )
  t.end()
})
