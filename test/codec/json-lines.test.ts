// Newline-delimited JSON, line by line in literal bytes: messages, notices, heartbeats.

import fc from 'fast-check'
import t from 'tap'
import { jsonLinesFormat, noticeLine } from '../../src/codec/json-lines.ts'
import type { PartOptions } from '../../src/codec/stream-format.ts'
import type { Message } from '../../src/message.ts'

function messageOf(body: string | Uint8Array, given: Partial<Message> = {}): Message {
  return {
    ...{ id: 'e-1', seq: 1, channel: 'a', time: 5, ordinal: 0, type: 'text/plain', sender: null },
    ...given,
    body: Buffer.from(body),
  }
}

const NARROW: PartOptions = { isWide: false, skippedCount: 0 }

function write(message: Message, options = NARROW): string {
  const part = jsonLinesFormat.part(message, options)
  if (part === null) throw new Error('this form leaves nothing out')
  if (!/^[\x20-\x7e\n]*$/.test(part.head)) throw new Error(`the head is not ASCII: ${part.head}`)
  return `${part.head}${Buffer.from(part.body).toString()}${jsonLinesFormat.tail}`
}

await t.test('a message is one line', t => {
  const line = '{"id":"e-1","channel":"a","time":5,"type":"text/plain","sender":null,"body":"ä\\n"}\n'
  t.equal(write(messageOf('ä\n')), line)
  t.equal(write(messageOf('ä\n'), { isWide: true, skippedCount: 0 }), line, 'with its channel, always')
  t.end()
})

await t.test('a loss is told in the line before', t => {
  t.equal(
    write(messageOf(''), { isWide: false, skippedCount: 3 }),
    '{"gap":3}\n{"id":"e-1","channel":"a","time":5,"type":"text/plain","sender":null,"body":""}\n',
  )
  t.end()
})

await t.test('notices and signs of life are lines, too', t => {
  t.equal(jsonLinesFormat.notice(7), '{"gap":7}\n')
  t.equal(jsonLinesFormat.notice(null), '{"reset":true}\n')
  t.equal(noticeLine(0), '{"gap":0}')
  t.equal(jsonLinesFormat.ping(1), '\n')
  t.equal(jsonLinesFormat.contentType, 'application/x-ndjson')
  t.same([jsonLinesFormat.opening, jsonLinesFormat.closing, jsonLinesFormat.lastTail], ['', '', '\n'])
  t.notOk(jsonLinesFormat.repeatsLast)
  t.end()
})

await t.test('whatever is published, each message is one line of JSON to every reader of lines', t => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .array(
        fc.constantFrom('\n', '\r', '\u2028', '\u2029', '\u0085', '\v', '\f', '\x1c', '{"gap":1}', '"', '\\'),
      )
      .map(list => Buffer.from(list.join(''))),
  )
  fc.assert(
    fc.property(fc.array(body, { minLength: 1, maxLength: 5 }), bodies => {
      const text = bodies.map(body => write(messageOf(body))).join('')
      // As Python splits text, which knows the most line ends.
      const lines = text.split(/\r\n|[\n\r\v\f\x1c-\x1e\u0085\u2028\u2029]/).slice(0, -1)
      return (
        lines.length === bodies.length &&
        lines.every((line, at) => {
          const { body, base64 = '' } = JSON.parse(line) as {
            readonly body?: string
            readonly base64?: string
          }
          const read = body === undefined ? Buffer.from(base64, 'base64') : Buffer.from(body)
          return Buffer.compare(read, bodies[at] ?? new Uint8Array()) === 0
        })
      )
    }),
    { seed: 1, numRuns: 1000 },
  )
  t.end()
})
