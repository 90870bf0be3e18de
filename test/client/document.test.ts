// The examples of doc/client.md, run as they stand there against a server: each prints what it says.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Command } from '../command.ts'
import { start } from '../wire/server.ts'

const DOCUMENT = readFileSync(join(process.cwd(), 'doc', 'client.md'), 'utf8')
const EXAMPLE = /\n```js\n(.*?)```\n\nprints\n\n```\n(.*?)```\n/gs

const examples = [...DOCUMENT.matchAll(EXAMPLE)]

await t.test('every example in JavaScript says what it prints', t => {
  t.equal(examples.length, DOCUMENT.split('\n```js\n').length - 1)
  t.ok(examples.length > 0)
  t.end()
})

for (const [, code = '', output = ''] of examples) {
  await t.test(`the example that prints "${output.split('\n')[0] ?? ''}" does`, async t => {
    const { port } = await start(t)
    // Inside the repository, the name of the package means what was built.
    const dir = t.testdir({})
    writeFileSync(join(dir, 'example.mjs'), code.replaceAll('127.0.0.1:8888', `127.0.0.1:${port}`))
    const ending = await new Command(t, process.execPath, ['example.mjs'], { cwd: dir }).ended()
    t.equal(ending.stderr, '')
    t.equal(ending.stdout, output)
  })
}
