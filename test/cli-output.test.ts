import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { startProgram } from './program.ts'
import { ask, publish, subscribe } from './wire/server.ts'

const hasProc = existsSync('/proc/self/cmdline')

await t.test('the password is in no output and in no list of processes', { skip: !hasProc }, async t => {
  const program = startProgram(t, ['-p', '0', '-s', 'hunter2', '-vvv', '-l', '0.0.0.0'])
  const server = { port: await program.port() }
  const commandLine = readFileSync(`/proc/${program.pid}/cmdline`, 'latin1')
  t.match(commandLine, /^msgbus\0*$/)
  const headers = [`Authorization: Basic ${btoa('me:hunter2')}`, 'Content-Type: text/plain']
  t.equal((await ask(t, server, 'POST', '/msgbus/a', { headers, body: 'x' })).status, 204)
  t.equal((await ask(t, server, 'POST', '/msgbus/a', { headers: headers.slice(1), body: 'x' })).status, 401)
  program.child.kill('SIGTERM')
  const { stdout, stderr } = await program.exit()
  t.notOk(/hunter2|aHVudGVyM/.test(stdout + stderr))
})

await t.test('a bus that others can reach without a password is warned about in one line', async t => {
  const open = startProgram(t, [
    '-l',
    '0.0.0.0',
    '-p',
    '0',
    '--listen',
    '0.0.0.0:0',
    '--listen',
    '127.0.0.1:0',
  ])
  await open.urls()
  const line = await open.event('open.bus')
  t.match(line, {
    level: 40,
    text: /WARNING: no password/,
    urls: /^http:\/\/0\.0\.0\.0:\d+ http:\/\/0\.0\.0\.0:\d+$/,
  })
  t.equal(open.stderr.split('\n').length, 2)
  t.equal((await ask(t, { port: await open.port() }, 'HEAD', '/msgbus/a')).status, 200)

  for (const args of [['-l', '0.0.0.0', '-s', 'x'], ['-l', '127.0.0.2'], []]) {
    const program = startProgram(t, ['-p', '0', ...args])
    await program.urls()
    program.child.kill('SIGTERM')
    t.equal((await program.exit()).stderr, '', args.join(' '))
  }
})

await t.test('each -v tells more: readers, documents, publishes', async t => {
  const root = t.testdir({ 'page.html': 'hello' })
  const told: string[][] = []
  for (const verbosity of [[], ['-v'], ['-vv'], ['-vvv']]) {
    const program = startProgram(t, ['-p', '0', '-d', root, ...verbosity])
    const server = { port: await program.port() }
    const reader = await subscribe(t, server, '/msgbus/a?sender=me')
    await publish(t, server, '/msgbus/a', 'x')
    await ask(t, server, 'GET', '/page.html')
    await ask(t, server, 'GET', '/none')
    program.child.kill('SIGTERM')
    await reader.readToEnd()
    await program.exit()
    told.push(['sub', 'unsub', 'doc', 'pub'].filter(name => program.events(name).length > 0))
    if (verbosity[0] !== '-vvv') continue
    t.match(program.events('sub'), [
      { level: 30, peer: '127.0.0.1', user: null, channel: 'a', filter: 'sender=me' },
    ])
    t.match(program.events('pub'), [{ level: 10, channel: 'a', type: 'text/plain', byteCount: 1 }])
    const documents = [
      { level: 20, peer: '127.0.0.1', method: 'GET', path: '/page.html', status: 200 },
      { path: '/none', status: 404 },
    ]
    t.match(program.events('doc'), documents)
  }
  t.same(told, [[], ['sub', 'unsub'], ['sub', 'unsub', 'doc'], ['sub', 'unsub', 'doc', 'pub']])
})

await t.test('it goes on when nobody takes its output any more', async t => {
  const program = startProgram(t, ['-p', '0', '-vvv'])
  const server = { port: await program.port() }
  const outputs = [program.child.stdout, program.child.stderr]
  const closed = Promise.all(outputs.map(output => once(output, 'close')))
  for (const output of outputs) output.destroy()
  await closed
  const reader = await subscribe(t, server, '/msgbus/a')
  for (const text of ['one', 'two', 'three']) {
    await publish(t, server, '/msgbus/a', text)
    t.match(await reader.readChunk(), text)
  }
  program.child.kill('SIGTERM')
  t.match(await program.exit(), { code: 0, signal: null })
})

await t.test('it goes on when nobody takes its greeting', async t => {
  const program = startProgram(t, ['-l', '0.0.0.0', '-p', '0'])
  program.child.stdout.destroy()
  const { urls } = await program.event('open.bus')
  const server = { port: Number(new URL(String(urls)).port) }
  t.equal((await ask(t, server, 'HEAD', '/msgbus/a')).status, 200)
  program.child.kill('SIGTERM')
  t.match(await program.exit(), { code: 0, signal: null })
})

await t.test('it starts and goes on with its output closed', { skip: !hasProc }, async t => {
  const program = startProgram(t, ['-p', '0', '-vvv'], { redirect: '2>&-' })
  const server = { port: await program.port() }
  const reader = await subscribe(t, server, '/msgbus/a')
  await publish(t, server, '/msgbus/a', 'hello')
  t.match(await reader.readChunk(), 'hello')
  program.child.kill('SIGTERM')
  t.match(await program.exit(), { code: 0, signal: null, stderr: '' })

  const silent = startProgram(t, ['-p', '1', '-l', '192.0.2.1'], { redirect: '>&- 2>&-' })
  t.match(await silent.exit(), { code: 1 })
})

await t.test('a fault of its own is logged with its stack and ends it with 70', async t => {
  const fault = `process.on('SIGUSR2', () => { throw new Error('a fault\\nin two lines') })`
  const nodeFlags = ['--import', `data:text/javascript,${encodeURIComponent(fault)}`]
  const program = startProgram(t, ['-p', '0'], { nodeFlags })
  const reader = await subscribe(t, { port: await program.port() }, '/msgbus/a')
  program.child.kill('SIGUSR2')
  const exit = await program.exit()
  t.match(exit, { code: 70, signal: null })
  t.match(program.events('process.fault'), [{ level: 50, error: /^Error: a fault \| in two lines \| at \S/ }])
  t.equal(exit.stderr.split('\n').length, 2)
  t.equal(await reader.readToEnd(), '')
})

await t.test('so does a rejection that nobody handles', async t => {
  const fault = `process.on('SIGUSR2', () => { Promise.reject(new Error('forgotten')) })`
  const nodeFlags = ['--import', `data:text/javascript,${encodeURIComponent(fault)}`]
  const program = startProgram(t, ['-p', '0'], { nodeFlags })
  await program.urls()
  program.child.kill('SIGUSR2')
  t.match(await program.exit(), { code: 70, stderr: /"error":"Error: forgotten \| at / })
})
