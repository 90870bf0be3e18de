// Servers that are not there, refuse, break off or are none, and a fault of the program itself: one clear line each, an exit
// code that is not 0, and never a stack trace.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t from 'tap'
import { start } from '../wire/server.ts'
import {
  ONE_LINE,
  msgbus,
  pretend,
  refusingPort,
  run,
  type RunOptions,
  seedProgram,
  stream,
  urlOf,
} from './commands.ts'

/** Every way to publish or subscribe, on channel `a`. */
const PROGRAMS = [
  { name: 'pub', start: (t, options) => msgbus(t, ['pub', 'a', 'x'], options) },
  {
    name: 'pub --lines',
    start: (t, options) => msgbus(t, ['pub', '--lines', 'a'], { input: 'x\n', ...options }),
  },
  { name: 'sub', start: (t, options) => msgbus(t, ['sub', 'a'], options) },
  { name: 'sub --no-reconnect', start: (t, options) => msgbus(t, ['sub', '--no-reconnect', 'a'], options) },
  { name: 'chat', start: (t, options) => msgbus(t, ['chat', 'a'], { isInteractive: true, ...options }) },
  {
    name: 'msgsend',
    start: (t, options) => seedProgram(t, 'msgsend', [urlOf(options.server) + '/msgbus/a'], options),
  },
  {
    name: 'msgdump',
    start: (t, options) => seedProgram(t, 'msgdump', [urlOf(options.server) + '/msgbus/a'], options),
  },
] as const satisfies readonly {
  readonly name: string
  readonly start: (
    t: Parameters<typeof msgbus>[0],
    options: RunOptions & { readonly server: { readonly port: number } },
  ) => ReturnType<typeof msgbus>
}[]

await t.test('a server that accepts and never answers is given up, with a word', async t => {
  const silent = createServer().listen(0, '127.0.0.1')
  const sockets = new Set<Socket>()
  silent.on('connection', socket => sockets.add(socket.on('error', () => undefined)))
  t.teardown(() => {
    silent.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/msgbus/a`
  const patience = ['--timeout', '0.2']
  const endings = await Promise.all([
    ...[
      ['pub', 'a', 'x'],
      ['pub', '--lines', 'a'],
      ['pub', '-t', 'multipart/mixed', 'a'],
      ['sub', 'a'],
    ].map(args => run(t, [...args, ...patience], { input: 'x\n', server: { port } })),
    run(t, ['chat', 'a', ...patience], { server: { port } }),
    seedProgram(t, 'msgsend', [url, ...patience]).ended(),
    seedProgram(t, 'msgdump', [url, ...patience]).ended(),
  ])
  for (const { code, stdout, stderr } of endings) {
    t.match(stderr, ONE_LINE)
    t.match({ code, stdout, stderr }, { code: 1, stdout: '', stderr: /: no answer within 0\.2 s\n$/ })
  }
})

await t.test('a time that is none is a wrong argument', async t => {
  for (const text of ['0', 'soon', '1e3']) {
    const { code, stderr } = await run(t, ['pub', 'a', 'x', '--timeout', text])
    t.match({ code, stderr }, { code: 64, stderr: /"--timeout": found .*, expected a number of seconds/ })
  }
})

const HTML = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p>\n'
const REDIRECT = 'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'
const EVIL = 'HTTP/1.1 500 No\r\nContent-Length: 18\r\n\r\n\x1b[2J\nat x (y.js:1)\n\n'

for (const { name, start: startProgram } of PROGRAMS) {
  await t.test(`${name} says what is wrong with its server, and fails`, async t => {
    const server = await start(t, { password: 'hunter2' })
    const cases = [
      ['a refused connection', { port: await refusingPort(t) }, /ECONNREFUSED \(nobody listens there\)$/m],
      ['a missing password', server, /401 MSGBUS_PASSWORD/],
      ['a page', await pretend(t, HTML), /expected a msgbus/],
      ['a redirect', await pretend(t, REDIRECT), /expected a msgbus/],
      ['an error', await pretend(t, EVIL), /500/],
      ['no HTTP', await pretend(t, 'SSH-2.0-OpenSSH_9.2\r\n'), /does not speak HTTP/],
      ['an end without an answer', await pretend(t, ''), /closed the connection without an answer/],
    ] as const
    // The others go the same way, and a process each takes its time.
    const chosen = ['pub', 'sub', 'chat'].includes(name) ? cases : cases.slice(0, 3)
    for (const [what, { port: target }, reason] of chosen) {
      const { code, stdout, stderr } = await startProgram(t, { server: { port: target } }).ended()
      t.equal(code, 1, what)
      t.equal(stdout, '', what)
      t.match(stderr, ONE_LINE, what)
      t.match(stderr, reason, what)
      t.notMatch(stderr, /\x1b|hunter2/, what)
    }
  })
}

await t.test('a stream that is cut in the middle of a part is no silent end', async t => {
  const part = { lines: ['Content-Type: text/plain', 'Msgbus-Id: e-1'], body: 'whole' }
  const cut = stream(part, {
    lines: ['Content-Type: text/plain', 'Msgbus-Id: e-2'],
    body: 'not whole',
  }).slice(0, -12)
  const server = await pretend(t, cut)
  const once = await run(t, ['sub', 'a', '--no-reconnect'], { server })
  t.equal(once.code, 1)
  t.equal(once.stdout, 'whole\n')
  t.match(once.stderr, ONE_LINE)
  t.match(once.stderr, /Cannot read on: /)
  const again = msgbus(t, ['sub', 'a'], { server, isMerged: true })
  t.match(await again.readThrough('trying again\n'), /^whole\nmsgbus sub: connection lost: Cannot read on: /)
  again.signal('SIGINT')
  t.equal((await again.ended()).code, 0)
})

await t.test('a fault of the program is one line, too', async t => {
  // What no test can cause from outside: something that a library throws.
  const fault = "process.on('SIGUSR2', () => { throw new Error('two\\nlines') })"
  const options = `--import=data:text/javascript,${encodeURIComponent(fault)}`
  const server = await start(t)
  const program = msgbus(t, ['sub', 'a'], { server, env: { NODE_OPTIONS: options } })
  await server.log.until('sub')
  program.signal('SIGUSR2')
  t.match(await program.ended(), {
    code: 70,
    stdout: '',
    stderr: 'msgbus sub: a fault of this program: Error: two\\nlines\n',
  })
})
