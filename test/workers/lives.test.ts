// What becomes of a server of several processes when one of them dies, stops or is told to stop.

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { certificate, connect, type Connection } from '../wire/server.ts'
import { occupyPort, startProgram } from '../program.ts'
import {
  askOn,
  childrenOf,
  connectTo,
  type Crew,
  isAlive,
  pidOf,
  publishOn,
  startCrew,
  subscribeOn,
  until,
} from './crew.ts'

const FLOOD_COUNT = 3_000
const isRoot = process.getuid?.() === 0

/** Publishes one message after another, on new connections where one breaks, and returns the ids that were acknowledged. */
async function flood(
  t: Test,
  crew: Crew,
  count: number,
  onPublished: (count: number) => void = () => undefined,
): Promise<readonly string[]> {
  const ids: string[] = []
  let connection = await connect(t, crew)
  while (ids.length < count) {
    try {
      ids.push(await publishOn(connection, '/msgbus/flood', `${ids.length}`))
      onPublished(ids.length)
    } catch {
      connection = await connect(t, crew)
    }
  }
  return ids
}

/** Ids of the parts of a stream up to one. */
async function idsUpTo(stream: Connection, last: string): Promise<readonly string[]> {
  const text = await stream.readThrough(`Msgbus-Id: ${last}\r\n`)
  return [...text.matchAll(/^Msgbus-Id: (\S+)/gm)].map(([, id]) => id ?? '')
}

function seqOf(id: string): number {
  return Number(id.split('-')[1])
}

await t.test('a worker that is killed during a flood takes only its own connections with it', async t => {
  const crew = await startCrew(t)
  const victim = await subscribeOn(await connectTo(t, crew, 1), '/msgbus/flood')
  const survivors = [
    (await subscribeOn(await connectTo(t, crew, 2), '/msgbus/flood')).stream,
    (await subscribeOn(await connectTo(t, crew, 2), '/msgbus/')).stream,
  ]
  const pid = pidOf(crew, 1)
  const floods = [1, 2, 3].map(number =>
    flood(t, crew, FLOOD_COUNT / 3, count => {
      if (number === 1 && count === 200) process.kill(pid, 'SIGKILL')
    }),
  )
  const ids = (await Promise.all(floods)).flat()
  const last = ids.reduce((one, other) => (seqOf(one) > seqOf(other) ? one : other))
  for (const stream of survivors) {
    const got = await idsUpTo(stream, last)
    t.same(
      got.map(seqOf),
      got.map((_, at) => seqOf(got[0] ?? '') + at),
      'in order, without a hole or a repeat',
    )
    const known = new Set(got)
    t.same(
      ids.filter(id => !known.has(id)),
      [],
      'all that was acknowledged',
    )
  }
  t.not(await victim.stream.readToEnd(), '')
  t.match(await crew.program.event('worker.died'), { worker: 1, pid, reason: 'SIGKILL' })
  await crew.program.event('worker.ready', 3)
  t.not(pidOf(crew, 1), pid)
  const { stream } = await subscribeOn(await connectTo(t, crew, 1), '/msgbus/flood', [
    `Last-Event-ID: ${ids[0]}`,
  ])
  const id = await publishOn(await connectTo(t, crew, 2), '/msgbus/flood', 'after')
  t.equal((await idsUpTo(stream, id)).at(-1), id, 'the new one has everything')
})

await t.test('workers that all die are replaced at the same address', async t => {
  const crew = await startCrew(t)
  await publishOn(await connectTo(t, crew, 1), '/msgbus/a', 'before')
  for (const worker of [1, 2]) process.kill(pidOf(crew, worker), 'SIGKILL')
  await crew.program.event('worker.ready', 4)
  const reader = await connectTo(t, crew, 2)
  t.match((await askOn(reader, 'GET', '/msgbus/a?poll&as=ndjson&since=all')).body, '"body":"before"')
})

await t.test('it ends with one line when all workers died and their port is gone', async t => {
  const crew = await startCrew(t)
  for (const worker of [1, 2]) process.kill(pidOf(crew, worker), 'SIGKILL')
  await crew.program.event('worker.died', 2)
  const thief = createServer()
  t.teardown(() => {
    thief.close()
  })
  thief.listen(crew.port, '127.0.0.1')
  await once(thief, 'listening')
  const { code, stderr } = await crew.program.exit()
  t.equal(code, 1)
  const last = stderr.trim().split('\n').at(-1)
  t.equal(last, `msgbus: Cannot listen on 127.0.0.1:${crew.port}: something else listens there (EADDRINUSE)`)
})

await t.test('a worker that keeps dying is replaced later each time', async t => {
  const crew = await startCrew(t)
  for (const round of [1, 2]) {
    process.kill(pidOf(crew, 1), 'SIGKILL')
    await crew.program.event('worker.ready', 2 + round)
  }
  const [first = 0, second = 0] = crew.program.events('worker.died').map(({ waitMs }) => Number(waitMs))
  t.same([first, second], [1000, 2000])
})

await t.test('nothing is left when the primary is killed', async t => {
  const crew = await startCrew(t)
  const { stream } = await subscribeOn(await connectTo(t, crew, 1), '/msgbus/a')
  const pids = [1, 2].map(worker => pidOf(crew, worker))
  t.same(childrenOf(crew.program.pid).toSorted(), pids.toSorted())
  crew.program.child.kill('SIGKILL')
  t.match(await crew.program.exit(), { signal: 'SIGKILL' })
  await stream.readToEnd()
  await until(() => !pids.some(isAlive))
})

await t.test('SIGTERM ends streams at all workers in good order, and then the program', async t => {
  const crew = await startCrew(t, ['--drain', '1h'])
  const streams = []
  for (const worker of [1, 2]) streams.push(await subscribeOn(await connectTo(t, crew, worker), '/msgbus/a'))
  const idle = await connectTo(t, crew, 1)
  const pids = [1, 2].map(worker => pidOf(crew, worker))
  crew.program.child.kill('SIGTERM')
  for (const { stream, boundary } of streams) {
    t.match(await stream.readToEnd(), new RegExp(`--${boundary}--\r\n\r\n0\r\n\r\n$`))
  }
  t.equal(await idle.readToEnd(), '')
  t.match(await crew.program.exit(), { code: 0, signal: null })
  t.notOk(pids.some(isAlive))
  t.same(crew.program.events('worker.died'), [])
})

await t.test('an upload at a worker is finished and kept when the program is told to stop', async t => {
  const crew = await startCrew(t, ['--drain', '1h'])
  const upload = await connectTo(t, crew, 2)
  upload.send('POST /msgbus/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: a/b\r\nContent-Length: 10\r\n')
  upload.send('Expect: 100-continue\r\n\r\n')
  t.equal((await upload.readHead()).status, 100)
  upload.send('12345')
  crew.program.child.kill('SIGTERM')
  await crew.program.event('process.stopping')
  upload.send('67890')
  t.match(await upload.readHead(), { status: 204 })
  t.match(await crew.program.exit(), { code: 0, signal: null })
})

await t.test('a worker that stopped is cut off when the drain time is over', async t => {
  const crew = await startCrew(t, ['--drain', '200ms'])
  process.kill(pidOf(crew, 1), 'SIGSTOP')
  crew.program.child.kill('SIGTERM')
  t.match(await crew.program.exit(), { code: 0, signal: null })
})

await t.test('a worker that takes nothing during a flood is replaced, and the others go on', async t => {
  const crew = await startCrew(t)
  const publisher = await connectTo(t, crew, 2)
  process.kill(pidOf(crew, 1), 'SIGSTOP')
  const body = 'x'.repeat(1024 * 1024)
  for (let count = 0; crew.program.events('worker.stuck').length === 0; count++) {
    await publishOn(publisher, '/msgbus/big', body)
    if (count > 200) throw new Error('Cannot go on: 200 MiB wait for a worker that takes nothing')
  }
  t.match(await crew.program.event('worker.stuck'), { worker: 1 })
  t.match(await crew.program.event('worker.died'), { worker: 1, reason: 'SIGKILL' })
  await crew.program.event('worker.ready', 3)
  await publishOn(await connectTo(t, crew, 1), '/msgbus/big', 'after')
})

await t.test('SIGHUP gives all workers, and those that come later, the new certificate', async t => {
  const folder = t.testdir({ 'cert.pem': certificate('a') })
  const crew = await startCrew(t, ['-P', '0', '-c', `${folder}/cert.pem`])
  const port = await crew.program.port(1)
  const commonNames = async (): Promise<readonly string[]> => {
    const names: string[] = []
    for (let count = 0; count < 4; count++) {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      names.push(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    }
    return names
  }
  t.same(new Set(await commonNames()), new Set(['msgbus test a']))
  writeFileSync(`${folder}/cert.pem`, certificate('b'))
  crew.program.child.kill('SIGHUP')
  await crew.program.event('process.reloaded')
  await until(async () => (await commonNames()).every(name => name === 'msgbus test b'))
  process.kill(pidOf(crew, 1), 'SIGKILL')
  await crew.program.event('worker.ready', 3)
  t.same(new Set(await commonNames()), new Set(['msgbus test b']))
})

await t.test('with another user no worker stays root, and one that is replaced can listen', async t => {
  if (!isRoot) {
    t.pass('only root can become another user')
    return
  }
  const crew = await startCrew(t, ['-u', 'nobody'])
  process.kill(pidOf(crew, 2), 'SIGKILL')
  await crew.program.event('worker.ready', 3)
  await publishOn(await connectTo(t, crew, 2), '/msgbus/a', 'hello')
  for (const pid of [crew.program.pid, pidOf(crew, 1), pidOf(crew, 2)]) {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    t.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m)
    t.match(status, /^Gid:\t65534\t65534\t65534\t65534$/m)
  }
})

await t.test('a signal to the whole group while workers start is followed, and is no failure', async t => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const program = startProgram(t, ['-p', '0', '--workers', '2'])
    await until(() => childrenOf(program.pid).length > 0)
    const born = childrenOf(program.pid)
    // Before its children, as the system does it.
    for (const pid of [program.pid, ...born]) process.kill(pid, signal)
    const { code, stderr } = await program.exit()
    t.match({ code, stderr }, { code: 0, stderr: '' }, signal)
    t.same(
      born.filter(pid => isAlive(pid)),
      [],
    )
  }
})

await t.test('what keeps workers from starting is said once, in one line', async t => {
  const port = await occupyPort(t)
  const exit = await startProgram(t, ['-p', `${port}`, '--workers', '3']).exit()
  t.equal(exit.code, 1)
  t.equal(exit.stdout, '')
  const line = `msgbus: Cannot listen on 127.0.0.1:${port}: something else listens there (EADDRINUSE)\n`
  t.equal(exit.stderr.replace(/^\{.*"worker\.many"\}\n/, ''), line)
})

await t.test('a number of workers that is none ends it with 78 and one line', async t => {
  for (const count of ['0', '-1', '1.5', 'two', '', '257']) {
    const exit = await startProgram(t, ['-p', '0', `--workers=${count}`]).exit()
    t.match(exit, { code: 78, stdout: '', stderr: /^msgbus: command line: "workers": expected .+\n$/ }, count)
  }
})

await t.test('more workers than the machine has cores are allowed, with one line of warning', async t => {
  const workers = availableParallelism() + 1
  const program = startProgram(t, ['-p', '0', '--workers', `${workers}`])
  await program.urls()
  const lines = program.stderr.trim().split('\n')
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0] ?? ''), { msg: 'worker.many', workers, cores: workers - 1 })
  t.equal(childrenOf(program.pid).length, workers)
})

await t.test('one worker is one process', async t => {
  const program = startProgram(t, ['-p', '0', '--workers', '1'])
  await program.urls()
  t.same(childrenOf(program.pid), [])
})
