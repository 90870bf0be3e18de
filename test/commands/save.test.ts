// `msgbus sub --save` and `--exec`: where messages go besides stdout, whatever a stranger calls them.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { GIF, put, start } from '../wire/server.ts'
import { msgbus, pretend, run, stream, subscribed } from './commands.ts'

const LAST_TWO = ['--since', '-2', '--count', '2']

await t.test('each message is a file with the extension of its type', async t => {
  const server = await start(t)
  const dir = join(t.testdir({}), 'new', 'folder')
  put(server, 'cam/1', GIF, { type: 'image/gif' })
  put(server, 'news', 'hello', { type: 'text/plain; charset=utf-8' })
  put(server, 'x', '{}', { type: 'application/json' })
  put(server, 'x', '?', { type: 'application/x-unknown-thing' })
  const names = ['1-cam_1.gif', '2-news.txt', '3-x.json', '4-x.bin']
  const ending = await run(t, ['sub', '--since', 'all', '--count', '4', '--save', dir], { server })
  t.strictSame(ending, { code: 0, stdout: `${names.join('\n')}\n`, stderr: '' })
  t.strictSame(readdirSync(dir), names)
  t.equal(readFileSync(join(dir, '1-cam_1.gif'), 'latin1'), GIF)
  t.equal(readFileSync(join(dir, '2-news.txt'), 'latin1'), 'hello')
})

await t.test('a directory that cannot be made is told', { skip: !existsSync('/proc/self') }, async t => {
  for (const dir of ['/proc/foo', '/proc/foo/bar', '/dev/null', '/dev/null/x']) {
    const { code, stderr } = await run(t, ['sub', '--save', dir])
    t.match({ code, stderr }, { code: 1, stderr: /^msgbus sub: Cannot save in "[^"]+": [^\n]+\n$/ })
  }
})

await t.test('nothing is overwritten and no link followed', async t => {
  const server = await start(t)
  const root = t.testdir({ outside: 'untouched' })
  const dir = join(root, 'dir')
  mkdirSync(dir)
  writeFileSync(join(dir, '1-a.txt'), 'mine')
  symlinkSync(join(root, 'outside'), join(dir, '2-a.txt'))
  symlinkSync(join(root, 'nowhere'), join(dir, '2-a-2.txt'))
  put(server, 'a', 'one')
  put(server, 'a', 'two')
  const { code, stdout } = await run(t, ['sub', 'a', ...LAST_TWO, '--save', dir], { server })
  t.equal(code, 0)
  t.equal(stdout, '1-a-2.txt\n2-a-3.txt\n')
  t.strictSame(readdirSync(dir), ['1-a-2.txt', '1-a.txt', '2-a-2.txt', '2-a-3.txt', '2-a.txt'])
  t.equal(readFileSync(join(dir, '1-a.txt'), 'latin1'), 'mine')
  t.equal(readFileSync(join(root, 'outside'), 'latin1'), 'untouched')
  t.ok(lstatSync(join(dir, '2-a.txt')).isSymbolicLink())
  t.strictSame(readdirSync(root), ['dir', 'outside'])
})

await t.test('no name that a server sends leads out of the directory', async t => {
  const channels = ['../../up', '..', '/etc/x', 'a\\..\\b', 'nul\0x', '\x1b[2J', 'con:', 'ü'.repeat(127)]
  const parts = channels.map((channel, at) => ({
    lines: [
      `Content-Location: /msgbus/${encodeURIComponent(channel)}`,
      'Content-Type: text/plain',
      at === 1 ? 'Msgbus-Id: ../x' : `Msgbus-Id: e-${at}`,
    ],
    body: `${at}`,
  }))
  const server = await pretend(t, stream(...parts), () => undefined)
  const root = t.testdir({ dir: {} })
  const dir = join(root, 'dir')
  const { code, stderr } = await run(t, ['sub', '--count', `${channels.length}`, '--save', dir], { server })
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.strictSame(readdirSync(root), ['dir'])
  const names = ['.._.._up', '..', '_etc_x', 'a_.._b', 'nul_x', '_[2J', 'con_', 'ü'.repeat(90)]
  const wanted = names.map((name, at) => `${at === 1 ? 0 : at}-${name}.txt`)
  t.strictSame(readdirSync(dir).sort(), wanted.sort())
})

await t.test('a directory that cannot be used is an error before anything is asked for', async t => {
  const dir = t.testdir({ file: '' })
  const ending = await run(t, ['sub', '--save', join(dir, 'file')], { server: { port: 9 } })
  t.match(ending, {
    code: 1,
    stdout: '',
    stderr: /^msgbus sub: Cannot save in "[^\n]+": [a-z ]+ \(E[A-Z]+\)\n$/,
  })
})

await t.test('--exec runs once per message, in order, one at a time', async t => {
  const server = await start(t)
  put(server, 'a', 'one', { sender: 'bob' })
  put(server, 'b/c', GIF, { type: 'image/gif' })
  const line =
    'echo "$MSGBUS_CHANNEL|$MSGBUS_TYPE|${MSGBUS_SENDER-none}|${MSGBUS_ID##*-}"; sleep 0.1; wc -c; echo end'
  const env = { MSGBUS_SENDER: 'inherited' }
  const ending = await run(t, ['sub', ...LAST_TWO, '--exec', line], { server, env })
  const wanted = `a|text/plain|bob|1\n3\nend\nb/c|image/gif|none|2\n${GIF.length}\nend\n`
  t.strictSame(ending, { code: 0, stdout: wanted, stderr: '' })
})

await t.test('what a stranger writes is nothing that the shell reads', async t => {
  const server = await start(t)
  const dir = t.testdir({})
  const evil = '$(touch x)`touch x`;touch x\n'
  put(server, 'a$(touch x)', evil, { type: 'a/b; c="$(touch x)"', sender: '$(touch x)' })
  const line = 'cat; echo "$MSGBUS_CHANNEL $MSGBUS_TYPE $MSGBUS_SENDER"'
  const args = ['sub', '--since', 'all', '--count', '1', '--exec', line]
  const { stdout } = await run(t, args, { server, cwd: dir })
  t.equal(stdout, `${evil}a$(touch x) a/b; c="$(touch x)" $(touch x)\n`)
  t.strictSame(readdirSync(dir), [])
})

await t.test('a NUL in a name, which no variable can hold, is left out', async t => {
  const lines = ['Content-Location: /msgbus/nul%00x', 'Content-Type: text/plain', 'Msgbus-Id: e-1']
  const server = await pretend(t, stream({ lines, body: 'x' }), () => undefined)
  const ending = await run(t, ['sub', '--count', '1', '--exec', 'echo "$MSGBUS_CHANNEL"'], { server })
  t.strictSame(ending, { code: 0, stdout: 'nulx\n', stderr: '' })
})

await t.test('a command that fails is told, counted, and does not stop the others', async t => {
  const server = await start(t)
  const id = put(server, 'a', 'x'.repeat(1_000_000))
  put(server, 'a', 'two')
  const line = 'test "$MSGBUS_ID" != "$FAILS" || exit 3; cat'
  const ending = await run(t, ['sub', 'a', ...LAST_TWO, '--exec', line], { server, env: { FAILS: id } })
  t.strictSame(ending, {
    code: 1,
    stdout: 'two',
    stderr: `msgbus sub: the command ended with 3 for ${id} of a\n`,
  })
  const program = msgbus(t, ['sub', 'a', '--exec', 'kill -9 $$'], { server, isMerged: true })
  await subscribed(server, 2)
  put(server, 'a', 'three')
  await program.readThrough('the command ended by SIGKILL')
  program.signal('SIGINT')
  t.match(await program.ended(), { code: 1, stdout: /1 of the commands failed\n$/ })
})

await t.test('both go on beside the JSON', async t => {
  const server = await start(t)
  put(server, 'a', 'x')
  put(server, 'a', 'y')
  const dir = t.testdir({})
  const args = ['sub', 'a', ...LAST_TWO, '--json', '--save', dir, '--exec', 'cat >> all']
  const { code, stdout } = await run(t, args, { server, cwd: dir })
  t.equal(code, 0)
  const lines = stdout.trimEnd().split('\n')
  t.strictSame(
    lines.map(line => (JSON.parse(line) as { body: string }).body),
    ['x', 'y'],
  )
  t.strictSame(readdirSync(dir), ['1-a.txt', '2-a.txt', 'all'])
  t.equal(readFileSync(join(dir, 'all'), 'latin1'), 'xy')
})
