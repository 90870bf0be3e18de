// `msgbus sub` in a pipe: what comes out, in which form, and how it ends.

import t from 'tap'
import { Command } from '../command.ts'
import { CLI } from '../program.ts'
import { GIF, put, start } from '../wire/server.ts'
import { msgbus, pretend, run, stream, subscribed, urlOf } from './commands.ts'

await t.test('in a pipe bodies come byte for byte, with a line end unless they have one', async t => {
  const server = await start(t)
  const program = msgbus(t, ['sub', 'a,b/'], { server })
  await subscribed(server)
  put(server, 'a', 'one')
  put(server, 'c', 'not this')
  put(server, 'b/x', 'two\n')
  put(server, 'a', '')
  put(server, 'a', GIF, { type: 'image/gif' })
  put(server, 'a', '\x1b[31m\r\n')
  const wanted = `one\ntwo\n\n${GIF}\n\x1b[31m\r\n`
  t.equal(await program.read(wanted.length), wanted)
})

await t.test('without a channel it shows everything, and a URL names channel and filters', async t => {
  const server = await start(t)
  const everything = msgbus(t, ['sub'], { server })
  const filtered = msgbus(t, ['sub', `${urlOf(server)}/msgbus/a%2Cb?type=text/*&sender=bob`])
  const chosen = msgbus(t, ['sub', '-t', 'text/*,!text/html', '-s', 'bob'], { server })
  await subscribed(server, 3)
  put(server, 'a,b', '1', { sender: 'bob' })
  put(server, 'a,b', '2', { sender: 'carol' })
  put(server, 'a,b', '3', { sender: 'bob', type: 'image/png' })
  put(server, 'c', '4', { sender: 'bob' })
  put(server, 'c', '5', { sender: 'bob', type: 'text/html' })
  put(server, 'a,b', '6', { sender: 'bob' })
  t.equal(await everything.read(12), '1\n2\n3\n4\n5\n6\n')
  t.equal(await filtered.read(4), '1\n6\n')
  t.equal(await chosen.read(6), '1\n4\n6\n')
})

await t.test('--since begins in the past and --count ends it', async t => {
  const server = await start(t)
  const [, second] = ['1', '2', '3'].map(body => put(server, 'a', body))
  for (const [since, count, wanted] of [
    ['-2', '2', '2\n3\n'],
    ['all', '1', '1\n'],
    [second ?? '', '1', '3\n'],
  ] as const) {
    const ending = await run(t, ['sub', 'a', '--since', since, '--count', count], { server })
    t.strictSame(ending, { code: 0, stdout: wanted, stderr: '' }, since)
  }
})

await t.test('--json writes an envelope a line that a terminal can be given', async t => {
  const server = await start(t)
  const ids = [
    put(server, 'a', 'x\n"\x9b\x1b', { type: 'text/plain; charset=utf-8', sender: 'bob' }),
    put(server, 'a/ü', '\xc2\x9b31m\xe2\x80\xae\xf3\xa0\x80\x81', { type: 'text/plain' }),
    put(server, 'a', GIF, { type: 'image/gif' }),
  ]
  const { code, stdout } = await run(t, ['sub', '--since', 'all', '--count', '3', '--json'], { server })
  t.equal(code, 0)
  const time = 1_700_000_000_000
  const gif = Buffer.from(GIF, 'latin1').toString('base64')
  const odd = Buffer.from('x\n"\x9b\x1b', 'latin1').toString('base64')
  const wanted = [
    `{"id":"${ids[0] ?? ''}","channel":"a","time":${time},"type":"text/plain; charset=utf-8","sender":"bob","base64":"${odd}"}`,
    `{"id":"${ids[1] ?? ''}","channel":"a/\xc3\xbc","time":${time},"type":"text/plain","sender":null,"body":"\\u009b31m\\u202e\\udb40\\udc01"}`,
    `{"id":"${ids[2] ?? ''}","channel":"a","time":${time},"type":"image/gif","sender":null,"base64":"${gif}"}`,
    '',
  ]
  t.strictSame(stdout.split('\n'), wanted)
})

await t.test('--quiet writes fields with tabs between them', async t => {
  const server = await start(t)
  put(server, 'a', 'secret', { type: 'text/x;\ta=b', sender: 'bob' })
  put(server, 'b', 'secret')
  const { stdout } = await run(t, ['sub', '-q', '--since', 'all', '--count', '2'], { server })
  const time = '2023-11-14T22:13:20.000Z'
  t.equal(stdout, `${time}\ta\ttext/x;\\ta=b\tbob\t6\n${time}\tb\ttext/plain\t\t6\n`)
})

await t.test('Ctrl-C ends it well, with totals and rate', async t => {
  const server = await start(t)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const program = msgbus(t, ['sub', 'a', '--since', 'all'], { server })
    put(server, 'a', 'x'.repeat(1499))
    await program.readThrough('x\n')
    program.signal(signal)
    const { code, stderr } = await program.ended()
    t.equal(code, 0)
    t.match(stderr, /^msgbus sub: \d messages?, \d\.\d kB in \d+\.\d s \(\d+\.\d\/s, [^\n]+\/s\)\n$/)
  }
})

await t.test('it ends without a word when nobody reads its output any more', async t => {
  const server = await start(t)
  const line = '"$@"; echo "code $?" >&2'
  const command = ['-c', `{ ${line}; } | head -n 1`, 'sh', process.execPath, CLI, 'sub', 'a']
  const env = { NODE_OPTIONS: '', MSGBUS_URL: urlOf(server) }
  const shell = new Command(t, 'sh', command, { env })
  await subscribed(server)
  put(server, 'a', 'one')
  t.equal(await shell.readThrough('one\n'), 'one\n')
  // Whatever stands between the two ends: it notices when it writes.
  const unsubscribed = server.log.until('unsub')
  const writing = setInterval(() => put(server, 'a', 'more'), 20)
  await unsubscribed
  clearInterval(writing)
  t.match(await shell.ended(), { stderr: 'code 0\n' })
})

await t.test('an output that cannot be written is an error', async t => {
  const server = await start(t)
  put(server, 'a', 'x')
  const command = ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, CLI, 'sub', 'a', '--since', 'all']
  const env = { NODE_OPTIONS: '', MSGBUS_URL: urlOf(server) }
  const ending = await new Command(t, 'sh', command, { env }).ended()
  t.match(ending, {
    code: 1,
    stderr: 'msgbus sub: Cannot write to stdout: no space left on device (ENOSPC)\n',
  })
})

await t.test('what was lost is told on stderr, and in JSON', async t => {
  const head = ['Content-Type: text/plain', 'Msgbus-Id: e-9']
  const bytes = stream(
    { lines: [...head, 'Msgbus-Skipped: 8'], body: 'x' },
    { lines: ['Content-Type: text/plain', 'Msgbus-Id: e-11', 'Msgbus-Skipped: 1'], body: 'y' },
  )
  const server = await pretend(t, bytes, () => undefined)
  const plain = await run(t, ['sub', 'a', '--count', '2'], { server })
  t.strictSame(plain, {
    code: 0,
    stdout: 'x\ny\n',
    stderr: 'msgbus sub: 8 messages were lost here\nmsgbus sub: 1 message was lost here\n',
  })
  const { stdout } = await run(t, ['sub', 'a', '--count', '1', '--json'], { server })
  t.match(stdout, /^\{"gap":8\}\n\{"id":"e-9",.*\}\n$/)
})

await t.test('a server that goes away is waited for, and the place in its history kept', async t => {
  const first = await start(t)
  const { port } = first
  const program = msgbus(t, ['sub', 'a'], { server: first, isMerged: true })
  await subscribed(first)
  put(first, 'a', 'one')
  await program.readThrough('one\n')
  const { bus } = first.server
  await first.server.close(0)
  await program.readThrough('; trying again\n')
  const second = await start(t, { bus }, { port })
  put(second, 'a', 'two')
  t.match(await program.readThrough('two\n'), /^msgbus sub: connected again\ntwo\n$/)
})

await t.test('with --no-reconnect the end of the stream is the end', async t => {
  const server = await start(t)
  const program = msgbus(t, ['sub', 'a', '--no-reconnect'], { server })
  await subscribed(server)
  await server.server.close(0)
  const ending = await program.ended()
  t.match(ending, { code: 1, stdout: '', stderr: /^msgbus sub: Cannot read on: [^\n]+\n$/ })
})
