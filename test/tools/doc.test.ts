// doc/tools.md says what the tools do: its tables are those of the code, its commands are understood, and what it shows
// as printed is printed.

import { readFileSync } from 'node:fs'
import t from 'tap'
import { describeOptions, readOptions } from '../../tools/options.ts'
import { OPTIONS as PUB_OPTIONS } from '../../tools/test-pub/options.ts'
import { OPTIONS as SUB_OPTIONS } from '../../tools/test-sub/options.ts'
import { start } from '../wire/server.ts'
import { PUB, resultOf, startTool, SUB } from './tool.ts'

const DOCUMENT = readFileSync('doc/tools.md', 'utf8')
const TABLES = { 'test-pub': PUB_OPTIONS, 'test-sub': SUB_OPTIONS }

await t.test('each option stands in the document as in the code', t => {
  for (const [name, table] of Object.entries(TABLES)) {
    const [, section = ''] = DOCUMENT.split(`\n## Options of ${name}\n\n`)
    t.equal(section.split('\n\n')[0]?.trimEnd(), describeOptions(table).trimEnd())
  }
  t.end()
})

await t.test('the commands of the document are scripts of the package, with options that there are', t => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  const commands = [...DOCUMENT.matchAll(/^npm run -s (test-pub|test-sub) -- (.+)$/gm)]
  t.equal(commands.length, 2)
  for (const [, name = '', args = ''] of commands) {
    t.equal(scripts[name], `exec node dist/tools/${name}/${name}.js`)
    t.ok(readOptions(TABLES[name as keyof typeof TABLES], args.split(' ')))
  }
  t.end()
})

await t.test('what the document shows as printed is what is printed, but for the figures', async t => {
  const server = await start(t)
  const withoutFigures = (text: string): string => text.replace(/[\d.,]*\d/g, 'N')
  const sub = startTool(t, SUB, ['-p', `${server.port}`, '-n', '2', '--count', '2'])
  await sub.readThrough(' open\n')
  const pub = await resultOf(startTool(t, PUB, ['-p', `${server.port}`, '-r', '100', '--count', '2']))
  for (const { lines } of [await resultOf(sub), pub]) {
    t.ok(lines.length > 2)
    t.ok(withoutFigures(DOCUMENT).includes(`\n${withoutFigures(lines.join('\n'))}\n`))
  }
})
