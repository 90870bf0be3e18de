// Metadata and bodies made to break out of their place: into the header lines of a part, into the parts of another
// channel, into the log. What is taken comes out exactly as a message, and everything else is refused.

import { closeSync, openSync, readFileSync } from 'node:fs'
import t from 'tap'
import { openLog } from '../../src/log.ts'
import {
  basic,
  checkRefusal,
  goodPost,
  openServer,
  parse,
  RawConnection,
  request,
  type Rig,
  send,
  Witness,
} from './raw.ts'

const CLOSE = 'Connection: close'

/** A body of parts, to a channel or, with an empty one, to those that the parts name. */
function partsPost(rig: Rig, channel: string, parts: readonly string[]): string {
  const body = `${parts.map(part => `--B\r\n${part}\r\n`).join('')}--B--\r\n`
  const lines = ['Content-Type: multipart/mixed; boundary=B', `Content-Length: ${body.length}`, CLOSE]
  return request(rig, `POST /msgbus/${channel}`, lines, body)
}

function formPost(rig: Rig, part: string): string {
  const body = `--B\r\n${part}\r\n--B--\r\n`
  const lines = ['Content-Type: multipart/form-data; boundary=B', `Content-Length: ${body.length}`, CLOSE]
  return request(rig, 'POST /msgbus/a', lines, body)
}

// [RFC 5322 §2.2.3] legal in a header of a form's part, where it means a blank.
const FOLDING = '\r\n '
const CONTROLS = ['\r', '\n', '\r\n', FOLDING, '\0', '\v', '\b', '\x1b', '\x7f', '\u0085', '\u00a0']
const UNPRINTABLE = [...CONTROLS, '\u00e9', '\u202e', '\u2028', '\u20ac', '\u{1f600}']

await t.test(
  'a type with anything but visible ASCII is refused, in every place where a type can stand',
  async t => {
    const rig = await openServer(t)
    const witness = await Witness.open(t, rig)
    const post = (type: string): string => goodPost(rig, 'a', 'x').replace('text/plain', type)
    const part = (type: string): string => partsPost(rig, 'a', [`Content-Type: ${type}\r\n\r\nx`])
    const disposition = 'Content-Disposition: form-data; name="a"; filename="b"'
    const form = (type: string): string => formPost(rig, `${disposition}\r\nContent-Type: ${type}\r\n\r\nx`)
    for (const character of UNPRINTABLE) {
      const type = Buffer.from(`text/plain${character}`).toString('latin1')
      const name = encodeURIComponent(character)
      checkRefusal(t, await send(t, rig, post(`${type}y`)), 400, `${name} in a request`)
      checkRefusal(t, await send(t, rig, part(`${type}y`)), 400, `${name} in a part`)
      // A form's types come without their parameters, and these here with what is wrong about them.
      const text = await send(t, rig, form(`${type}y`))
      if (character < '\x80' && character !== FOLDING) checkRefusal(t, text, 400, `${name} in a form`)
      else t.equal(parse(text).status, 204, `${name} in a form`)
    }
    // A line end in a header line ends it: what follows is a header of the publisher's own, which nobody is handed.
    for (const bytes of [
      post('text/plain\r\nSet-Cookie: a=b'),
      part('text/plain\nSet-Cookie: a=b'),
      form('text/plain\r\nLink: x'),
    ]) {
      t.equal(parse(await send(t, rig, bytes.replace(/(?=Host: )/, `${CLOSE}\r\n`))).status, 204)
    }
    checkRefusal(
      t,
      await send(t, rig, goodPost(rig, 'a', 'x').replace('text/plain', 'a/'.padEnd(257, 'b'))),
      400,
      'too long',
    )
    checkRefusal(t, await send(t, rig, goodPost(rig, 'a', 'x').replace('text/plain', '')), 400, 'empty')
    checkRefusal(
      t,
      await send(t, rig, goodPost(rig, 'a', 'x').replace(/Content-Type: .*\r\n/, '')),
      400,
      'missing',
    )
    const taken = UNPRINTABLE.filter(character => character >= '\x80' || character === FOLDING).length + 3
    await witness.saw(
      Array.from({ length: taken }, () => ({ channel: 'a', body: 'x' })),
      'types',
    )
  },
)

await t.test('a user name with anything but visible ASCII is refused', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  for (const character of UNPRINTABLE) {
    const name = encodeURIComponent(character)
    const text = await send(t, rig, goodPost(rig, 'a', 'x', [basic(`eve${character}X: y`)]))
    t.match(checkRefusal(t, text, 400, name).body, /^MSGBUS_SENDER: /, name)
  }
  const notUtf8 = `Authorization: Basic ${Buffer.from([0x65, 0xff, 0xfe, 0x3a]).toString('base64')}`
  checkRefusal(t, await send(t, rig, goodPost(rig, 'a', 'x', [notUtf8])), 400, 'no UTF-8')
  checkRefusal(t, await send(t, rig, goodPost(rig, 'a', 'x', [basic('e'.repeat(1025))])), 400, 'too long')
  const taken = ['<script>alert(1)</script>', '--', 'a\tb', ' ', 'e'.repeat(1024)]
  for (const user of taken)
    t.equal(parse(await send(t, rig, goodPost(rig, 'a', 'x', [basic(user), CLOSE]))).status, 204)
  await witness.saw(
    taken.map(from => ({ channel: 'a', from, body: 'x' })),
    'user names',
  )
})

await t.test(
  'what is no media type is carried as bytes, and what is one in the words of its publisher',
  async t => {
    const rig = await openServer(t)
    const witness = await Witness.open(t, rig)
    const refusedWords = [
      ...[
        'text/html,text/plain',
        'text/plain, text/html',
        'text/plain; text/html',
        '*/*',
        'text',
        'text/',
        '/html',
      ],
      ...[
        'text/plain/html',
        'text /html',
        'text/html;charset',
        '"text/html"',
        'text/html; a="b',
        'javascript:alert(1)',
      ],
    ]
    const takenWords = [
      'TEXT/Plain',
      'text/plain;charset="utf-8"',
      'image/svg+xml',
      'a/b; x="\\""; y=z',
      'text/html ;a=b',
    ]
    for (const type of [...refusedWords, ...takenWords]) {
      const post = goodPost(rig, 'a', 'x', [CLOSE]).replace('text/plain', type)
      t.equal(parse(await send(t, rig, post)).status, 204, type)
    }
    await witness.saw(
      [
        ...refusedWords.map(() => ({ channel: 'a', type: 'application/octet-stream', body: 'x' })),
        ...takenWords.map(type => ({ channel: 'a', type, body: 'x' })),
      ],
      'media types',
    )
  },
)

await t.test('a body that holds the boundary is refused, however it comes', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  // Any reader learns the boundary: it stands in the head of every stream.
  const { boundary } = rig.server.bus
  t.match(boundary, /^[0-9a-f]{32}$/, '128 bits')
  const forged = `Content-Location: /msgbus/bank\r\nContent-Type: text/plain\r\n\r\nforged`
  const bodies = [
    boundary,
    `--${boundary}`,
    `x\r\n--${boundary}\r\n${forged}`,
    `x\r\n--${boundary}--\r\n`,
    `x${boundary}y`,
  ]
  const refused = async (text: Promise<string>, name: string): Promise<void> => {
    t.match(checkRefusal(t, await text, 400, name).body, /^MSGBUS_BODY_BOUNDARY: /, name)
  }
  for (const body of bodies) {
    await refused(send(t, rig, goodPost(rig, 'a', body)), 'a body')
    await refused(send(t, rig, partsPost(rig, 'a', [`Content-Type: a/b\r\n\r\n${body}`])), 'a part')
    const counted = `Content-Type: a/b\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    await refused(send(t, rig, partsPost(rig, 'a', [counted])), 'a part with its length')
    await refused(
      send(t, rig, formPost(rig, `Content-Disposition: form-data; name="a"\r\n\r\n${body}`)),
      'a field',
    )
  }
  const chunked = request(rig, 'POST /msgbus/a', ['Content-Type: text/plain', 'Transfer-Encoding: chunked'])
  const singles = Array.from(`--${boundary}`, character => `1\r\n${character}\r\n`).join('')
  await refused(send(t, rig, `${chunked}${singles}0\r\n\r\n`), 'chunks of one byte')
  const reader = new RawConnection(t, rig.port).write(`${chunked}10\r\n${boundary.slice(0, 16)}\r\n`)
  await refused(reader.write(`10\r\n${boundary.slice(16)}\r\n0\r\n\r\n`).closed(), 'two writes')
  await witness.saw([], 'boundaries')
})

await t.test('a part of the boundary is a body like any other', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  const { boundary } = rig.server.bus
  const bodies = [
    `\r\n--${boundary.slice(0, 31)}`,
    `--${boundary.slice(1)}`,
    boundary.toUpperCase().padStart(40, '-'),
    '\r\n--',
  ]
  const other = await openServer(t)
  t.not(other.server.bus.boundary, boundary, 'no two servers share one')
  const taken = [...bodies.filter(body => !body.includes(boundary)), `--${other.server.bus.boundary}`]
  for (const body of taken) t.equal(parse(await send(t, rig, goodPost(rig, 'a', body, [CLOSE]))).status, 204)
  await witness.saw(
    taken.map(body => ({ channel: 'a', body })),
    'near the boundary',
  )
})

await t.test(
  'a part cannot name a channel outside of the one it was sent to, nor one that is none',
  async t => {
    const rig = await openServer(t)
    const witness = await Witness.open(t, rig)
    const locations = [
      ...[
        '/msgbus/b',
        '/msgbus/ab/c',
        '/msgbus/a',
        '/msgbus/a/',
        '/msgbus/a/../b',
        '/msgbus/a%2fb',
        '/msgbus/a//b',
      ],
      ...[
        'a/b',
        'http://evil.example/msgbus/a/b',
        '/other/a/b',
        '/msgbus/a/%0d%0aX:y',
        '/msgbus/a/\xe9',
        '/msgbus/a/b?c',
        '/msgbus/a/b#c',
        '',
      ],
    ]
    for (const location of locations) {
      const part = `Content-Location: ${location}\r\nContent-Type: text/plain\r\n\r\nx`
      const text = await send(t, rig, partsPost(rig, 'a/', [part]))
      t.match(checkRefusal(t, text, 400, JSON.stringify(location)).body, /^MSGBUS_CHANNEL_NAME: /)
    }
    const inside = 'Content-Location: /msgbus/a/b\r\nContent-Type: text/plain\r\n\r\nx'
    const late = partsPost(rig, 'a/', [
      inside,
      'Content-Location: /msgbus/b\r\nContent-Type: text/plain\r\n\r\nx',
      inside,
    ])
    checkRefusal(t, await send(t, rig, late), 400, 'the second of three')
    await witness.saw([{ channel: 'a/b', body: 'x' }], 'locations')
  },
)

await t.test(
  'every line of the log is one JSON object of visible ASCII, whatever a stranger sends',
  async t => {
    const file = `${t.testdir({})}/log`
    const fd = openSync(file, 'a')
    t.teardown(() => {
      closeSync(fd)
    })
    const rig = await openServer(t, { log: openLog(3, fd) })
    const nasty = [
      '\r\n{"level":60}',
      '\x1b[2J',
      '\u202e',
      '\u2028',
      '\0',
      '"',
      '\\',
      '\u00e9',
      'x'.repeat(4000),
    ]
    for (const text of nasty) {
      const channel = encodeURIComponent(text).slice(0, 3000)
      const lines = [basic(text), `User-Agent: ${JSON.stringify(text).slice(0, 2000)}`, CLOSE]
      await send(t, rig, goodPost(rig, channel, 'x', lines))
      await send(t, rig, goodPost(rig, 'a', 'x', [basic(text), CLOSE]))
      const reader = new RawConnection(t, rig.port)
      reader.write(
        request(rig, `GET /msgbus/a?sender=${encodeURIComponent(text).slice(0, 200)}`, [basic(text)]),
      )
      await reader.matched('\r\n\r\n')
      await reader.write('junk').closed()
      await send(t, rig, `GET / HTTP/1.1\r\nHost: ${Buffer.from(text).toString('latin1')}\r\n\r\n`)
    }
    const lines = readFileSync(file, 'latin1').split('\n')
    t.equal(lines.pop(), '', 'the last line is whole')
    t.ok(lines.length > nasty.length)
    for (const line of lines) {
      t.match(line, /^\{"level":\d+,[\x20-\x7e]*\}$/)
      t.ok(line.length < 2500, 'and not long')
      const entry: unknown = JSON.parse(line)
      t.ok(typeof entry === 'object' && entry !== null && 'msg' in entry && 'time' in entry)
    }
  },
)
