// `msgsend` and `msgdump`, as scripts of the 2008 server call them and read them.

import { join } from 'node:path'
import t from 'tap'
import { basic, parsePart, put, start, subscribe } from '../wire/server.ts'
import { pretend, seedProgram, subscribed, urlOf } from './commands.ts'

await t.test('msgsend publishes stdin or a file, as text/html unless told otherwise', async t => {
  const server = await start(t, { password: 'secret' })
  const reader = await subscribe(t, server, '/msgbus/a/b', [basic('me', 'secret')])
  const url = `${urlOf(server).replace('//', '//bob:secret@')}/msgbus/a/b`
  const dir = t.testdir({ 'file.png': 'of a file' })
  for (const [args, input, type, body] of [
    [[url], '<b>x</b>\n', 'text/html', '<b>x</b>\n'],
    [['-t', 'text/plain', url], 'x', 'text/plain', 'x'],
    [['-f', join(dir, 'file.png'), url], '', 'text/html', 'of a file'],
    [[url, '-timage/png', '-f', join(dir, 'file.png')], '', 'image/png', 'of a file'],
  ] as const) {
    const ending = await seedProgram(t, 'msgsend', args, { input }).ended()
    t.strictSame(ending, { code: 0, stdout: '', stderr: '' })
    const part = parsePart(await reader.readChunk(), server.server.bus.boundary)
    t.equal(part.headers.get('content-type'), type)
    t.equal(part.headers.get('from'), 'bob')
    t.equal(part.body, body)
  }
})

await t.test('msgsend fails unless the answer is exactly 204', async t => {
  const answers = ['200 OK', '202 Accepted', '404 Not Found', '500 Oh']
  for (const answer of answers) {
    const server = await pretend(t, `HTTP/1.1 ${answer}\r\nContent-Length: 0\r\n\r\n`)
    const ending = await seedProgram(t, 'msgsend', ['a'], { server, input: 'x' }).ended()
    t.match(ending, { code: 1, stdout: '', stderr: /^msgsend: [^\n]+\n$/ }, answer)
  }
  t.match(await seedProgram(t, 'msgsend', []).ended(), { code: 64, stderr: /^msgsend: [^\n]+\n$/ })
})

await t.test(
  'msgdump prints time, channel, type, sender and length, then the body as Python does',
  async t => {
    const server = await start(t)
    const program = seedProgram(t, 'msgdump', [], { server })
    await subscribed(server)
    const time = '1700000000.00'
    for (const [channel, body, sender, wanted] of [
      ['a', 'plain', 'bob', "a text/plain bob (5)\n'plain'\n"],
      ['a b/c', '', null, "a%20b/c text/plain None (0)\n''\n"],
      ['a', "it's", null, 'a text/plain None (4)\n"it\'s"\n'],
      ['a', '\'"', null, "a text/plain None (2)\n'\\'\"'\n"],
      ['a', '\r\n\t\\\0\x1b\x7f\xff', null, "a text/plain None (8)\n'\\r\\n\\t\\\\\\x00\\x1b\\x7f\\xff'\n"],
    ] as const) {
      put(server, channel, body, { sender })
      t.equal(await program.read(time.length + 1 + wanted.length), `${time} ${wanted}`)
    }
    program.signal('SIGINT')
    const { code, stderr } = await program.ended()
    t.equal(code, 0)
    t.match(stderr, /^msgdump: subscribed\nmsgdump: received 5 msgs over \d+ secs \(\d+\.\d mps\)\n$/)
  },
)

await t.test('msgdump shows what its filters let through, and no bodies with -q', async t => {
  const server = await start(t)
  const program = seedProgram(t, 'msgdump', ['-q', '-s', 'bob', '-ttext/*', `${urlOf(server)}/msgbus/a`])
  await subscribed(server)
  put(server, 'a', 'x', { sender: 'carol' })
  put(server, 'a', 'x', { sender: 'bob', type: 'image/png' })
  put(server, 'b', 'x', { sender: 'bob' })
  put(server, 'a', 'x', { sender: 'bob', type: 'text/html' })
  put(server, 'a', 'xyz', { sender: 'bob' })
  const wanted = '1700000000.00 a text/html bob (1)\n1700000000.00 a text/plain bob (3)\n'
  t.equal(await program.read(wanted.length), wanted)
})
