// Channel names and patterns made to mean two things at once, or to cost more than they should. One name has one
// spelling that counts, everywhere; what has none is refused at every door.

import t from 'tap'
import {
  basic,
  checkRefusal,
  goodPost,
  openServer,
  parse,
  RawConnection,
  request,
  send,
  Witness,
} from './raw.ts'

const CLOSE = 'Connection: close'

const REFUSED = [
  ...['.', '..', 'a/..', 'a/../b', 'a/./b', '%2e', '%2e%2e', 'a/%2E%2e/b', '.%2e', 'a//b', '//a', '/a'],
  ...[
    '%2f',
    'a%2fb',
    'a%2Fb',
    '%5c',
    'a%5Cb',
    '%00',
    'a%00',
    '%0a',
    '%0d%0aX:%20y',
    '%1b',
    '%7f',
    '%09',
    '%C2%80',
    '%c2%9f',
  ],
  // Zero width, bidi, soft hyphen, byte order mark, line separators, a tag character.
  ...[
    'a%E2%80%8B',
    '%E2%80%AEa',
    'a%C2%ADb',
    '%EF%BB%BFa',
    'a%E2%80%A8',
    'a%E2%80%A9',
    '%F3%A0%81%81',
    '%E2%81%A6',
  ],
  // No UTF-8: cut short, overlong, surrogates, past the end; and no escapes.
  ...['%ff', '%c3', '%c0%af', '%c0%ae%c0%ae', '%e0%80%af', '%f0%80%80%af', '%ed%a0%80', '%f4%90%80%80'],
  ...['%', 'a%', '%2', '%zz', '%u0041', '%%30'],
  // The other normal forms of what is one name to a person.
  ...['e%CC%81', '%E2%84%AB', '%E1%84%80%E1%85%A1'],
  ...['a'.repeat(256), '%C3%A9'.repeat(128), Array.from({ length: 17 }, () => 'a').join('/')],
]

const TAKEN = [
  ...[
    '%252f',
    '%252F',
    '%2500',
    '%2C',
    '%20',
    'a%20b',
    '%3F',
    '%23',
    '%25',
    '%2B',
    '~',
    '%7Euser',
    '...',
    '.a',
    'a.',
    '-',
  ],
  ...[
    '0',
    '00',
    '-1',
    '1e3',
    'NaN',
    'null',
    'undefined',
    'true',
    '__proto__',
    'constructor',
    'a/constructor',
  ],
  ...[
    '%C3%A9',
    '%E4%B8%AD/%E6%96%87',
    '%F0%9F%98%80',
    'A',
    'a',
    '%26',
    '%3D',
    '%3A',
    '%40',
    '%22',
    '%3Cb%3E',
  ],
  ...['a'.repeat(255), Array.from({ length: 16 }, () => 'a').join('/'), 'msgbus/a', '%5B%5D'],
]

await t.test('a name that could mean another one is refused, for publishing and for subscribing', async t => {
  const rig = await openServer(t)
  const witness = await Witness.open(t, rig)
  for (const name of REFUSED) {
    const requests = [
      goodPost(rig, name, 'x'),
      goodPost(rig, name, 'x').replace('POST', 'PUT'),
      request(rig, `GET /msgbus/${name}`),
      request(rig, `GET /msgbus/${name}/`),
      request(rig, `GET /msgbus/a,${name},b`),
    ]
    for (const bytes of requests) {
      const what = bytes.slice(0, 60).split('\r')[0] ?? ''
      t.match(checkRefusal(t, await send(t, rig, bytes), 400, what).body, /^MSGBUS_CHANNEL_NAME: /, what)
    }
    t.equal(parse(await send(t, rig, request(rig, `HEAD /msgbus/${name}`))).status, 400, `HEAD ${name}`)
  }
  const manyOrNone = ['', 'a/', 'a,b', ',', 'a,']
  for (const name of manyOrNone)
    checkRefusal(t, await send(t, rig, goodPost(rig, name, 'x')), 400, `publishing to "${name}"`)
  const lists = [
    ',',
    'a,',
    ',a',
    'a,,b',
    Array.from({ length: 65 }, (_, at) => `a${at}`).join(','),
    'a//',
    '/',
  ]
  for (const list of lists)
    checkRefusal(t, await send(t, rig, request(rig, `GET /msgbus/${list}`)), 400, `reading "${list}"`)
  await witness.saw([], 'refused names')
})

await t.test(
  'a name that is taken is decoded once, stands for itself and comes out as it went in',
  async t => {
    const rig = await openServer(t)
    const witness = await Witness.open(t, rig)
    for (const name of TAKEN) {
      t.equal(parse(await send(t, rig, goodPost(rig, name, 'x', [CLOSE]))).status, 204, name)
    }
    await witness.saw(
      TAKEN.map(name => ({
        channel: name.split('/').map(decodeURIComponent).map(encodeURIComponent).join('/'),
        body: 'x',
      })),
      'names',
    )
  },
)

await t.test('what is published to one name reaches no other one that looks like it', async t => {
  const rig = await openServer(t)
  const { boundary } = rig.server.bus
  const readers = TAKEN.map(name => new RawConnection(t, rig.port).write(request(rig, `GET /msgbus/${name}`)))
  for (const reader of readers) await reader.matched(`--${boundary}\r\n\r\n`)
  for (const [at, name] of TAKEN.entries()) {
    t.equal(parse(await send(t, rig, goodPost(rig, name, `<<${at}>>`, [CLOSE]))).status, 204)
  }
  for (const [at, reader] of readers.entries()) {
    // Two spellings that differ only in the case of an escape are one name.
    const spelling = decodeURIComponent(TAKEN[at] ?? '')
    const same = TAKEN.flatMap((name, other) =>
      decodeURIComponent(name) === spelling ? [`<<${other}>>`] : [],
    )
    await reader.matched(same.at(-1) ?? '')
    t.strictSame(reader.text.match(/<<\d+>>/g), same, TAKEN[at] ?? '')
    reader.socket.destroy()
  }
})

await t.test('filters past their bounds are refused', async t => {
  const rig = await openServer(t)
  const filters = [
    `type=${'*'.repeat(17)}`,
    `sender=${'a*'.repeat(17)}`,
    `type=${'a,'.repeat(100)}`,
    `sender=${'a'.repeat(257)}`,
    'type=%',
    'sender=%ff',
    'type=%c0%af',
    `sender=x&type=${'*'.repeat(17)}`,
  ]
  for (const filter of filters)
    checkRefusal(t, await send(t, rig, request(rig, `GET /msgbus/a?${filter}`)), 400, filter)
})

await t.test('a pattern made to backtrack delays nobody', async t => {
  const rig = await openServer(t)
  const { boundary } = rig.server.bus
  const witness = await Witness.open(t, rig)
  // With naive backtracking each of these would take longer than the machine lasts.
  const patterns = Array.from({ length: 15 }, (_, at) => `${'a*'.repeat(16)}b${at}`)
  const reader = new RawConnection(t, rig.port).write(
    request(rig, `GET /msgbus/a?sender=${patterns.join(',')},c`),
  )
  await reader.matched(`--${boundary}\r\n\r\n`)
  const name = 'a'.repeat(1024)
  for (let count = 0; count < 20; count++) {
    t.equal(parse(await send(t, rig, goodPost(rig, 'a', 'x', [basic(name), CLOSE]))).status, 204)
  }
  await send(t, rig, goodPost(rig, 'a', 'wanted', [basic('c'), CLOSE]))
  t.equal((await reader.matched('wanted')).split('Msgbus-Id: ').length, 2, 'the one that matches')
  await witness.saw(
    [
      ...Array.from({ length: 20 }, () => ({ channel: 'a', from: name, body: 'x' })),
      { channel: 'a', from: 'c', body: 'wanted' },
    ],
    'patterns',
  )
})

await t.test('a filter lets nothing through that it does not name, whatever is put into it', async t => {
  const rig = await openServer(t)
  const { boundary } = rig.server.bus
  const wants = [
    '.*',
    '^text',
    '[a-z]*',
    'text/plain$',
    '(text/plain)',
    'TEXT/PLAIN',
    '!text/plain',
    '',
    '%20*',
    '%00*',
    'text%2Fhtml',
  ]
  const readers = wants.map(want =>
    new RawConnection(t, rig.port).write(request(rig, `GET /msgbus/a?type=${want}`)),
  )
  const all = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a?type=text/*'))
  for (const reader of [...readers, all]) await reader.matched(`--${boundary}\r\n\r\n`)
  await send(t, rig, goodPost(rig, 'a', 'plain text', [CLOSE]))
  await all.matched('plain text')
  for (const [at, reader] of readers.entries()) t.notMatch(reader.text, 'plain text', wants[at] ?? '')
})
