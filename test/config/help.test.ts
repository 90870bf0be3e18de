import { readFileSync } from 'node:fs'
import t from 'tap'
import { describeOptions, helpText } from '../../src/config/help.ts'
import { OPTIONS, type Option } from '../../src/config/schema.ts'

const ROWS: readonly Option[] = Object.values(OPTIONS)

await t.test('the help text mentions every option exactly once', t => {
  const words = helpText().split(/\s+/)
  const flags = ROWS.filter(row => row.isFileOnly !== true)
  for (const { name, short = [] } of flags) {
    t.equal(words.filter(word => word === `--${name}`).length, 1, name)
    for (const letter of short) t.equal(words.filter(word => word === `-${letter},`).length, 1, letter)
  }
  t.equal(words.filter(word => word.startsWith('--')).length, flags.length)
  t.end()
})

await t.test('an option without a flag is told as what it is', t => {
  const names = ROWS.filter(row => row.isFileOnly === true).map(({ name }) => name)
  t.same(names, ['locations'])
  t.match(helpText(), /\n {6}locations {15}\S/)
  t.match(describeOptions(), /\n\| `locations` \(in a file only\) \| {2}\| {2}\| {2}\| \S/)
  t.end()
})

await t.test('the help text is aligned and at most 80 columns wide', t => {
  const lines = helpText().split('\n')
  t.ok(lines.every(line => line.length <= 80))
  t.ok(lines.every(line => line === line.trimEnd()))
  const texts = lines.filter(line => line.startsWith(' '.repeat(10)))
  t.ok(texts.every(line => /^ {30}\S/.test(line)))
  t.ok(helpText().endsWith('\n'))
  t.end()
})

await t.test('the help text tells each default and its unit', t => {
  const text = helpText().replace(/\s+/g, ' ')
  for (const row of ROWS) {
    const facts = [
      row.default === undefined ? [] : `default ${row.default}`,
      row.unit ?? [],
      row.isFileOnly ? 'in a file only' : [],
    ].flat()
    if (facts.length > 0) t.ok(text.includes(`${row.help} (${facts.join('; ')})`), row.name)
    else t.ok(text.includes(row.help), row.name)
  }
  t.end()
})

await t.test('no two options share a name or a letter', t => {
  const names = ROWS.map(({ name }) => name)
  const letters = ROWS.flatMap(({ short = [] }) => short)
  t.equal(new Set(names).size, names.length)
  t.equal(new Set(letters).size, letters.length)
  t.end()
})

await t.test('doc/config.md contains the table of options and no other', t => {
  // Tests run from the root of the project, compiled or not.
  const page = readFileSync('doc/config.md', 'utf8')
  const [, options = ''] = /\n## Options\n([^]*?)\n## /.exec(page) ?? []
  const table = options
    .split('\n')
    .filter(line => line.startsWith('|'))
    .map(line => `${line}\n`)
  t.equal(table.join(''), describeOptions())
  t.ok(options.includes(`\n\n${describeOptions()}\n`))
  t.end()
})

await t.test('the table escapes what would end a cell', t => {
  for (const line of describeOptions().trimEnd().split('\n')) {
    t.equal(line.replaceAll('\\|', '').split('|').length, 7, line)
  }
  t.end()
})
