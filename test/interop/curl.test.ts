// curl as both sides of the bus: it reads streams over every kind of connection, publishes in each of the ways it can
// send a body, and bridges two servers. The commands of README.md are run as they stand there.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.ts'
import { Command, run } from '../command.ts'
import { certificate, get, parsePart, start, subscribe, type TestServer } from '../wire/server.ts'
import { atOnce } from '../at-once.ts'

// Every byte there is, and line ends in all forms: what a tool that takes a body for text would change.
const BYTES = `${String.fromCharCode(...Array.from({ length: 256 }, (_, at) => at))}\n\r\n\r\0\n`

/** Publishes without HTTP and returns the part that a subscriber of that channel alone gets. */
function put(
  { server }: TestServer,
  channel: string,
  body: string,
  { type = 'text/plain', sender = null }: { readonly type?: string; readonly sender?: string | null } = {},
): string {
  const { id } = atOnce(server.bus.publish({ channel, type, sender, body: Buffer.from(body, 'latin1') }))
  const from = sender === null ? '' : `From: ${sender}\r\n`
  const lines = `${from}Content-Type: ${type}\r\nContent-Length: ${body.length}\r\nMsgbus-Id: ${id}\r\nMsgbus-Time: 1700000000000\r\n`
  return `${lines}\r\n${body}\r\n--${server.bus.boundary}\r\n`
}

for (const { name, args, line, isTls } of [
  { name: 'HTTP/1.1', args: [], line: 'HTTP/1.1 200 OK', isTls: false },
  { name: 'HTTP/1.0', args: ['-0'], line: 'HTTP/1.0 200 OK', isTls: false },
  // Told that HTTP/2 would do, curl asks for it in the TLS handshake, and must be content without.
  { name: 'TLS', args: ['-k', '--http2'], line: 'HTTP/1.1 200 OK', isTls: true },
]) {
  await t.test(`curl reads a stream over ${name}, each message as soon as it is published`, async t => {
    if (!needs(t, 'curl')) return
    const server = await start(t, {}, isTls ? { pem: certificate('a') } : {})
    const { boundary } = server.server.bus
    const url = `${isTls ? 'https' : 'http'}://127.0.0.1:${server.port}/msgbus/foo`
    const curl = new Command(t, 'curl', ['-sSiN', ...args, url])
    const head = await curl.readThrough('\r\n\r\n')
    t.equal(head.split('\r\n')[0], line)
    t.match(head, `\r\nContent-Type: multipart/x-mixed-replace; boundary=${boundary}\r\n`)
    t.equal(await curl.readThrough('\r\n'), `--${boundary}\r\n`)
    for (const body of ['hello', '', BYTES]) {
      const part = put(server, 'foo', body, { sender: 'alice' })
      t.equal(await curl.read(part.length), part)
    }
    await server.server.close()
    const { code, stdout, stderr } = await curl.ended()
    t.equal(stdout, `--${boundary}--\r\n`)
    t.equal(stderr, '')
    t.equal(code, 0, 'the stream ended as one should')
  })
}

await t.test('every way in which curl sends a body publishes exactly those bytes', async t => {
  if (!needs(t, 'curl')) return
  const server = await start(t)
  const { boundary } = server.server.bus
  const url = `http://127.0.0.1:${server.port}/msgbus/foo`
  const dir = t.testdir({})
  writeFileSync(join(dir, 'body'), BYTES, 'latin1')
  const stream = await subscribe(t, server, '/msgbus/foo')
  const type = 'application/x-test; v="1"'
  for (const { name, args, input = '' } of [
    { name: 'POST of a file', args: ['--data-binary', '@body'] },
    {
      name: 'POST of a file that waits for the word to go on',
      args: ['-H', 'Expect: 100-continue', '--expect100-timeout', '600', '--data-binary', '@body'],
    },
    { name: 'POST in chunks', args: ['-H', 'Transfer-Encoding: chunked', '--data-binary', '@body'] },
    { name: 'POST over HTTP/1.0', args: ['-0', '--data-binary', '@body'] },
    { name: 'PUT of a file', args: ['-T', 'body'] },
    { name: 'PUT of stdin', args: ['-T', '-'], input: BYTES },
  ]) {
    const ending = await run(
      t,
      'curl',
      ['-sSf', '-H', `Content-Type: ${type}`, '-u', 'alice:', ...args, url],
      {
        cwd: dir,
        input: Buffer.from(input, 'latin1'),
      },
    )
    t.equal(ending.stdout, '', name)
    const { headers, body } = await stream.readPart(boundary)
    t.equal(body, BYTES, name)
    t.equal(headers.get('content-type'), type, name)
    t.equal(headers.get('from'), 'alice', name)
  }
})

await t.test('a file that curl names no type for is refused with what is missing', async t => {
  if (!needs(t, 'curl')) return
  const server = await start(t)
  const dir = t.testdir({ 'note.txt': 'hello' })
  const url = `http://127.0.0.1:${server.port}/msgbus/foo`
  const curl = new Command(t, 'curl', ['-sS', '--fail-with-body', '-T', 'note.txt', url], { cwd: dir })
  const { code, stdout } = await curl.ended()
  t.equal(code, 22)
  t.match(stdout, /^MSGBUS_TYPE: /)
})

await t.test('a form sent by curl publishes its files and fields in order', async t => {
  if (!needs(t, 'curl')) return
  const server = await start(t)
  const { boundary } = server.server.bus
  const dir = t.testdir({ 'table.csv': 'a,b\r\n' })
  writeFileSync(join(dir, 'photo.jpg'), BYTES, 'latin1')
  const stream = await subscribe(t, server, '/msgbus/foo')
  const fields = ['-F', 'photo=@photo.jpg', '-F', 'note=gr\u00fc\u00df dich', '-F', 'table=@table.csv']
  const typed = ['-F', 'data={};type=application/json']
  const url = `http://127.0.0.1:${server.port}/msgbus/foo`
  const { stdout } = await run(t, 'curl', ['-sSi', ...fields, ...typed, url], { cwd: dir })
  t.match(stdout, /^HTTP\/1\.1 204 No Content\r\n/)
  t.match(stdout, /\r\nMsgbus-Count: 4\r\n/)
  const got: string[][] = []
  for (let i = 0; i < 4; i++) {
    const { headers, body } = await stream.readPart(boundary)
    got.push([headers.get('content-type') ?? '', body])
  }
  t.strictSame(got, [
    ['image/jpeg', BYTES],
    ['text/plain; charset=utf-8', Buffer.from('gr\u00fc\u00df dich').toString('latin1')],
    ['text/csv; charset=utf-8', 'a,b\r\n'],
    ['application/json', '{}'],
  ])
})

/** A server to bridge from and one to bridge to, with a reader of the far one. */
async function startTwo(t: Test, path: string) {
  const near = await start(t, { heartbeatMs: 100 })
  const far = await start(t)
  const stream = await subscribe(t, far, path)
  const places = { A: `http://127.0.0.1:${near.port}`, B: `http://127.0.0.1:${far.port}` }
  return { near, far, stream, boundary: far.server.bus.boundary, places }
}

await t.test('two curls bridge two servers, and a message crosses while both requests run', async t => {
  if (!needs(t, 'curl') || !needs(t, 'sh')) return
  const { near, far, stream, boundary, places } = await startTwo(t, '/msgbus/x')
  const command = `curl -sN ${places.A}/msgbus/x | curl -sSi -T - ${places.B}/msgbus/x`
  const bridge = new Command(t, 'sh', ['-c', command])
  await near.log.until('sub')
  for (const body of ['hello', '', BYTES]) {
    put(near, 'x', body, { type: 'image/x-any', sender: 'alice' })
    const part = await stream.readPart(boundary)
    t.equal(part.body, body)
    t.equal(part.headers.get('content-type'), 'image/x-any')
  }
  const witness = await get(t, near, '/msgbus/silent')
  await witness.stream.readThrough('Msgbus-Ping: 2\r\n')
  put(near, 'x', 'after heartbeats')
  t.equal((await stream.readPart(boundary)).body, 'after heartbeats')
  await near.server.close()
  const { code, stdout } = await bridge.ended()
  t.equal(code, 0)
  t.match(stdout, /HTTP\/1\.1 204 No Content\r\n/)
  t.match(stdout, /\r\nMsgbus-Count: 4\r\n/)
  t.equal(far.log.events.filter(({ name }) => name === 'pub').length, 4, 'and nothing but those crossed')
})

await t.test('a bridge of everything keeps each message in its channel', async t => {
  if (!needs(t, 'curl') || !needs(t, 'sh')) return
  const { near, stream, boundary, places } = await startTwo(t, '/msgbus/')
  new Command(t, 'sh', ['-c', `curl -sN ${places.A}/msgbus/ | curl -sS -T - ${places.B}/msgbus/`])
  await near.log.until('sub')
  for (const channel of ['a', 'a/b', 'gr\u00fc\u00df, dich']) {
    put(near, channel, channel.length.toString())
    const { headers } = await stream.readPart(boundary)
    t.equal(headers.get('content-location'), `/msgbus/${encodeURI(channel).replaceAll(',', '%2C')}`)
  }
})

// What stands for the reader's own server, channel, file and message in the commands of README.md.
const README = readFileSync('README.md', 'utf8')
const COMMANDS = [...README.matchAll(/^curl .+$/gm), ...README.matchAll(/(?<=`)curl [^`]+(?=`)/g)].map(
  ([text]) => text.replaceAll('\\|', '|'),
)

/** Runs a command by the shell, as a reader of README.md would, against a server of the test. */
function type(t: Test, command: string, { port }: TestServer, cwd = '.'): Command {
  const text = command.replaceAll('http://127.0.0.1:8888/', `http://127.0.0.1:${port}/`)
  return new Command(t, 'sh', ['-c', text], { cwd })
}

/** The body that the next part of a stream has, which curl prints. */
async function readBody(program: Command, boundary: string): Promise<string> {
  return parsePart(await program.readThrough(`\r\n--${boundary}\r\n`), boundary).body
}

const READERS: Readonly<
  Record<string, (server: TestServer) => readonly [passed: string, ...others: string[]]>
> = {
  'curl -N http://127.0.0.1:8888/msgbus/': server => {
    put(server, 'some/where', 'first')
    return ['first']
  },
  "curl -N 'http://127.0.0.1:8888/msgbus/NAME?type=text/*,application/json'": server => {
    put(server, 'NAME', 'a picture', { type: 'image/png' })
    put(server, 'NAME', 'text', { type: 'text/html' })
    put(server, 'NAME', 'a page', { type: 'application/xml' })
    put(server, 'NAME', 'json', { type: 'application/json' })
    return ['text', 'json']
  },
  "curl -N 'http://127.0.0.1:8888/msgbus/NAME?sender=alice,bob'": server => {
    for (const sender of ['mallory', 'bob', 'alice2', 'alice']) put(server, 'NAME', sender, { sender })
    return ['bob', 'alice']
  },
}

for (const [command, publishSome] of Object.entries(READERS)) {
  await t.test(`README.md: ${command}`, async t => {
    if (!needs(t, 'curl') || !needs(t, 'sh')) return
    t.ok(COMMANDS.includes(command), 'README.md has it')
    const server = await start(t)
    const { boundary } = server.server.bus
    const curl = type(t, command, server)
    await curl.readThrough(`--${boundary}\r\n`)
    for (const body of publishSome(server)) t.equal(await readBody(curl, boundary), body)
  })
}

const PUBLISHERS: Readonly<
  Record<string, { readonly type: string; readonly body: string; readonly from?: string }>
> = {
  "curl -H 'Content-Type: text/plain' -d 'hello' http://127.0.0.1:8888/msgbus/chatdemo": {
    type: 'text/plain',
    body: 'hello',
  },
  "curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg http://127.0.0.1:8888/msgbus/chatdemo": {
    type: 'image/jpeg',
    body: BYTES,
  },
  // The one that leaves the rest to the reader, who has just seen it.
  'curl -u alice: …': { type: 'text/plain', body: 'hello', from: 'alice' },
}

for (const [command, { type: mediaType, body, from }] of Object.entries(PUBLISHERS)) {
  await t.test(`README.md: ${command}`, async t => {
    if (!needs(t, 'curl') || !needs(t, 'sh')) return
    t.ok(COMMANDS.includes(command), 'README.md has it')
    const server = await start(t)
    const dir = t.testdir({})
    writeFileSync(join(dir, 'photo.jpg'), BYTES, 'latin1')
    const stream = await subscribe(t, server, '/msgbus/chatdemo')
    const rest = "-H 'Content-Type: text/plain' -d 'hello' http://127.0.0.1:8888/msgbus/chatdemo"
    const { code } = await type(t, command.replace('…', rest), server, dir).ended()
    t.equal(code, 0)
    const part = await stream.readPart(server.server.bus.boundary)
    t.equal(part.headers.get('content-type'), mediaType)
    t.equal(part.headers.get('from'), from)
    t.equal(part.body, body)
  })
}

const BRIDGE = 'curl -sN A/msgbus/x | curl -T - B/msgbus/x'

await t.test(`README.md: ${BRIDGE}`, async t => {
  if (!needs(t, 'curl') || !needs(t, 'sh')) return
  t.ok(COMMANDS.includes(BRIDGE), 'README.md has it')
  const { near, stream, boundary, places } = await startTwo(t, '/msgbus/x')
  type(t, BRIDGE.replace('A/', `${places.A}/`).replace('B/', `${places.B}/`), near)
  await near.log.until('sub')
  put(near, 'x', 'hello')
  t.equal((await stream.readPart(boundary)).body, 'hello')
})

const HBPUSH = ['curl -d hello …/publisher/NAME', 'curl …/subscriber/NAME'] as const

await t.test(`README.md: ${HBPUSH.join(', ')}`, async t => {
  if (!needs(t, 'curl') || !needs(t, 'sh')) return
  const server = await start(t)
  const [publish, poll] = HBPUSH.map(command => command.replace('…', 'http://127.0.0.1:8888')) as [
    string,
    string,
  ]
  t.equal((await type(t, publish, server).ended()).code, 0)
  t.equal((await type(t, poll, server).ended()).stdout, 'hello')
})

await t.test('every curl command of README.md is tried here', t => {
  const tried = [...Object.keys(READERS), ...Object.keys(PUBLISHERS), BRIDGE, ...HBPUSH]
  t.strictSame([...COMMANDS].sort(), tried.sort())
  t.end()
})
