// `msgbus pub`: which bytes, which type and which sender a subscriber gets.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Command } from '../command.ts'
import { CLI } from '../program.ts'
import { basic, parsePart, put, start, subscribe, type TestPart, type TestServer } from '../wire/server.ts'
import { msgbus, run, urlOf } from './commands.ts'

const BYTES = Buffer.from([0, 1, 10, 13, 27, 127, 128, 255])

/** Starts a server and reads all of its channels. */
async function readAll(
  t: Test,
  options: Parameters<typeof start>[1] = {},
): Promise<{ readonly server: TestServer; readonly next: () => Promise<TestPart> }> {
  const server = await start(t, options)
  const stream = await subscribe(t, server, '/msgbus/', [basic('reader', options.password ?? '')])
  return { server, next: async () => parsePart(await stream.readChunk(), server.server.bus.boundary) }
}

function shown({ headers, body }: TestPart): readonly (string | undefined)[] {
  const channel = headers.get('content-location')?.replace('/msgbus/', '')
  return [channel, headers.get('content-type'), headers.get('from'), body]
}

const TEXT = 'text/plain; charset=utf-8'

await t.test('a message of the command line is text, and nothing is printed', async t => {
  const { server, next } = await readAll(t)
  const ending = await run(t, ['pub', 'a/b', 'grün\n'], { server })
  t.strictSame(ending, { code: 0, stdout: '', stderr: '' })
  t.strictSame(shown(await next()), ['a/b', TEXT, undefined, 'gr\xc3\xbcn\n'])
  t.equal((await run(t, ['pub', '-t', 'text/html', 'a', '--', '-5'], { server })).code, 0)
  t.strictSame(shown(await next()), ['a', 'text/html', undefined, '-5'])
  t.equal((await run(t, ['pub', 'a', ''], { server })).code, 0)
  t.strictSame(shown(await next()), ['a', TEXT, undefined, ''])
})

await t.test('a channel can be a word, a URL, and a name that needs escapes', async t => {
  const { server, next } = await readAll(t)
  for (const [word, location] of [
    ['a b,c', 'a%20b%2Cc'],
    [`${urlOf(server)}/msgbus/x/%C3%BC`, 'x/%C3%BC'],
    [`${urlOf(server)}/msgbus/x%2Cy`, 'x%2Cy'],
  ] as const) {
    t.equal((await run(t, ['pub', word, 'x'], { server })).code, 0, word)
    t.equal(shown(await next())[0], location)
  }
})

await t.test('stdin is read whole, byte for byte, and is text if it can be', async t => {
  const { server, next } = await readAll(t)
  for (const [args, input, type] of [
    [['pub', 'a'], 'one\ntwo\n', TEXT],
    [['pub', 'a', '-'], BYTES, 'application/octet-stream'],
    [['pub', 'a', '-f', '-'], '', TEXT],
    [['pub', 'a', '-t', 'image/png'], 'x', 'image/png'],
  ] as const) {
    t.equal((await run(t, args, { server, input })).code, 0)
    t.strictSame(shown(await next()), ['a', type, undefined, Buffer.from(input).toString('latin1')])
  }
})

await t.test('the type of a file is that of its name, or that of its bytes', async t => {
  const { server, next } = await readAll(t)
  const files = {
    'picture.JPG': 'not checked',
    'page.html': '<p>',
    'latin1.txt': Buffer.from([0xfc]),
    'data.json': '{}',
    README: 'words',
    core: BYTES,
    'x.unknown-thing': 'words',
  }
  const types = [
    'image/jpeg',
    'text/html; charset=utf-8',
    'text/plain',
    'application/json',
    TEXT,
    'application/octet-stream',
    TEXT,
  ]
  const dir = t.testdir(files)
  for (const [at, [name, body]] of Object.entries(files).entries()) {
    t.equal((await run(t, ['pub', 'a', '-f', join(dir, name)], { server })).code, 0)
    t.strictSame(shown(await next()), ['a', types[at], undefined, Buffer.from(body).toString('latin1')], name)
  }
  t.equal((await run(t, ['pub', 'a', '-t', 'text/x', '-f', join(dir, 'data.json')], { server })).code, 0)
  t.equal(shown(await next())[1], 'text/x')
})

await t.test('with --lines each line is on the bus before the next one is typed', async t => {
  const { server, next } = await readAll(t)
  const program = msgbus(t, ['pub', 'log', '--lines', '--sender', 'me'], { server, isInteractive: true })
  for (const [typed, body] of [
    ['one\n', 'one'],
    ['two\r\n', 'two'],
    ['\n', ''],
    ['\xc3\xbc \u2028\r x\n'.replace('\u2028', '\xe2\x80\xa8'), '\xc3\xbc \xe2\x80\xa8\r x'],
  ] as const) {
    program.write(typed)
    t.strictSame(shown(await next()), ['log', TEXT, 'me', body])
  }
  program.write('half of ')
  program.write('a line, and the end')
  program.end()
  t.strictSame(await program.ended(), { code: 0, stdout: '', stderr: '' })
  t.equal(shown(await next())[3], 'half of a line, and the end')
})

await t.test('with --lines the first line that is refused ends it', async t => {
  const { server, next } = await readAll(t, { maxBodyBytes: 10 })
  const ending = await run(t, ['pub', 'log', '--lines'], { server, input: 'one\nfar too long\nthree\n' })
  t.match(ending, { code: 1, stdout: '', stderr: /^msgbus pub: [^\n]*MSGBUS_BODY_TOO_LARGE[^\n]*\n$/ })
  t.equal(shown(await next())[3], 'one')
  put(server, 'end', 'x')
  t.equal(shown(await next())[0], 'end')
})

await t.test('a stream of parts is published part by part while it comes', async t => {
  const { server, next } = await readAll(t)
  const type = 'multipart/x-mixed-replace; boundary=f'
  const program = msgbus(t, ['pub', 'cam', '-t', type], { server, isInteractive: true })
  for (const body of ['first', 'second']) {
    program.write(`--f\r\nContent-Type: image/jpeg\r\nContent-Length: ${body.length}\r\n\r\n${body}\r\n`)
    t.strictSame(shown(await next()), ['cam', 'image/jpeg', undefined, body])
  }
  program.write('--f--\r\n')
  program.end()
  t.strictSame(await program.ended(), { code: 0, stdout: '', stderr: '' })
})

await t.test('a name and a password in the URL count, and --sender changes the name', async t => {
  const { server, next } = await readAll(t, { password: 'p@ss w:rd' })
  const url = urlOf(server).replace('//', '//bob:p%40ss%20w%3Ard@')
  t.equal((await run(t, ['pub', `${url}/msgbus/a`, 'x'])).code, 0)
  t.equal(shown(await next())[2], 'bob')
  t.equal((await run(t, ['pub', '--sender', 'carol', 'a', 'x'], { env: { MSGBUS_URL: url } })).code, 0)
  t.equal(shown(await next())[2], 'carol')
  const wrong = await run(t, ['pub', `${url.replace('p%40ss', 'no')}/msgbus/a`, 'x'])
  t.match(wrong, { code: 1, stdout: '', stderr: /^msgbus pub: [^\n]* 401 [^\n]*name:password@[^\n]*\n$/ })
  t.notMatch(wrong.stderr, /bob|w:rd|w%3Ard/)
})

await t.test('in a loop over stdin it leaves stdin alone', async t => {
  const { server, next } = await readAll(t)
  const loop = `while read -r line; do "$@" "$line"; done`
  const args = ['-c', loop, 'sh', process.execPath, CLI, 'pub', 'a']
  const env = { NODE_OPTIONS: '', MSGBUS_URL: urlOf(server) }
  const shell = new Command(t, 'sh', args, { input: 'one\ntwo\n', env })
  t.equal((await shell.ended()).code, 0)
  t.strictSame([shown(await next())[3], shown(await next())[3]], ['one', 'two'])
})
