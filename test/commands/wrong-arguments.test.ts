// Wrong arguments: one clear line, exit code 64, and no password in it; nothing is asked of any server.

import t from 'tap'
import { ONE_LINE, run } from './commands.ts'

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
  for (const args of cases) {
    const ending = await run(t, args, { server: { port: 1 } })
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
