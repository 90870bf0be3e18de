import t from 'tap'
import { parsePlainHead } from '../../src/http/plain-head.ts'

const REQUEST_LINE = 'POST /msgbus/foo HTTP/1.1'
const LINES = ['Host: 127.0.0.1:8888', 'Content-Type: text/plain', 'Content-Length: 3']
const PLAIN = { path: '/msgbus/foo', host: '127.0.0.1:8888', type: 'text/plain', bodyByteCount: 3 }

function head(...lines: readonly string[]): string {
  return lines.join('\r\n')
}

await t.test('what publishers usually send is plain, in any order and case', t => {
  t.strictSame(parsePlainHead(head(REQUEST_LINE, ...LINES)), PLAIN)
  t.strictSame(parsePlainHead(head(REQUEST_LINE, ...LINES.toReversed())), PLAIN)
  t.strictSame(
    parsePlainHead(
      head(REQUEST_LINE, ...LINES.map(line => line.replace(/^[^ ]+ /, name => name.toUpperCase().trim()))),
    ),
    PLAIN,
  )
  const idle = ['User-Agent: curl/8.5.0', 'Accept: */*', 'Accept-Encoding: gzip, br', 'Accept-Language: *']
  t.strictSame(parsePlainHead(head(REQUEST_LINE, ...idle, ...LINES, 'Connection: Keep-Alive')), PLAIN)
  t.strictSame(parsePlainHead(head('PUT /a/b-c_d.~ HTTP/1.1', ...LINES)), { ...PLAIN, path: '/a/b-c_d.~' })
  t.end()
})

await t.test('every other request line is left to HTTP', t => {
  for (const line of [
    '',
    'GET /msgbus/foo HTTP/1.1',
    'post /msgbus/foo HTTP/1.1',
    'PATCH /msgbus/foo HTTP/1.1',
    'POST /msgbus/foo HTTP/1.0',
    'POST /msgbus/foo HTTP/1.10',
    'POST /msgbus/foo',
    ' POST /msgbus/foo HTTP/1.1',
    'POST  /msgbus/foo HTTP/1.1',
    'POST /msgbus/foo HTTP/1.1 ',
    'POST //msgbus/foo HTTP/1.1',
    'POST msgbus/foo HTTP/1.1',
    'POST http://127.0.0.1:8888/msgbus/foo HTTP/1.1',
    ...['?', '%41', '#', ',', '\\', '\t', '\xe9', '\n', '\r', '\0'].map(
      character => `POST /msgbus/f${character}o HTTP/1.1`,
    ),
  ]) {
    t.equal(parsePlainHead(head(line, ...LINES)), null, JSON.stringify(line))
  }
  t.end()
})

await t.test('a head that leaves something out, or says it twice, is left to HTTP', t => {
  for (const line of LINES) {
    t.equal(parsePlainHead(head(REQUEST_LINE, ...LINES.filter(other => other !== line))), null, `no ${line}`)
    t.equal(parsePlainHead(head(REQUEST_LINE, ...LINES, line)), null, `twice ${line}`)
  }
  // As many as fit would be more than HTTP takes.
  t.equal(parsePlainHead(head(REQUEST_LINE, ...LINES, 'Accept: a', 'Accept: b')), null)
  t.end()
})

await t.test('a header that is not known, or not written in the usual way, is left to HTTP', t => {
  for (const line of [
    '',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding:chunked',
    'Expect: 100-continue',
    'Connection: close',
    'Connection: keep-alive, upgrade',
    'Upgrade: websocket',
    'Authorization: Basic YTpi',
    'Origin: http://evil.example',
    'Sec-Fetch-Site: cross-site',
    'Content-Encoding: gzip',
    'Content-Length : 3',
    'Accept : */*',
    ' Accept: */*',
    'Accept: */*\nTransfer-Encoding: chunked',
    'Accept: */*\rTransfer-Encoding: chunked',
    'Accept: a\0b',
    'Accept: \xe9',
    'Accept:',
    'Accept:  */*',
    'Accept: */* ',
    'Accept:\t*/*',
    'Accept',
    ': x',
    'X-Other: 1',
  ]) {
    t.equal(parsePlainHead(head(REQUEST_LINE, ...LINES, line)), null, JSON.stringify(line))
  }
  t.end()
})

await t.test('a length that others may read in another way is left to HTTP', t => {
  const rest = LINES.slice(0, 2)
  for (const length of ['', '-1', '+3', '03', '3, 3', '0x3', '3.0', '3e0', '12345678', '٣'])
    t.equal(parsePlainHead(head(REQUEST_LINE, ...rest, `Content-Length: ${length}`)), null, length)
  t.equal(parsePlainHead(head(REQUEST_LINE, ...rest, 'Content-Length: 0'))?.bodyByteCount, 0)
  t.end()
})
