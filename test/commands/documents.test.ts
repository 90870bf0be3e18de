// What the documents and the help say of the command line is true: examples are run as they stand there.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Command } from '../command.ts'
import { CLI } from '../program.ts'
import { start, type TestServer } from '../wire/server.ts'
import { run, urlOf } from './commands.ts'

const DOCUMENT = readFileSync(join(process.cwd(), 'doc/commands.md'), 'utf8')
const README = readFileSync(join(process.cwd(), 'README.md'), 'utf8')

/** A directory with the programs by their names, and what the examples read. */
function makePlace(t: Test): string {
  const folder = join(process.cwd(), 'dist/client/commands')
  const paths = { msgbus: CLI, msgsend: join(folder, 'msgsend.js'), msgdump: join(folder, 'msgdump.js') }
  const dir = t.testdir({ bin: {}, 'photo.jpg': 'a picture', 'app.log': 'one\ntwo\n' })
  for (const [name, path] of Object.entries(paths)) {
    writeFileSync(join(dir, 'bin', name), `#!/bin/sh\nexec '${process.execPath}' '${path}' "$@"\n`)
    chmodSync(join(dir, 'bin', name), 0o755)
  }
  return dir
}

function shell(t: Test, dir: string, server: TestServer, line: string): Command {
  const env = {
    PATH: `${join(dir, 'bin')}:${process.env.PATH ?? ''}`,
    MSGBUS_URL: urlOf(server),
    NODE_OPTIONS: '',
  }
  return new Command(t, 'sh', ['-c', line], { cwd: dir, env })
}

await t.test('every example of doc/commands.md prints what stands there', async t => {
  const server = await start(t)
  const dir = makePlace(t)
  const blocks = [...DOCUMENT.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = '']) => block)
  const examples = blocks.flatMap(block => block.split(/^\$ /m).slice(1))
  t.ok(examples.length > 10)
  for (const example of examples) {
    const [line = ''] = example.split('\n')
    const { code, stdout, stderr } = await shell(t, dir, server, line).ended()
    t.strictSame(
      { code, stdout, stderr },
      { code: 0, stdout: example.slice(line.length + 1), stderr: '' },
      line,
    )
  }
})

await t.test('every command of README.md works', async t => {
  const dir = makePlace(t)
  const section = README.split('\n## Command line\n')[1]?.split('\n## ')[0] ?? ''
  const lines = /```\n(.*?)```/s.exec(section)?.[1]?.trimEnd().split('\n') ?? []
  t.equal(lines.length, 6)
  for (const line of lines) {
    const server = await start(t)
    // One that follows a file never ends; and the shell is to outlive what it runs.
    const program = shell(t, dir, server, `trap : INT; ${line.replace('tail -f', 'cat')}`)
    if (/msgbus (?:sub|chat)/.test(line)) {
      await server.log.until('sub')
      program.signal('SIGINT')
    } else {
      await server.log.until('pub')
    }
    t.equal((await program.ended()).code, 0, line)
  }
})

await t.test('the help of the program names its commands, and each has its own', async t => {
  for (const args of [['--help'], ['help']]) {
    const { code, stdout, stderr } = await run(t, args)
    t.match({ code, stderr }, { code: 0, stderr: '' })
    for (const command of ['pub', 'sub', 'chat', 'help COMMAND'])
      t.match(stdout, `  msgbus ${command} `, args.join(' '))
  }
  for (const command of ['pub', 'sub', 'chat']) {
    const own = await run(t, [command, '--nonsense', '-h'])
    t.match(own, { code: 0, stdout: new RegExp(`^Usage: msgbus ${command} `), stderr: '' })
    t.strictSame(await run(t, ['help', command]), own)
    t.match(own.stdout, /\nExit codes:\n {2}0 /)
    t.ok(
      own.stdout.split('\n').every(line => line.length <= 80),
      'fits 80 columns',
    )
  }
})
