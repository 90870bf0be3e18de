// Servers that are not there, refuse, break off or are none, and a fault of the program itself: one clear line each, an exit
// code that is not 0, and never a stack trace.

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
