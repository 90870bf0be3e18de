// A message as one JSON object: its exact text, what is text and what is not, and that nothing in it can end a line.

import fc from 'fast-check'
import t from 'tap'
import { encodeEnvelope, type Envelope, fromBase64, textOf, toBase64 } from '../../src/codec/envelope.ts'
import type { Message } from '../../src/message.ts'

function messageOf(body: string | Uint8Array, given: Partial<Message> = {}): Message {
  return {
    ...{
      id: 'e-1',
      seq: 1,
      channel: 'a/b',
      time: 1_700_000_000_000,
      ordinal: 0,
      type: 'text/plain',
      sender: 'bob',
    },
    ...given,
    body: Buffer.from(body),
  }
}

/** What a reader makes of it. */
function read(text: string): Envelope {
  return JSON.parse(text) as Envelope
}

function bodyOf({ body, base64 }: Envelope): Buffer {
  if ((body === undefined) === (base64 === undefined)) throw new Error('exactly one of the two is wanted')
  return body === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(body)
}

await t.test('text is text, and the keys have one order', t => {
  t.equal(
    encodeEnvelope(messageOf('text')),
    '{"id":"e-1","channel":"a/b","time":1700000000000,"type":"text/plain","sender":"bob","body":"text"}',
  )
  t.equal(
    encodeEnvelope(messageOf('', { sender: null })),
    '{"id":"e-1","channel":"a/b","time":1700000000000,"type":"text/plain","sender":null,"body":""}',
  )
  t.end()
})

await t.test('what is no text is base64', t => {
  t.equal(
    encodeEnvelope(messageOf(Buffer.from([0, 255, 1]), { type: 'image/png', sender: '' })),
    '{"id":"e-1","channel":"a/b","time":1700000000000,"type":"image/png","sender":"","base64":"AP8B"}',
  )
  t.equal(read(encodeEnvelope(messageOf('', { type: 'image/png' }))).base64, '')
  t.end()
})

await t.test('nothing that a publisher writes ends the line or the object', t => {
  const evil = 'a\r\nb\nc\rd\0e"}\n{"id":"e-2"}\u2028f\u2029g\u0085h\ufeffi\u007f\u001b[31m\\'
  const message = messageOf(evil, {
    sender: '","body":"x',
    channel: '"],\u2028',
    type: 'text/plain; x="\\"}"',
  })
  const text = encodeEnvelope(message)
  t.notMatch(text, /[\0-\x1f\u0085\u2028\u2029]/)
  t.match(read(text), {
    channel: '"],\u2028',
    sender: '","body":"x',
    type: 'text/plain; x="\\"}"',
    body: evil,
  })
  t.ok(text.includes('\\u2028f\\u2029g\\u0085h'))
  t.end()
})

const TYPES: readonly (readonly [type: string, isText: boolean])[] = [
  ['text/plain', true],
  ['TEXT/HTML', true],
  ['text/plain; charset=utf-8', true],
  ['text/plain;charset="UTF-8"', true],
  ['text/plain; charset=utf8', true],
  ['text/plain; charset=US-ASCII', true],
  ['text/plain; format=flowed; charset=utf-8; x=y', true],
  ['text/x-anything', true],
  ['application/json', true],
  ['application/json; charset=utf-8', true],
  ['application/ld+json', true],
  ['application/xml', true],
  ['application/atom+xml', true],
  ['application/x-ndjson', true],
  ['application/javascript', true],
  ['application/x-www-form-urlencoded', true],
  ['image/svg+xml', true],
  ['text/plain; charset=iso-8859-1', false],
  ['text/plain; charset="utf-16"', false],
  ['text/plain;charset=utf-8x', false],
  ['application/octet-stream', false],
  ['application/jsonx', false],
  ['image/png', false],
  ['image/svg+xmlx', false],
  ['video/mp4', false],
  ['nonsense', false],
]

for (const [type, isText] of TYPES) {
  await t.test(`${type} is ${isText ? 'text' : 'bytes'}`, t => {
    t.equal(textOf(messageOf('ä', { type })), isText ? 'ä' : null)
    t.end()
  })
}

await t.test('text that is not UTF-8 is bytes, whatever its type says', t => {
  for (const bytes of [
    [0xe4],
    [0xc3],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
    [0x61, 0xff],
  ]) {
    const message = messageOf(Uint8Array.from(bytes))
    t.equal(textOf(message), null, Buffer.from(bytes).toString('hex'))
    t.same([...bodyOf(read(encodeEnvelope(message)))], bytes)
  }
  t.end()
})

await t.test('a byte order mark stays', t => {
  t.equal(textOf(messageOf('\ufeffx')), '\ufeffx')
  t.equal(bodyOf(read(encodeEnvelope(messageOf('\ufeff\ufeff')))).toString('hex'), 'efbbbfefbbbf')
  t.end()
})

await t.test('a mebibyte of bytes becomes base64 and back', t => {
  const bytes = Uint8Array.from({ length: 2 ** 20 + 1 }, (_, at) => (at * 31 + (at >> 8)) & 0xff)
  const text = toBase64(bytes)
  t.ok(text === Buffer.from(bytes).toString('base64'))
  t.ok(Buffer.compare(fromBase64(text), bytes) === 0)
  const { base64 } = read(encodeEnvelope(messageOf(bytes, { type: 'a/b' })))
  t.ok(base64 === text)
  t.end()
})

await t.test('base64 of every length is what everybody writes', t => {
  for (let length = 0; length < 10; length++) {
    const bytes = Uint8Array.from({ length }, (_, at) => 255 - at)
    t.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'))
    t.same([...fromBase64(toBase64(bytes))], [...bytes])
  }
  for (const wrong of ['*', 'A', 'AA=A']) t.throws(() => fromBase64(wrong), { name: 'InvalidCharacterError' })
  t.end()
})

await t.test('any message comes out as it went in', t => {
  const type = fc.constantFrom('text/plain', 'application/json', 'image/png')
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.string({ unit: 'binary', maxLength: 60 }).map(text => new TextEncoder().encode(text)),
  )
  const sender = fc.option(fc.string({ maxLength: 20 }))
  fc.assert(
    fc.property(fc.string(), type, sender, body, (channel, type, sender, body) => {
      const text = encodeEnvelope(messageOf(body, { channel, type, sender }))
      const envelope = read(text)
      return (
        !/[\n\r\u0085\u2028\u2029]/.test(text) &&
        envelope.channel === channel &&
        envelope.type === type &&
        envelope.sender === sender &&
        Buffer.compare(bodyOf(envelope), body) === 0
      )
    }),
    { seed: 1, numRuns: 2000 },
  )
  t.end()
})
