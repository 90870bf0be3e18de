// The commands of doc/protocol/native.md for other forms, history and finite answers, run as they stand there by curl and a
// shell against a real server, and their output held against what the document shows.

import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { atOnce } from '../at-once.ts'
import { Command } from '../command.ts'
import { needs } from '../needs.ts'
import { parsePart, put, start, type TestServer } from '../wire/server.ts'

const DOCUMENT = readFileSync('doc/protocol/native.md', 'utf8')

/** Code blocks between a heading and the next one, by language. */
function blocksBelow(heading: string, language = ''): readonly string[] {
  const section = DOCUMENT.split(`\n### ${heading}\n`)[1]?.split('\n### ')[0] ?? ''
  return [...section.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , text = '']) => text)
}

const FORMS = blocksBelow('Forms')
const RESUMES = blocksBelow('Resume').flatMap(block => block.trimEnd().split('\n'))
const FINITE = blocksBelow('Finite answers')

/** Runs a command of the document against a server of the test. */
function type(t: Test, command: string, { port }: TestServer, cwd = '.'): Command {
  const text = command.replaceAll('http://127.0.0.1:8888/', `http://127.0.0.1:${port}/`)
  return new Command(t, 'sh', ['-c', text], { cwd })
}

/** Two messages as the document shows them. */
function putShown({ server }: TestServer): void {
  const text = { channel: 'NAME', type: 'text/plain', sender: 'alice', body: Buffer.from('hello') }
  const gif = { channel: 'NAME', type: 'image/gif', sender: null, body: Buffer.from('GIF89a') }
  atOnce(server.bus.publishAll([text, gif]))
}

/** What was printed, as if the server's ids and times were those of the document. */
function likeShown(text: string, { server }: TestServer): string {
  return text.replaceAll(server.bus.position.epoch, '3454c97af81b').replace(/^retry: \d+/, 'retry: 2417')
}

for (const [as, command = '', shown = ''] of [
  ['lines', FORMS[0], FORMS[1]],
  ['events', FORMS[2], FORMS[3]],
] as const) {
  await t.test(`the ${as} of the document are what curl prints`, async t => {
    if (!needs(t, 'curl') || !needs(t, 'sh')) return
    t.match(command, /^curl -N '[^']+'\n$/)
    const server = await start(t)
    const curl = type(t, command, server)
    await server.log.until('sub')
    putShown(server)
    t.equal(likeShown(await curl.read(shown.length), server), shown)
  })
}

const BEGINNINGS: Readonly<Record<string, readonly string[]>> = {
  'since=all': ['1', '2', '3'],
  'since=-10': ['1', '2', '3'],
  'since=10m': ['1', '2', '3'],
  'Last-Event-ID': ['2', '3'],
}

await t.test('every way to begin is tried here', t => {
  t.equal(RESUMES.length, Object.keys(BEGINNINGS).length)
  for (const name of Object.keys(BEGINNINGS)) {
    t.equal(RESUMES.filter(command => command.includes(name)).length, 1, name)
  }
  t.end()
})

for (const [name, wanted] of Object.entries(BEGINNINGS)) {
  await t.test(`curl gets history by ${name}, and then what comes`, async t => {
    if (!needs(t, 'curl') || !needs(t, 'sh')) return
    // Its messages are of now.
    const server = await start(t, { bus: new Bus() })
    const { boundary } = server.server.bus
    const [id = ''] = ['1', '2', '3'].map(body => put(server, 'NAME', body))
    const command = RESUMES.find(line => line.includes(name)) ?? ''
    const curl = type(t, command.replace('3454c97af81b-17', id), server)
    await curl.readThrough(`--${boundary}\r\n`)
    await server.log.until('sub')
    put(server, 'NAME', 'live')
    for (const body of [...wanted, 'live']) {
      t.equal(parsePart(await curl.readThrough(`\r\n--${boundary}\r\n`), boundary).body, body)
    }
  })
}

await t.test('curl gets a finite answer, and ends', async t => {
  if (!needs(t, 'curl') || !needs(t, 'sh')) return
  const server = await start(t)
  putShown(server)
  const { code, stdout } = await type(t, FINITE[0] ?? '', server).ended()
  t.equal(code, 0)
  t.equal(likeShown(stdout, server), FORMS[1])
})

await t.test('the loop of the document gets everything once, over a gap in the connection, too', async t => {
  if (!needs(t, 'curl') || !needs(t, 'sh')) return
  const [loop = ''] = blocksBelow('Finite answers', 'sh')
  const server = await start(t)
  for (let number = 1; number <= 3; number++) put(server, 'NAME', `${number}`)
  const reader = type(t, loop, server, t.testdir({}))
  const read = async (number: number): Promise<void> => {
    const line = await reader.readThrough('\n')
    t.equal((JSON.parse(line) as { readonly body: string }).body, `${number}`)
  }
  for (let number = 1; number <= 3; number++) await read(number)
  for (let number = 4; number <= 20; number++) {
    put(server, 'NAME', `${number}`)
    // Sometimes while it waits, sometimes between two requests.
    if (number % 3 === 0) await read(number - 2)
    if (number % 3 === 0) await read(number - 1)
    if (number % 3 === 0) await read(number)
  }
  for (const number of [19, 20]) await read(number)
  await server.server.close()
  t.equal((await reader.ended()).stdout, '', 'it ends when the server is gone')
})

await t.test('what curl has of a stream tells it where to go on', async t => {
  if (!needs(t, 'curl')) return
  const server = await start(t)
  const url = `http://127.0.0.1:${server.port}/msgbus/NAME`
  const first = new Command(t, 'curl', ['-sN', '-H', 'Accept: text/event-stream', url])
  await first.readThrough('retry: ')
  await server.log.until('sub')
  put(server, 'NAME', '1')
  const [, id = ''] = /^id: (\S+)$/m.exec(await first.readThrough('data: 1\n\n')) ?? []
  first.signal('SIGTERM')
  await server.log.until('unsub')
  put(server, 'NAME', '2')
  const again = new Command(t, 'curl', ['-siN', '-H', `Last-Event-ID: ${id}`, `${url}?as=sse`])
  t.match(await again.readThrough('data: 2\n\n'), /\r\nMsgbus-Resume: ok\r\n/)
})
