// The server with a store in a directory, as a program: messages and ids go on over restarts, and what keeps it from opening
// is said in one line.

import { chownSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startProgram } from '../program.ts'

const NOBODY = 65534
const isRoot = process.getuid?.() === 0

async function publish(url: string, body: string): Promise<string> {
  const answer = await fetch(`${url}/a`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body })
  if (answer.status !== 204) throw new Error(`answered ${answer.status}: ${await answer.text()}`)
  return answer.headers.get('msgbus-id') ?? ''
}

await t.test('a server that is started again goes on where it was', async t => {
  const args = ['-p', '0', '--store', `file:${join(t.testdir(), 'store')}`]
  const ids: string[] = []
  for (const [round, signal] of (['SIGTERM', 'SIGKILL', 'SIGTERM'] as const).entries()) {
    const program = startProgram(t, args)
    const [url = ''] = await program.urls()
    const place = `${url.replace(/\/msgbus$/, '')}/msgbus`
    ids.push(await publish(place, `${round}.1`), await publish(place, `${round}.2`))
    const answer = await fetch(`${place}/a?poll&as=ndjson&since=${ids[0]}`)
    t.equal(answer.headers.get('msgbus-resume'), 'ok')
    const lines = (await answer.text()).trim().split('\n')
    t.same(
      lines.map(line => (JSON.parse(line) as { id: string }).id),
      ids.slice(1),
    )
    program.child.kill(signal)
    t.match(await program.exit(), signal === 'SIGTERM' ? { code: 0, stderr: '' } : { signal })
  }
  const epoch = ids[0]?.split('-')[0]
  t.same(
    ids,
    ids.map((_, at) => `${epoch}-${at + 1}`),
  )
})

await t.test('a directory that is in use, or is not ours, ends it with one line', async t => {
  const path = join(t.testdir(), 'store')
  const first = startProgram(t, ['-p', '0', '--store', `file:${path}`])
  await first.urls()
  t.match(await startProgram(t, ['-p', '0', '--store', `file:${path}`]).exit(), {
    code: 1,
    stdout: '',
    stderr: `msgbus: Cannot open store "${path}": process ${first.pid} has it open\n`,
  })
  const foreign = join(t.testdirName, 'photos')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'a.jpg'), '')
  t.match(await startProgram(t, ['-p', '0', '--store', `file:${foreign}`]).exit(), {
    code: 78,
    stdout: '',
    stderr: /^msgbus: Cannot open store "[^\n]+photos": the directory is not empty [^\n]+\n$/,
  })
  t.same(readdirSync(foreign), ['a.jpg'])
})

await t.test('the user that it becomes owns the store', async t => {
  if (!isRoot) {
    t.pass('needs root', { skip: 'only root can become another user' })
    return
  }
  const path = join('/tmp', `msgbus-store-of-nobody-${process.pid}`)
  mkdirSync(path)
  chownSync(path, NOBODY, NOBODY)
  t.teardown(() => {
    rmSync(path, { recursive: true })
  })
  for (let round = 0; round < 2; round++) {
    const program = startProgram(t, ['-p', '0', '-u', 'nobody', '--store', `file:${path}`])
    const [url = ''] = await program.urls()
    await publish(`${url.replace(/\/msgbus$/, '')}/msgbus`, 'x')
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
    t.ok(names.length > 5)
    t.same(
      names.filter(name => statSync(join(path, name)).uid !== NOBODY),
      [],
    )
    program.child.kill('SIGTERM')
    t.match(await program.exit(), { code: 0, stderr: '' })
  }
})
