// The one password a server may ask for: what opens the door, what does not, and that it never shows in an answer or in
// the log.

import t, { type Test } from 'tap'
import {
  basic,
  checkRefusal,
  goodPost,
  Journal,
  openServer,
  parse,
  RawConnection,
  request,
  type Rig,
  send,
  Witness,
} from './raw.ts'

const CLOSE = 'Connection: close'
const PASSWORD = 'corr:ct h\u00f6rse \u{1f40e}'

function encoded(bytes: string): string {
  return `Authorization: Basic ${Buffer.from(bytes, 'latin1').toString('base64')}`
}

async function checkClosed(t: Test, rig: Rig, bytes: string, name: string): Promise<void> {
  const answer = checkRefusal(t, await send(t, rig, bytes), 401, name)
  t.equal(answer.headers.get('www-authenticate'), 'Basic realm="msgbus", charset="UTF-8"', name)
  t.match(answer.body, /^MSGBUS_PASSWORD: /, name)
}

await t.test('without the password nothing is published, read, described or fetched', async t => {
  const rootDir = t.testdir({ 'index.html': 'SECRET' })
  const rig = await openServer(t, { password: PASSWORD, rootDir })
  const witness = await Witness.open(t, rig, [basic('', PASSWORD)])
  const utf8 = Buffer.from(PASSWORD).toString('latin1')
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['no credentials', []],
    ['an empty header', ['Authorization: ']],
    ['only a scheme', ['Authorization: Basic']],
    ['another scheme', ['Authorization: Bearer x']],
    ['the password itself', [`Authorization: ${utf8}`]],
    ['no base64', ['Authorization: Basic !!!!']],
    ['no colon', [encoded('user')]],
    ['an empty password', [basic('user')]],
    ['nothing but a colon', [basic('')]],
    ['another password', [basic('user', 'wrong')]],
    ['the password as the user', [basic(PASSWORD, '')]],
    ['a part of it', [basic('user', PASSWORD.slice(0, -2))]],
    ['more than it', [basic('user', `${PASSWORD}x`)]],
    ['it in other letters', [basic('user', PASSWORD.toUpperCase())]],
    ['it with a blank', [basic('user', `${PASSWORD} `)]],
    ['it with a NUL', [basic('user', `${PASSWORD}\0`)]],
    ['it with a line end', [basic('user', `${PASSWORD}\n`)]],
    ['it behind a NUL', [basic('user', `\0${PASSWORD}`)]],
    ['it in Latin-1', [encoded(`user:corr:ct h\xf6rse`)]],
    ['no UTF-8', [encoded('user:\xff\xfe')]],
    ['a long one', [basic('user', 'x'.repeat(9000))]],
    ['two in one', [`${basic('user', 'wrong')}, ${basic('user', PASSWORD)}`]],
    ['it for a proxy', [basic('user', PASSWORD).replace('Authorization', 'Proxy-Authorization')]],
    ['it in a cookie', [basic('user', PASSWORD).replace('Authorization:', 'Cookie: Authorization=')]],
  ]
  for (const [name, credentials] of lines) {
    await checkClosed(t, rig, goodPost(rig, 'a', 'x', credentials), `${name}: publishing`)
    await checkClosed(t, rig, request(rig, 'GET /msgbus/a', credentials), `${name}: reading`)
    await checkClosed(t, rig, request(rig, 'GET /index.html', credentials), `${name}: a file`)
  }
  const user = basic('user', PASSWORD)
  checkRefusal(t, await send(t, rig, goodPost(rig, 'a', 'x', [user, user])), 400, 'twice the right one')
  checkRefusal(
    t,
    await send(t, rig, goodPost(rig, 'a', 'x', [basic('user', 'x'.repeat(60_000))])),
    431,
    '64 KiB',
  )
  t.equal(parse(await send(t, rig, request(rig, 'HEAD /msgbus/a'))).status, 401)
  t.equal(
    parse(await send(t, rig, request(rig, 'OPTIONS /msgbus/a', [CLOSE]))).status,
    204,
    'a preflight has none',
  )
  const waiting = request(rig, 'POST /msgbus/a', ['Content-Length: 1', 'Expect: 100-continue'])
  await checkClosed(t, rig, waiting, 'a body that waits to be asked for')
  await witness.saw([], 'without the password')
})

await t.test('with the password everybody is who they say they are', async t => {
  const rig = await openServer(t, { password: PASSWORD })
  const witness = await Witness.open(t, rig, [basic('', PASSWORD)])
  for (const user of ['alice', 'bob', '']) {
    const lines = [basic(user, PASSWORD).replace('Basic', user === 'bob' ? 'bASIC  ' : 'Basic'), CLOSE]
    t.equal(parse(await send(t, rig, goodPost(rig, 'a', user, lines))).status, 204, user)
  }
  checkRefusal(
    t,
    await send(t, rig, goodPost(rig, 'a', 'x', [basic('a\nb', PASSWORD)])),
    400,
    'a name that is none',
  )
  await witness.saw(
    [
      { channel: 'a', from: 'alice', body: 'alice' },
      { channel: 'a', from: 'bob', body: 'bob' },
      { channel: 'a', body: '' },
    ],
    'users',
  )
})

await t.test(
  'without a server password every password will do, and credentials that cannot be read name nobody',
  async t => {
    const rig = await openServer(t)
    const witness = await Witness.open(t, rig)
    for (const line of [
      basic('alice', 'x'),
      'Authorization: Bearer x',
      encoded('no colon'),
      'Authorization: Basic !',
    ]) {
      t.equal(parse(await send(t, rig, goodPost(rig, 'a', 'x', [line, CLOSE]))).status, 204, line)
    }
    const nobody = { channel: 'a', body: 'x' }
    await witness.saw([{ ...nobody, from: 'alice' }, nobody, nobody, nobody], 'credentials')
  },
)

await t.test('neither password nor credentials show in the log or in an answer', async t => {
  const log = new Journal()
  const rig = await openServer(t, { password: 'pass-of-server', log })
  const right = basic('user', 'pass-of-server')
  const answers = [
    await send(t, rig, goodPost(rig, 'a', 'x', [right, CLOSE])),
    await send(t, rig, goodPost(rig, 'a', 'x', [basic('user', 'pass-of-eve')])),
    await send(t, rig, goodPost(rig, 'a%00', 'x', [right, 'Cookie: pass-of-cookie'])),
    await send(t, rig, request(rig, 'TRACE /msgbus/a', [right])),
    await send(t, rig, request(rig, 'GET http://user:pass-of-url@evil.example/', [right])),
    await send(t, rig, request(rig, 'JUNK /pass-of-path junk', [right])),
  ]
  const reader = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/a', [right]))
  answers.push(await reader.matched(`--${rig.server.bus.boundary}\r\n`), await reader.write(right).closed())
  await log.until('unsub')
  const said = `${answers.join('')}${JSON.stringify(log.entries)}`
  t.notMatch(said, 'pass-of-')
  t.notMatch(said, right.slice('Authorization: Basic '.length))
  t.match(said, '"code":"MSGBUS_PASSWORD"', 'but that somebody was refused does')
})
