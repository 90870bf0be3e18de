// Bytes at random, and requests with some of their bytes changed. The server may refuse them, take them or hang up, but
// it never fails, never falls silent, and never writes a part that is not well formed. A failure prints its seed.

import fc from 'fast-check'
import t, { type Test } from 'tap'
import { chunk, goodPost, openServer, RawConnection, request, type Rig } from './raw.ts'

const RUNS = { numRuns: 200 }

/** Not for the server to say whatever it is sent: that it failed. 501, 503 and 505 are refusals. */
const FAILURE = /^HTTP\/1\.1 (?:500|502|504) /m

async function attack(t: Test, rig: Rig, bytes: Uint8Array): Promise<void> {
  const connection = new RawConnection(t, rig.port).write(bytes)
  connection.socket.end()
  const text = await connection.closed()
  if (FAILURE.test(text)) throw new Error(`The server failed: ${text}`)
  if (text !== '' && !text.startsWith('HTTP/1.')) throw new Error(`Not an answer: ${text.slice(0, 200)}`)
}

function seeds(rig: Rig): readonly string[] {
  const form = '--B\r\nContent-Disposition: form-data; name="a"; filename="b.txt"\r\n\r\nfile\r\n--B--\r\n'
  const parts = '--B\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\npart\r\n--B--\r\n'
  const chunks = `${chunk('some')}${chunk('body')}0\r\nX: y\r\n\r\n`
  const user = 'Authorization: Basic dXNlcjpwYXNz'
  return [
    goodPost(rig, 'a/b%20c', 'body', [user, 'Expect: 100-continue']),
    goodPost(rig, 'a', 'one').repeat(3),
    request(rig, 'PUT /msgbus/a', ['Content-Type: image/png', 'Transfer-Encoding: chunked'], chunks),
    request(
      rig,
      'POST /msgbus/a',
      ['Content-Type: multipart/form-data; boundary=B', `Content-Length: ${form.length}`],
      form,
    ),
    request(
      rig,
      'POST /msgbus/',
      ['Content-Type: multipart/mixed; boundary=B', `Content-Length: ${parts.length}`],
      parts,
    ),
    request(rig, 'GET /msgbus/a,b/?type=text/*,!x&sender=a*b?c&slow=drop', [user, 'Accept: image/png']),
    request(rig, 'GET /msgbus/a?as=image', ['Sec-Fetch-Site: same-origin', 'Range: bytes=0-1']),
    request(rig, 'OPTIONS *') + request(rig, 'HEAD /msgbus/a') + request(rig, `GET http://${rig.host}/x`),
    `GET /msgbus/ HTTP/1.0\r\nUser-Agent: libevmsg\r\n\r\n`,
  ]
}

const TOKENS = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\0',
    ' ',
    ':',
    ',',
    ';',
    '"',
    '%',
    '%00',
    '%2f',
    '/',
    '//',
    '..',
    '--B',
    '--B--',
    '\xff',
  ],
  ...[
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'HTTP/1.0',
    'HTTP/2.0',
    '0\r\n\r\n',
    'ffffffff',
  ],
]

/** One change: where it begins and how far it goes, both as a share, and what comes in place. */
const CHANGE = fc.record({
  from: fc.noBias(fc.nat(999)).map(number => number / 1000),
  length: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(200)),
  by: fc.oneof(
    fc.constantFrom('', ...TOKENS),
    fc.uint8Array({ maxLength: 4 }).map(bytes => Buffer.from(bytes).toString('latin1')),
  ),
  times: fc.constantFrom(1, 1, 1, 2, 300),
})

const PART =
  /^(?:From: [\t\x20-\x7e]+\r\n)?Content-Location: \/msgbus\/[!-~]+\r\nContent-Type: [\t\x20-\x7e]+\r\nContent-Length: (\d+)\r\nMsgbus-Id: [0-9a-f]+-(\d+)\r\nMsgbus-Time: 1700000000000\r\n\r\n/

await t.test('random bytes are survived', async t => {
  const rig = await openServer(t)
  const watch = await watchAll(t, rig)
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 })
  await fc.assert(
    fc.asyncProperty(bytes, input => attack(t, rig, input)),
    RUNS,
  )
  await watch()
})

await t.test('changed requests are survived', async t => {
  const rig = await openServer(t)
  const watch = await watchAll(t, rig)
  const changed = fc
    .tuple(fc.constantFrom(...seeds(rig)), fc.array(CHANGE, { minLength: 1, maxLength: 4 }))
    .map(([seed, changes]) =>
      changes.reduce((text, { from, length, by, times }) => {
        const at = Math.floor(from * text.length)
        return `${text.slice(0, at)}${by.repeat(times)}${text.slice(at + length)}`
      }, seed),
    )
  await fc.assert(
    fc.asyncProperty(changed, input => attack(t, rig, Buffer.from(input, 'latin1'))),
    RUNS,
  )
  await watch()
})

/** Reads the whole bus; what it returns asserts that every byte of that was part of a well-formed part, in order. */
async function watchAll(t: Test, rig: Rig): Promise<() => Promise<void>> {
  const boundaryLine = `--${rig.server.bus.boundary}\r\n`
  const reader = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/'))
  const headLength = (await reader.matched(chunk(boundaryLine))).length
  return async () => {
    await new RawConnection(t, rig.port)
      .write(goodPost(rig, 'end', 'THE END', ['Connection: close']))
      .closed()
    let rest = (await reader.matched(`THE END\r\n${boundaryLine}\r\n`)).slice(headLength)
    let count = 0
    while (rest !== '') {
      const size = /^([0-9a-f]+)\r\n/.exec(rest)
      const start = size?.[0].length ?? 0
      const end = start + parseInt(size?.[1] ?? '', 16)
      const part = rest.slice(start, end)
      const head = PART.exec(part)
      const expectedEnd = (head?.[0].length ?? 0) + Number(head?.[1])
      t.equal(Number(head?.[2]), ++count, 'in order')
      t.equal(part.slice(expectedEnd), `\r\n${boundaryLine}`, 'as long as it says')
      t.equal(rest.slice(end, end + 2), '\r\n')
      if (!t.passing()) return
      rest = rest.slice(end + 2)
    }
  }
}
