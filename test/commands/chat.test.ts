// `msgbus chat`, in pipes and on terminals.

import t from 'tap'
import { needs } from '../needs.ts'
import { GIF, parsePart, put, start, subscribe } from '../wire/server.ts'
import { msgbus, onTerminal, run, subscribed } from './commands.ts'

const TIME = '2023-11-14 22:13:20'

await t.test("in a pipe lines of stdin are sent, and everybody's lines come out", async t => {
  const server = await start(t)
  const reader = await subscribe(t, server, '/msgbus/room')
  const ann = msgbus(t, ['chat', 'room'], { server, isInteractive: true })
  const bob = msgbus(t, ['chat', 'room', '--name', 'bob'], { server, isInteractive: true })
  await subscribed(server, 3)
  ann.write('gr\xc3\xbc\xc3\x9f dich\n')
  const { headers, body } = parsePart(await reader.readChunk(), server.server.bus.boundary)
  t.equal(headers.get('content-type'), 'text/plain; charset=utf-8')
  t.equal(headers.get('from'), 'ann')
  t.equal(body, 'gr\xc3\xbc\xc3\x9f dich')
  t.equal(await bob.readThrough('\n'), 'ann: gr\xc3\xbc\xc3\x9f dich\n')
  bob.write('hello\n\n  \n/quit\nnot this\n')
  t.equal(await ann.readThrough('hello\n'), 'ann: gr\xc3\xbc\xc3\x9f dich\nbob: hello\n')
  t.strictSame(await bob.ended(), { code: 0, stdout: 'bob: hello\n', stderr: '' })
  ann.end()
  t.strictSame(await ann.ended(), { code: 0, stdout: '', stderr: '' })
})

await t.test('what came through the pipe is sent and shown before it ends', async t => {
  const server = await start(t)
  const ending = await run(t, ['chat'], { server, input: 'one\ntwo' })
  t.strictSame(ending, { code: 0, stdout: 'ann: one\nann: two\n', stderr: '' })
})

await t.test(
  'it begins with the last 20 messages; pictures and files are told, and nobody speaks for others',
  async t => {
    const server = await start(t)
    for (let at = 1; at <= 17; at++) put(server, 'chatdemo', `${at}`)
    put(server, 'chatdemo', GIF, { type: 'image/gif', sender: 'cam' })
    put(server, 'chatdemo', 'x\nann: forged\r\n\x1b[2J\n', { sender: 'bob' })
    put(server, 'chatdemo', '{}', { type: 'application/x-msgbus-presence+json' })
    put(server, 'chatdemo', '{}', { type: 'application/json' })
    put(server, 'chatdemo', '')
    const ann = msgbus(t, ['chat'], { server, isInteractive: true })
    const wanted = [
      ...Array.from({ length: 15 }, (_, at) => `anonymous: ${at + 3}`),
      `cam: [image/gif, ${GIF.length} B]`,
      'bob: x',
      '  ann: forged',
      '  \\x1b[2J',
      'anonymous: {}',
      'anonymous: ',
      '',
    ]
    t.strictSame((await ann.readThrough('{}\nanonymous: \n')).split('\n'), wanted)
  },
)

await t.test('the name is the one in the URL, unless another is given', async t => {
  const server = await start(t)
  const url = `http://carol:x@127.0.0.1:${server.port}/msgbus/room`
  t.equal((await run(t, ['chat', url], { input: 'hi' })).stdout, 'carol: hi\n')
  t.match(await run(t, ['chat', url, '-n', 'dave'], { input: 'ho' }), { stdout: /dave: ho\n$/ })
  const env = { USER: 'M\xfcller: x' }
  t.match(await run(t, ['chat', 'other'], { server, input: 'ho', env }), { stdout: 'Mllerx: ho\n' })
})

await t.test('names and files are those of the chat page, ASCII or not', async t => {
  const server = await start(t)
  put(server, 'room', 'hi', { type: "text/plain; nonce=0123456789ab; name*=utf-8''%D7%93%D7%A0%D7%94" })
  put(server, 'room', 'ho', { type: "text/plain; name*=utf-8''%D7%93%D7%A0%D7%94", sender: 'bob' })
  put(server, 'room', GIF, { type: "image/gif; filename*=utf-8''a%20%1b%E2%98%83.gif", sender: 'cam' })
  const wanted = `\u05d3\u05e0\u05d4: hi\nbob: ho\ncam: [a \u2603.gif, image/gif, ${GIF.length} B]\n`
  for (const [name, sender] of [
    ['J\u00fcrgen', 'Jurgen'],
    ['\u05d3\u05e0\u05d4', ''],
  ] as const) {
    const reader = await subscribe(t, server, '/msgbus/room')
    const { code, stdout } = await run(t, ['chat', 'room', '--name', name], { server, input: 'hello' })
    const { headers } = parsePart(await reader.readChunk(), server.server.bus.boundary)
    t.equal(code, 0)
    t.equal(headers.get('from') ?? '', sender)
    t.equal(
      headers.get('content-type'),
      `text/plain; charset=utf-8; name*=utf-8''${encodeURIComponent(name)}`,
    )
    const shown = Buffer.from(stdout, 'latin1').toString()
    t.ok(shown.startsWith(wanted) && shown.endsWith(`${name}: hello\n`), shown)
  }
})

await t.test('a line that could not be sent is told, and the conversation goes on', async t => {
  const server = await start(t, { maxBodyBytes: 10 })
  const ending = await run(t, ['chat'], { server, input: 'far too long a line\nshort\n' })
  t.match(ending, {
    code: 1,
    stdout: 'ann: short\n',
    stderr: /^msgbus chat: not sent: "far too long a line": [^\n]*MSGBUS_BODY_TOO_LARGE[^\n]*\n$/,
  })
})

await t.test('a server that is started again is waited for', async t => {
  const first = await start(t)
  const { port } = first
  const ann = msgbus(t, ['chat', 'room'], { server: first, isInteractive: true, isMerged: true })
  await subscribed(first)
  const { bus } = first.server
  await first.server.close(0)
  await ann.readThrough('trying again\n')
  const second = await start(t, { bus }, { port })
  await ann.readThrough('connected again\n')
  put(second, 'room', 'back', { sender: 'bob' })
  t.equal(await ann.readThrough('back\n'), 'bob: back\n')
  ann.write('good\n')
  t.equal(await ann.readThrough('good\n'), 'ann: good\n')
})

await t.test('Ctrl-C ends it well in a pipe', async t => {
  const server = await start(t)
  const ann = msgbus(t, ['chat', 'room'], { server, isInteractive: true })
  await subscribed(server)
  ann.signal('SIGINT')
  t.strictSame(await ann.ended(), { code: 0, stdout: '', stderr: '' })
})

await t.test('on a terminal others appear above what is being typed', async t => {
  if (!needs(t, 'script')) return
  const server = await start(t)
  const ann = onTerminal(t, ['chat', 'room'], { server, env: { NO_COLOR: '1' } })
  await subscribed(server)
  await ann.readThrough('> ')
  ann.write('half a l')
  await ann.readThrough('half a l')
  put(server, 'room', 'hello\x1b[2J', { sender: 'bob' })
  const shown = await ann.readThrough('> half a l')
  t.ok(shown.includes(`${TIME} bob: hello\\x1b[2J`))
  ann.write('ine\r')
  await ann.readThrough(`${TIME} ann: half a line`)
  await ann.readThrough('> ')
  ann.write('/quit\r')
  t.equal((await ann.ended()).code, 0)
})

await t.test(
  'on a terminal the screen holds each line once, whatever the length and wherever the cursor is',
  async t => {
    if (!needs(t, 'script')) return
    const server = await start(t)
    const ann = onTerminal(t, ['chat', 'room'], { server, env: { NO_COLOR: '1' } })
    await subscribed(server)
    let output = await ann.readThrough('> ')
    // Three rows of 60 columns, at once as from a clipboard.
    const pasted = `${'long '.repeat(25)}END`
    ann.write(pasted)
    output += await ann.readThrough('END')
    put(server, 'room', 'one', { sender: 'bob' })
    output += await ann.readThrough('bob: one')
    output += await ann.readThrough('END')
    ann.write('\x1b[D\x1b[D\x1b[D')
    ann.write('<>')
    output += await ann.readThrough('<>END')
    put(server, 'room', 'two', { sender: 'bob' })
    output += await ann.readThrough('bob: two')
    output += await ann.readThrough('<>END')
    ann.write('\r')
    output += await ann.readThrough('ann: ')
    output += await ann.readThrough('<>END')
    output += await ann.readThrough('> ')
    const wanted = `${TIME} bob: one\n${TIME} bob: two\n${TIME} ann: ${pasted.replace('END', '<>END')}\n> `
    t.equal(screenOf(output, 60), wanted)
  },
)

for (const [name, key] of [
  ['Ctrl-C', '\x03'],
  ['Ctrl-D', '\x04'],
] as const) {
  await t.test(`${name} ends it well on a terminal`, async t => {
    if (!needs(t, 'script')) return
    const server = await start(t)
    const ann = onTerminal(t, ['chat', 'room'], { server })
    await subscribed(server)
    await ann.readThrough('> ')
    ann.write(key)
    t.equal((await ann.ended()).code, 0)
  })
}

/** What a terminal of so many columns shows after these bytes: rows that were wrapped are joined again. */
function screenOf(output: string, columns: number): string {
  const rows: string[] = ['']
  const wrapped = new Set<number>()
  let row = 0
  let column = 0
  const put = (character: string): void => {
    if (column === columns) {
      wrapped.add(row)
      row++
      column = 0
    }
    const text = (rows[row] ?? '').padEnd(column)
    rows[row] = `${text.slice(0, column)}${character}${text.slice(column + 1)}`
    column++
  }
  for (const [token, count, kind] of output.matchAll(/\x1b\[\??(\d*)([A-Za-z])|[^]/g)) {
    const steps = Number(count === '' ? 1 : count)
    if (token === '\r') column = 0
    else if (token === '\n') row++
    else if (kind === undefined) put(token)
    else if (kind === 'A') row -= steps
    else if (kind === 'B') row += steps
    else if (kind === 'C') column += steps
    else if (kind === 'D') column = Math.min(column, columns - 1) - steps
    else if (kind === 'G') column = steps - 1
    else if (kind === 'J') {
      rows[row] = (rows[row] ?? '').slice(0, column)
      rows.length = row + 1
      for (const at of [...wrapped]) if (at >= row) wrapped.delete(at)
    } else throw new Error(`Cannot show ${JSON.stringify(token)}: this terminal does not know it`)
  }
  return (
    rows
      .map((text, at) => (wrapped.has(at) ? text : `${text.trimEnd()}\n`))
      .join('')
      .trimEnd() + ' '
  )
}
