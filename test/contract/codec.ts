// What every decoder must do: give the same items however the stream is cut, and keep nothing of the memory it was
// handed. With it the sample streams of multipart, which the parser, the client and the server's publishing share.

import type { Test } from 'tap'
import { latin1Bytes } from '../../src/codec/bytes.ts'

/** A whole stream in literal bytes and what it says. */
export interface Sample<Item> {
  readonly name: string
  /** One character per byte. */
  readonly text: string
  readonly expected: readonly Item[]
}

export interface Decoding<Item, S extends Sample<Item>> {
  readonly samples: readonly S[]
  /** Decodes the pieces, in order, up to and with the end of the stream. Each piece is overwritten after its turn. */
  readonly decode: (sample: S, pieces: Iterable<Uint8Array>) => readonly Item[]
}

/** Runs every sample whole, byte by byte, in threes, and cut in two at each offset. */
export async function codecContract<Item, S extends Sample<Item>>(
  t: Test,
  { samples, decode }: Decoding<Item, S>,
): Promise<void> {
  for (const sample of samples) {
    await t.test(sample.name, t => {
      const { text, expected } = sample
      t.same(decode(sample, cut(text, [])), expected, 'whole')
      t.same(decode(sample, cutEvery(text, 1)), expected, 'byte by byte')
      t.same(decode(sample, cutEvery(text, 3)), expected, 'in threes')
      const failed: number[] = []
      const wanted = JSON.stringify(expected)
      for (let offset = 0; offset <= text.length; offset++) {
        if (JSON.stringify(decode(sample, cut(text, [offset]))) !== wanted) failed.push(offset)
      }
      t.same(failed, [], 'cut in two at each offset')
      t.end()
    })
  }
}

/** The pieces between the offsets. Each is filled with other bytes once the next one is asked for. */
export function* cut(text: string, offsets: readonly number[]): Generator<Uint8Array> {
  let from = 0
  for (const to of [...offsets, text.length]) {
    const piece = latin1Bytes(text.slice(from, to))
    yield piece
    piece.fill(0x2d)
    from = to
  }
}

/** Pieces of one size. */
export function cutEvery(text: string, byteCount: number): Generator<Uint8Array> {
  const offsets: number[] = []
  for (let at = byteCount; at < text.length; at += byteCount) offsets.push(at)
  return cut(text, offsets)
}

/** A part in a form that prints: headers in order, body as one character per byte. */
export interface PlainPart {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface MultipartSample extends Sample<PlainPart> {
  /** What the Content-Type of the stream is. */
  readonly type: string
}

const plain = { 'content-type': 'text/plain' }
const everyByte = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('')

function manyHeaders(value: string): Readonly<Record<string, string>> {
  const long = value.repeat(300)
  return Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`h${i}`, i % 7 === 3 ? long : value + String(i % 2)]),
  )
}

function manyLines(value: string): string {
  return Object.entries(manyHeaders(value))
    .map(([name, text]) => `${name}: ${text}\r\n`)
    .join('')
}

/** Streams that must be read, from readers and writers of all ages. */
export const multipartSamples: readonly MultipartSample[] = [
  {
    name: 'stream of msgbus: lengths, ids, the next delimiter right behind each body',
    type: 'multipart/x-mixed-replace; boundary=B',
    text:
      '--B\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nMsgbus-Id: e-1\r\n\r\nhello\r\n--B\r\n' +
      'From: dug\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nMsgbus-Id: e-2\r\n\r\nworld!\r\n--B\r\n',
    expected: [
      { headers: { ...plain, 'content-length': '5', 'msgbus-id': 'e-1' }, body: 'hello' },
      { headers: { from: 'dug', ...plain, 'content-length': '6', 'msgbus-id': 'e-2' }, body: 'world!' },
    ],
  },
  {
    name: 'delimiter ahead of each part, closing delimiter, no lengths',
    type: 'multipart/mixed; boundary=B',
    text: '--B\r\nContent-Type: text/plain\r\n\r\none\r\n--B\r\nContent-Type: text/plain\r\n\r\n\r\ntwo\r\n\r\n--B--\r\n',
    expected: [
      { headers: plain, body: 'one' },
      { headers: plain, body: '\r\ntwo\r\n' },
    ],
  },
  {
    name: 'closing delimiter behind one that was sent ahead',
    type: 'multipart/mixed; boundary=B',
    text: '--B\r\nContent-Length: 3\r\n\r\none\r\n--B\r\n--B--',
    expected: [{ headers: { 'content-length': '3' }, body: 'one' }],
  },
  {
    name: 'stream begun anew behind a bridge',
    type: 'multipart/mixed; boundary=B',
    text: '--B\r\nContent-Length: 3\r\n\r\none\r\n--B\r\n--B\r\nContent-Length: 3\r\n\r\ntwo\r\n--B\r\n',
    expected: [
      { headers: { 'content-length': '3' }, body: 'one' },
      { headers: { 'content-length': '3' }, body: 'two' },
    ],
  },
  {
    name: 'lines that end in LF alone',
    type: 'multipart/mixed; boundary=B',
    text: '--B\nContent-Type: text/plain\n\none\n--B\nContent-Type: text/plain\nContent-Length: 3\n\ntwo\n--B\n\nno headers\n--B--\n',
    expected: [
      { headers: plain, body: 'one' },
      { headers: { ...plain, 'content-length': '3' }, body: 'two' },
      { headers: {}, body: 'no headers' },
    ],
  },
  {
    name: 'form of 2008 over HTTP/1.1: nothing before the delimiter, no lengths',
    type: 'multipart/x-mixed-replace;boundary=00MsgBus00',
    text:
      '--00MsgBus00\nContent-Type: text/plain\n\nhello--00MsgBus00\n' +
      'From: dug\nContent-Location: /msgbus/foo\nContent-Type: text/html; charset=x\n\nh2\n--00MsgBus00\n' +
      'Content-Type: text/plain\n\n--00MsgBus00\n' +
      'Content-Type: text/plain\n\nends in CR\r--00MsgBus00\n' +
      'Content-Type: text/plain\n\n--00MsgBus0--00MsgBus000\r\n--00MsgBus00\n',
    expected: [
      { headers: plain, body: 'hello' },
      {
        headers: { from: 'dug', 'content-location': '/msgbus/foo', 'content-type': 'text/html; charset=x' },
        body: 'h2\n',
      },
      { headers: plain, body: '' },
      { headers: plain, body: 'ends in CR\r' },
      { headers: plain, body: '--00MsgBus0--00MsgBus000\r\n' },
    ],
  },
  {
    name: 'form of 2008 over HTTP/1.0: nothing before the delimiter, with lengths',
    type: 'multipart/x-mixed-replace;boundary=00MsgBus00',
    text:
      '--00MsgBus00\nContent-Type: text/plain\nContent-Length: 5\n\nhello--00MsgBus00\n' +
      'From: \nContent-Type: text/plain\nContent-Length: 13\n\n--00MsgBus00\n--00MsgBus00\n' +
      'Content-Type: text/plain\nContent-Length: 0\n\n--00MsgBus00\n',
    expected: [
      { headers: { ...plain, 'content-length': '5' }, body: 'hello' },
      { headers: { from: '', ...plain, 'content-length': '13' }, body: '--00MsgBus00\n' },
      { headers: { ...plain, 'content-length': '0' }, body: '' },
    ],
  },
  {
    name: 'ffmpeg -f mpjpeg',
    type: 'multipart/x-mixed-replace;boundary=ffmpeg',
    text:
      '--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 8\r\n\r\n\xff\xd8\xff\xe0\0\x10\xff\xd9\r\n' +
      '--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 10\r\n\r\n\xff\xd8\xff\xe0\r\n--\xff\xd9\r\n--ffmpeg\r\n',
    expected: [
      {
        headers: { 'content-type': 'image/jpeg', 'content-length': '8' },
        body: '\xff\xd8\xff\xe0\0\x10\xff\xd9',
      },
      {
        headers: { 'content-type': 'image/jpeg', 'content-length': '10' },
        body: '\xff\xd8\xff\xe0\r\n--\xff\xd9',
      },
    ],
  },
  {
    name: 'camera that names the boundary with its dashes',
    type: 'multipart/x-mixed-replace; boundary=--cam',
    text: '\r\n--cam\r\nContent-Length: 2\r\n\r\nab\r\n--cam\r\nContent-Length: 2\r\n\r\ncd\r\n--cam--',
    expected: [
      { headers: { 'content-length': '2' }, body: 'ab' },
      { headers: { 'content-length': '2' }, body: 'cd' },
    ],
  },
  {
    name: 'boundary that really begins with dashes',
    type: 'multipart/form-data; boundary=--cam',
    text: '----cam\r\n\r\n--cam\r\n----cam--\r\n',
    expected: [{ headers: {}, body: '--cam' }],
  },
  {
    name: 'quoted boundary with blanks, a colon and other parameters around it',
    type: 'multipart/mixed; charset="a;boundary=no"; Boundary="gc0 pJq:08=4 \\"x" ; type=x',
    text: '--gc0 pJq:08=4 "x\r\n\r\nbody\r\n--gc0 pJq:08=4 "x \t \r\n\r\nnext\r\n--gc0 pJq:08=4 "x--',
    expected: [
      { headers: {}, body: 'body' },
      { headers: {}, body: 'next' },
    ],
  },
  {
    name: 'boundary taken from the first line',
    type: 'multipart/x-mixed-replace',
    text: '\r\n\r\n--B \r\nContent-Length: 2\r\n\r\nab\r\n--B\r\n\r\ncd\r\n--B--',
    expected: [
      { headers: { 'content-length': '2' }, body: 'ab' },
      { headers: {}, body: 'cd' },
    ],
  },
  {
    name: 'text before the first delimiter and behind the last',
    type: 'multipart/mixed; boundary=B',
    text: 'This is a message\r\nin MIME format.\r\n --B\r\n--BB\r\n--\r\n\r\n--B\r\n\r\nbody\r\n--B--\r\n--B\r\nepilogue: no part\r\n',
    expected: [{ headers: {}, body: 'body' }],
  },
  {
    name: 'bodies that look like the delimiter',
    type: 'multipart/mixed; boundary=B',
    text:
      '--B\r\n\r\n--BB\r\n--B -\r\n--B --\r\n--B-\r\n\r\r\n--\r\n--B\r--B\n --B\r\n--Bx\r\r\n--B\r\n' +
      'Content-Length: 12\r\n\r\n\r\n--B\r\n--B--\r\n--B\r\n' +
      `\r\n\r\n--B${' '.repeat(65)}\r\n--B${' '.repeat(64)}\r\n--B--`,
    expected: [
      { headers: {}, body: '--BB\r\n--B -\r\n--B --\r\n--B-\r\n\r\r\n--\r\n--B\r--B\n --B\r\n--Bx\r' },
      { headers: { 'content-length': '12' }, body: '\r\n--B\r\n--B--' },
      { headers: {}, body: `\r\n--B${' '.repeat(65)}` },
    ],
  },
  {
    name: 'bodies of every byte',
    type: 'multipart/mixed; boundary=B',
    text: `--B\r\nContent-Length: 256\r\n\r\n${everyByte}\r\n--B\r\n\r\n${everyByte}\r\n--B\r\n\r\n\0\r\n\xff\n\r\n--B--`,
    expected: [
      { headers: { 'content-length': '256' }, body: everyByte },
      { headers: {}, body: everyByte },
      { headers: {}, body: '\0\r\n\xff\n' },
    ],
  },
  {
    name: 'empty bodies, with and without a line end of their own',
    type: 'multipart/mixed; boundary=B',
    text:
      '--B\r\nContent-Length: 0\r\n\r\n\r\n--B\r\nContent-Length: 0\r\n\r\n--B\r\n' +
      'X: 1\r\n\r\n\r\n--B\r\nX: 2\r\n\r\n--B\r\n\r\n--B\nX: 3\n\n\n--B\nX: 4\n\n--B--',
    expected: [
      { headers: { 'content-length': '0' }, body: '' },
      { headers: { 'content-length': '0' }, body: '' },
      { headers: { x: '1' }, body: '' },
      { headers: { x: '2' }, body: '' },
      { headers: {}, body: '' },
      { headers: { x: '3' }, body: '' },
      { headers: { x: '4' }, body: '' },
    ],
  },
  {
    name: 'pings, repeated lines, blanks around values, names in any case',
    type: 'multipart/mixed; boundary=B',
    text:
      '--B\r\nMsgbus-Ping: 1\r\nmsgbus-ping: 2\r\nX-Ping: 1\r\nX-Ping: 2\r\nMsgbus-Ping: 3\r\n' +
      'CONTENT-length:\t 2 \t\r\nX-Empty:\r\nX-Text: a : b\tc\xe9\r\nx-text: no\r\n\r\nab\r\n--B\r\n' +
      'X-Ping: 3\r\nContent-Length: 2\r\n\r\ncd\r\n--B\r\nMsgbus-Ping: 4\r\nMsgbus-Ping: 5\r\n',
    expected: [
      {
        headers: { 'x-ping': '1', 'content-length': '2', 'x-empty': '', 'x-text': 'a : b\tc\xe9' },
        body: 'ab',
      },
      { headers: { 'x-ping': '3', 'content-length': '2' }, body: 'cd' },
    ],
  },
  {
    name: 'names that begin like the name in the same place of the part before',
    type: 'multipart/mixed; boundary=B',
    text: '--B\r\nabcd: 1\r\n\r\n\r\n--B\r\nabcdef: 2\r\n\r\n\r\n--B\r\nabcd: 3\r\n\r\n\r\n--B\r\nabc: 4\r\n\r\n\r\n--B--',
    expected: [
      { headers: { abcd: '1' }, body: '' },
      { headers: { abcdef: '2' }, body: '' },
      { headers: { abcd: '3' }, body: '' },
      { headers: { abc: '4' }, body: '' },
    ],
  },
  {
    name: 'more and longer header lines than are remembered, changing from part to part',
    type: 'multipart/mixed; boundary=B',
    text: `--B\r\n${manyLines('a')}\r\none\r\n--B\r\n${manyLines('b')}\r\ntwo\r\n--B\r\nh0: short\r\n\r\n\r\n--B--`,
    expected: [
      { headers: manyHeaders('a'), body: 'one' },
      { headers: manyHeaders('b'), body: 'two' },
      { headers: { h0: 'short' }, body: '' },
    ],
  },
  { name: 'no parts: nothing at all', type: 'multipart/mixed; boundary=B', text: '', expected: [] },
  { name: 'no parts: empty lines', type: 'multipart/mixed; boundary=B', text: '\r\n\n', expected: [] },
  { name: 'no parts: one delimiter', type: 'multipart/mixed; boundary=B', text: '--B\r\n', expected: [] },
  { name: 'no parts: closed at once', type: 'multipart/mixed', text: '--B--\r\nepilogue\r\n', expected: [] },
]
