// Wrong arguments, and servers that are not there, refuse, break off or are none: one clear line each, an exit code that is
// not 0, and never a stack trace.

import t from 'tap'
import { start } from '../wire/server.ts'
import {
  msgbus,
  pretend,
  refusingPort,
  run,
  type RunOptions,
  seedProgram,
  stream,
  urlOf,
} from './commands.ts'

// A second line would be a stack, or the silence of somebody who goes on.
const ONE_LINE = /^(?:msgbus(?: \w+)?|msgsend|msgdump): [^\n]{10,400}\n$/

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
      ['a refused connection', { port: await refusingPort(t) }, /ECONNREFUSED/],
      ['a missing password', server, /401 MSGBUS_PASSWORD/],
      ['a page', await pretend(t, HTML), /expected a msgbus/],
      ['a redirect', await pretend(t, REDIRECT), /expected a msgbus/],
      ['an error', await pretend(t, EVIL), /500/],
      ['no HTTP', await pretend(t, 'SSH-2.0-OpenSSH_9.2\r\n'), /Cannot reach/],
      ['an end without an answer', await pretend(t, ''), /Cannot reach/],
    ] as const
    for (const [what, { port: target }, reason] of cases) {
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

await t.test('wrong arguments end with 64 and one line that shows no password', async t => {
  const cases: readonly (readonly string[])[] = [
    ['nope'],
    ['help', 'nope'],
    ['pub'],
    ['pub', 'a', 'b', 'c'],
    ['pub', ''],
    ['pub', 'a/', 'x'],
    ['pub', '../a', 'x'],
    ['pub', 'a', '--nope'],
    ['pub', 'a', '-z'],
    ['pub', 'a', '-f'],
    ['pub', 'a', '-f', '-t', 'x'],
    ['pub', 'a', 'x', '-f', 'y'],
    ['pub', 'a', 'x', '--lines'],
    ['pub', 'a', 'x', '--lines=1'],
    ['pub', 'a', 'x', '-t', 'words'],
    ['pub', 'a', 'x', '-t', 'text/x\ny'],
    ['pub', 'a', 'x', '--sender', 'a:b'],
    ['pub', 'a', 'x', '--sender', 'ü'],
    ['pub', 'http://127.0.0.1:1/msgbus/', 'x'],
    ['pub', 'http://127.0.0.1:1/msgbus/a,b', 'x'],
    ['pub', 'http://127.0.0.1:1/msgbus/a?type=b', 'x'],
    ['sub', ''],
    ['sub', 'a,,b'],
    ['sub', 'a', 'b'],
    ['sub', 'ftp://me:hunter2@127.0.0.1/msgbus/a'],
    ['sub', 'http://me:hunter2@127.0.0.1/other/a'],
    ['sub', 'http://me:hunter2@127.0.0.1:99999/msgbus/a'],
    ['sub', 'http://me:100%hunter2@127.0.0.1/msgbus/a'],
    ['sub', 'me:hunter2@127.0.0.1:8888/msgbus/a'],
    ['sub', 'localhost:8888'],
    ['sub', 'http://127.0.0.1:1/msgbus/a%2Fb'],
    ['sub', 'http://127.0.0.1:1/msgbus/a#b'],
    ['sub', 'http://127.0.0.1:1/msgbus/a?since=%zz'],
    ['sub', 'http://127.0.0.1:1/msgbus/a?poll'],
    ['sub', '--count', '0'],
    ['sub', '--count', 'many'],
    ['sub', '--since', '--json'],
    ['chat', 'a/'],
    ['chat', '--name', 'a:b'],
  ]
  const endings = cases.map(async args => ({ args, ending: await run(t, args, { server: { port: 1 } }) }))
  for (const { args, ending } of await Promise.all(endings)) {
    t.equal(ending.code, 64, args.join(' '))
    t.equal(ending.stdout, '', args.join(' '))
    t.match(ending.stderr, ONE_LINE, args.join(' '))
    t.notMatch(ending.stderr, /hunter2/, args.join(' '))
  }
})

await t.test('so does a wrong address in the environment', async t => {
  for (const url of ['me:hunter2@host', 'ftp://hunter2@host/', 'http://']) {
    const ending = await run(t, ['sub'], { env: { MSGBUS_URL: url } })
    t.equal(ending.code, 64, url)
    t.match(ending.stderr, /^msgbus sub: Cannot use MSGBUS_URL: [^\n]+\n$/)
    t.notMatch(ending.stderr, /hunter2/)
  }
})

await t.test('a file that cannot be read is an error before anything is asked for', async t => {
  const dir = t.testdir({})
  for (const path of [`${dir}/none`, dir]) {
    const ending = await run(t, ['pub', 'a', '-f', path], { server: { port: 1 } })
    t.match(ending, { code: 1, stdout: '', stderr: /^msgbus pub: Cannot read "[^\n]+": [^\n]+\n$/ })
  }
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
