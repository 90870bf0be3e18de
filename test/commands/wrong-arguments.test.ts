// Wrong arguments: one clear line, exit code 64, and no password in it; nothing is asked of any server.

import t from 'tap'
import { readArguments } from '../../client/commands/arguments.ts'
import { CHAT } from '../../client/commands/chat.ts'
import { UsageError } from '../../client/commands/command-error.ts'
import { Output } from '../../client/commands/output.ts'
import { PUB } from '../../client/commands/pub.ts'
import { SUB } from '../../client/commands/sub.ts'
import { ONE_LINE, run } from './commands.ts'

await t.test('wrong arguments end with 64 and one line that shows no password', async t => {
  const cases = [
    ['nope'],
    ['help', 'nope'],
    ['pub'],
    ['chat', '--nope'],
    ['sub', 'ftp://me:hunter2@127.0.0.1/msgbus/a'],
  ]
  for (const args of cases) {
    const ending = await run(t, args, { server: { port: 1 } })
    t.equal(ending.code, 64, args.join(' '))
    t.equal(ending.stdout, '', args.join(' '))
    t.match(ending.stderr, ONE_LINE, args.join(' '))
    t.notMatch(ending.stderr, /hunter2/, args.join(' '))
  }
})

const COMMANDS = { pub: PUB, sub: SUB, chat: CHAT }

/** What a command says of its arguments; throws unless it refuses them. Programs of their own would take minutes. */
async function refusal(name: keyof typeof COMMANDS, args: readonly string[]): Promise<string> {
  const command = COMMANDS[name]
  try {
    const given = readArguments(command, args)
    if (given === null) return 'help'
    await command.run(given, {
      env: { MSGBUS_URL: 'http://127.0.0.1:1' },
      stdin: process.stdin,
      output: new Output(process.stdout),
      tell: () => undefined,
      followStop: () => AbortSignal.abort(),
    })
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  throw new Error('Cannot tell the refusal: there was none')
}

await t.test('every kind of wrong argument is told in one line', async t => {
  const cases: readonly (readonly [keyof typeof COMMANDS, ...(readonly string[])])[] = [
    ['pub'],
    ['pub', 'a', 'b', 'c'],
    ['pub', ''],
    ['pub', 'a/', 'x'],
    ['pub', '../a', 'x'],
    ['pub', 'a', '--nope'],
    ['pub', 'a', '-z'],
    ['pub', 'a', '-f'],
    ['pub', 'a', '-f', '-t', 'x'],
    ['pub', 'a', '-f', ''],
    ['pub', 'a', 'x', '--sender='],
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
    ['sub', '--exec', ''],
    ['sub', '--save='],
    ['sub', '--since', '--json'],
    ['chat', 'a/'],
    ['chat', '--name', 'a:b'],
    ['chat', '--name', 'ü:b'],
    ['chat', '--name', 'ü\nb'],
    ['chat', '--name', 'ü'.repeat(25)],
  ]
  for (const [name, ...args] of cases) {
    const line = await refusal(name, args)
    t.match(line, /^Cannot (?:use|publish) [^\n]{10,300}$/, [name, ...args].join(' '))
    t.notMatch(line, /hunter2/, args.join(' '))
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
    t.match(ending, {
      code: 1,
      stdout: '',
      stderr:
        /^msgbus pub: Cannot read "[^\n]+": (?:no such file or directory \(ENOENT\)|it is a directory)\n$/,
    })
  }
})
