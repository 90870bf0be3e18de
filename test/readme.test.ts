// What the documents say: the example of README.md compiles and runs as it stands there, and no link leads nowhere. The
// commands of README.md are tried in test/interop/.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Command } from './command.ts'
import { ask, publish, subscribe } from './wire/server.ts'

const ROOT = process.cwd()
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')

/** The code block of a language below a heading. */
function codeBelow(text: string, heading: string, language: string): string {
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const [, code] = new RegExp(`\n\`\`\`${language}\n(.*?)\`\`\`\n`, 's').exec(section) ?? []
  if (code === undefined)
    throw new Error(`Cannot find the code below "${heading}": there is no block of ${language}`)
  return code
}

/** Replaces a text that must be there once. */
function replaceOnce(text: string, wanted: string, replacement: string): string {
  const [before, after, ...others] = text.split(wanted)
  if (before === undefined || after === undefined || others.length > 0) {
    throw new Error(`Cannot run the example: "${wanted}" must stand in it once`)
  }
  return `${before}${replacement}${after}`
}

await t.test('the example of README.md for a server of your own compiles and works', async t => {
  // Inside the repository, the name of the package means what was built.
  const example = codeBelow(README, 'In your own server', 'ts')
  const dir = t.testdir({ 'app.ts': example })
  const compiler = join(ROOT, 'node_modules/typescript/lib/tsc.js')
  const options = [
    '--ignoreConfig',
    '--strict',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--types',
    'node',
    'app.ts',
  ]
  const compilation = await new Command(t, process.execPath, [compiler, ...options], { cwd: dir }).ended()
  t.equal(compilation.stdout, '')
  t.equal(compilation.code, 0)

  // The port is free and printed, and what the example publishes is published again whenever somebody asks for it.
  const [publishing = ''] = /^msgbus\.bus\.publish\(.+$/m.exec(example) ?? []
  const open = "listen(0, '127.0.0.1', function () { console.log(this.address().port) })"
  const code = replaceOnce(readFileSync(join(dir, 'app.js'), 'utf8'), "listen(8080, '127.0.0.1')", open)
  writeFileSync(join(dir, 'app.js'), `${code}\nprocess.stdin.on('data', () => { ${publishing} })\n`)
  const app = new Command(t, process.execPath, ['app.js'], { cwd: dir, isInteractive: true })
  const server = { port: Number(await app.readThrough('\n')) }

  const page = await ask(t, server, 'GET', '/any')
  t.equal(page.status, 200)
  t.equal(page.body, 'my own page')
  const stream = await subscribe(t, server, '/push/news?framing=2008')
  app.write('again')
  t.equal(await stream.readChunk(), 'Content-Type: text/plain\n\nhello--00MsgBus00\n')
  await publish(t, server, '/push/news', 'from outside')
  t.equal(await stream.readChunk(), 'Content-Type: text/plain\n\nfrom outside--00MsgBus00\n')
})

/** Every link of a Markdown file that leads to another file, and not to where code only looks like one. */
function linksOf(text: string): string[] {
  const prose = text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '')
  const links = [...prose.matchAll(/\]\(\s*<?([^\s)>]+)|^\[[^\]]+\]:\s+(\S+)/gm)]
  const targets = links.map(([, inline, named]) => inline ?? named ?? '')
  return targets.filter(target => !/^(?:[a-z][a-z0-9+.-]*:|#|\/\/)/i.test(target))
}

/** One line for each link that leads to no file. */
function findDeadLinks(root: string, paths: readonly string[]): string[] {
  return paths.flatMap(path => {
    const targets = linksOf(readFileSync(join(root, path), 'utf8')).map(target => target.replace(/#.*/, ''))
    const dead = targets.filter(target => !existsSync(join(root, dirname(path), decodeURI(target))))
    return dead.map(target => `${path} links to ${target}`)
  })
}

await t.test('dead links are found, and only those', t => {
  const text = [
    '[here](other.md) and [below](doc/deep.md#part), [a folder](doc/), [the web](https://example.com/gone.md), [top](#top)',
    '[gone](gone.md), ![picture](gone.png "title"), [by name][name]',
    '`[code](code.md)`',
    '```',
    '[code](code.md)',
    '```',
    '[name]: gone/named.md',
  ].join('\n')
  const root = t.testdir({ 'a.md': text, 'other.md': '', doc: { 'deep.md': '[up](../a.md), [gone](a.md)' } })
  t.strictSame(findDeadLinks(root, ['a.md', 'doc/deep.md']), [
    'a.md links to gone.md',
    'a.md links to gone.png',
    'a.md links to gone/named.md',
    'doc/deep.md links to a.md',
  ])
  t.end()
})

await t.test('every link of the documents leads to a file', t => {
  const isDocument = (name: string): boolean => name.endsWith('.md')
  const inDoc = readdirSync(join(ROOT, 'doc'), { recursive: true, encoding: 'utf8' })
  const paths = [
    ...readdirSync(ROOT).filter(isDocument),
    ...inDoc.filter(isDocument).map(name => join('doc', name)),
  ]
  for (const name of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md']) t.ok(paths.includes(name), name)
  t.strictSame(findDeadLinks(ROOT, paths), [])
  t.end()
})
