// `msgbus sub` on a terminal: details and text for people, colours if they want them, and nothing of what strangers write
// gets to the terminal as it is.

import t from 'tap'
import { needs } from '../needs.ts'
import { GIF, put, start } from '../wire/server.ts'
import { onTerminal, subscribed } from './commands.ts'

const TIME = '2023-11-14 22:13:20'
const ESC = '\x1b'

await t.test('a message is a line of details and its text, without colours if NO_COLOR says so', async t => {
  if (!needs(t, 'script')) return
  const server = await start(t)
  const program = onTerminal(t, ['sub'], { server, env: { NO_COLOR: '1' } })
  await program.readThrough('msgbus sub: listening\r\n')
  put(server, 'news', 'hello', { sender: 'bob' })
  put(server, 'news', 'two\nlines\n', { type: 'text/html; charset=utf-8' })
  put(server, 'x', '{"a":1}', { type: 'application/json' })
  put(server, 'cam/1', GIF, { type: 'image/gif' })
  put(server, 'x', 'gr\xfcn', { type: 'text/plain; charset=iso-8859-1' })
  put(server, 'x', 'gr\xfcn', { type: 'text/plain' })
  put(server, 'x', 'end')
  t.strictSame((await program.readThrough('end\r\n')).split('\r\n'), [
    `${TIME} news text/plain bob (5 B)`,
    'hello',
    `${TIME} news text/html; charset=utf-8 - (10 B)`,
    'two',
    'lines',
    `${TIME} x application/json - (7 B)`,
    '{"a":1}',
    `${TIME} cam/1 image/gif - (${GIF.length} B)`,
    `(${GIF.length} B of image/gif, not shown)`,
    `${TIME} x text/plain; charset=iso-8859-1 - (4 B)`,
    'gr\xc3\xbcn',
    `${TIME} x text/plain - (4 B)`,
    '(4 B of text/plain, not shown)',
    `${TIME} x text/plain - (3 B)`,
    'end',
    '',
  ])
})

await t.test('details are coloured, and never what strangers wrote', async t => {
  if (!needs(t, 'script')) return
  const server = await start(t)
  const program = onTerminal(t, ['sub'], { server })
  await program.readThrough('listening\r\n')
  put(server, 'news', `${ESC}[31mred${ESC}[0m`, { sender: 'bob' })
  const wanted = [
    `${ESC}[2m${TIME}${ESC}[22m ${ESC}[36mnews${ESC}[39m ${ESC}[2mtext/plain${ESC}[22m ${ESC}[33mbob${ESC}[39m `,
    `${ESC}[2m(12 B)${ESC}[22m\r\n\\x1b[31mred\\x1b[0m\r\n`,
  ].join('')
  t.equal(await program.read(wanted.length), wanted)
})

// Everything that moves, hides, reverses or answers: C0, C1 (also as raw bytes), DEL, bidi, separators, tags.
const HOSTILE =
  'a\x00\x07\x08\x0b\x0c\x0d\x1b]0;title\x07\x1b[6n\x1b[2J\x7f\xc2\x9b2J\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xf3\xa0\x81\x81\xef\xbb\xbf\tz'
const HARMLESS =
  'a\\x00\\x07\\x08\\x0b\\x0c\\r\\x1b]0;title\\x07\\x1b[6n\\x1b[2J\\x7f\\x9b2J\\u202e\\u2066\\u2028\\u{e0041}\\ufeff\tz'

for (const args of [[], ['-q'], ['--json'], ['--save', '.']]) {
  await t.test(
    `no control character reaches the terminal with ${args.join(' ') || 'no options'}`,
    async t => {
      if (!needs(t, 'script')) return
      const server = await start(t)
      const options = { server, env: { NO_COLOR: '1' }, cwd: t.testdir({}) }
      const program = onTerminal(t, ['sub', ...args], options)
      await program.readThrough('listening\r\n')
      put(server, 'a', HOSTILE, { sender: 'a\tb' })
      put(server, 'a', `\x9b2J${HOSTILE}`, { type: 'text/plain; charset=iso-8859-1' })
      put(server, 'end', 'end')
      const shown = await program.readThrough('end')
      t.notMatch(
        shown.replaceAll('\r\n', '\n'),
        /[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xf3\xa0/,
      )
      if (args.length === 0) t.ok(shown.includes(HARMLESS))
    },
  )
}

await t.test('Ctrl-C ends it with totals', async t => {
  if (!needs(t, 'script')) return
  const server = await start(t)
  const program = onTerminal(t, ['sub'], { server })
  await subscribed(server)
  await program.readThrough('listening\r\n')
  program.write('\x03')
  t.match(await program.ended(), { code: 0, stdout: /msgbus sub: 0 messages, 0 B in / })
})
