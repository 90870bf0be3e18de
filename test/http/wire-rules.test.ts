import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { checkWire } from '../../src/http/wire-rules.ts'

/** A request as Node hands it over, but for what it would have refused itself. */
function requestOf(
  method: string,
  version: string,
  headers: readonly (readonly [string, string])[],
): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  const [major = 0, minor = 0] = version.split('.').map(Number)
  req.method = method
  req.httpVersion = version
  req.httpVersionMajor = major
  req.httpVersionMinor = minor
  req.rawHeaders = headers.flat()
  req.headers = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))
  return req
}

const HOST = ['Host', 'a'] as const

await t.test('only HTTP/1.1 and HTTP/1.0 are spoken', t => {
  for (const version of ['1.1', '1.0']) checkWire(requestOf('GET', version, [HOST]))
  for (const version of ['0.9', '1.2', '1.9', '2.0', '3.0']) {
    t.throws(
      () => {
        checkWire(requestOf('GET', version, [HOST]))
      },
      { code: 'MSGBUS_VERSION' },
      version,
    )
  }
  t.end()
})

await t.test('HTTP/1.1 needs a Host and HTTP/1.0 does not', t => {
  t.throws(
    () => {
      checkWire(requestOf('GET', '1.1', []))
    },
    { code: 'MSGBUS_TARGET' },
  )
  checkWire(requestOf('GET', '1.0', []))
  t.end()
})

await t.test('100 headers are enough', t => {
  const headers = [HOST, ...Array.from({ length: 99 }, () => ['X', 'y'] as const)]
  checkWire(requestOf('GET', '1.1', headers))
  t.throws(
    () => {
      checkWire(requestOf('GET', '1.1', [...headers, ['X', 'y']]))
    },
    { code: 'MSGBUS_HEADER_COUNT' },
  )
  t.end()
})

await t.test('a header that only one can be meant by may not stand twice, in any case of letters', t => {
  const singles = ['authorization', 'content-encoding', 'content-location', 'content-type', 'from', 'host']
  for (const name of [...singles, 'idempotency-key', 'last-event-id', 'origin']) {
    const twice = [HOST, [name, 'a'], [name.toUpperCase(), 'a']] as const
    t.throws(
      () => {
        checkWire(requestOf('GET', '1.1', twice))
      },
      { code: 'MSGBUS_HEADER_REPEATED' },
      name,
    )
  }
  checkWire(
    requestOf('GET', '1.1', [HOST, ['Accept', 'a'], ['Accept', 'b'], ['__proto__', 'a'], ['__proto__', 'b']]),
  )
  t.end()
})

await t.test('no transfer encoding but chunked is taken, and none over HTTP/1.0', t => {
  for (const value of ['chunked', 'Chunked', 'CHUNKED']) {
    checkWire(requestOf('POST', '1.1', [HOST, ['Transfer-Encoding', value]]))
  }
  for (const value of [
    '',
    'gzip',
    'gzip, chunked',
    'chunked, chunked',
    'identity',
    'chunked;a=b',
    ' chunked',
    'chunked,',
  ]) {
    const req = requestOf('POST', '1.1', [HOST, ['Transfer-Encoding', value]])
    t.throws(
      () => {
        checkWire(req)
      },
      { code: 'MSGBUS_TRANSFER_ENCODING' },
      value,
    )
  }
  const old = requestOf('POST', '1.0', [['Transfer-Encoding', 'chunked']])
  t.throws(
    () => {
      checkWire(old)
    },
    { code: 'MSGBUS_TRANSFER_ENCODING' },
  )
  t.end()
})
