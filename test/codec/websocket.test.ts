import t from 'tap'
import { frameFormat } from '../../src/codec/websocket.ts'

const TEXT = 0x81
const BINARY = 0x82

/** The first byte of the frame that a message of this text becomes. */
function firstByteOf(text: string, type = 'text/plain'): number | undefined {
  const format = frameFormat('raw')
  const message = {
    id: 'e-1',
    seq: 1,
    channel: 'a',
    time: 5,
    ordinal: 0,
    type,
    sender: null,
    body: Buffer.from(text),
  }
  return format.part(message, { isWide: false, skippedCount: 0 })?.head.charCodeAt(0)
}

await t.test('a text is a text frame, anything else a binary one', t => {
  t.equal(firstByteOf('hello'), TEXT)
  t.equal(firstByteOf('{"a":1}', 'application/json'), firstByteOf('hello', 'application/json'))
  t.equal(firstByteOf('hello', 'image/png'), BINARY)
  t.end()
})

await t.test('no message can be taken for a notice', t => {
  const format = frameFormat('raw')
  t.equal(format.notice(3), '\x81\x09{"gap":3}')
  t.equal(format.notice(null), '\x81\x0e{"reset":true}')
  for (const text of [
    '{"gap":3}',
    '{"reset":true}',
    ' {\n"reset" : true }\t',
    '{"\\u0067ap":3}',
    '{"gap":1,"other":2}',
    '{"reset":false,"\\u0072eset":true}',
  ]) {
    t.equal(firstByteOf(text), BINARY, text)
  }
  for (const text of [
    '{"gap":3',
    '["gap"]',
    '{"a":"gap"}',
    '{"a":{"gap":3}}',
    '"reset"',
    'gap',
    '{}',
    '{"resets":1}',
  ]) {
    t.equal(firstByteOf(text), TEXT, text)
  }
  t.end()
})
