import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import t, { type Test } from 'tap'
import { type Program, startProgram } from './program.ts'
import { ask, chunk, connect, get, publish, requestText, subscribe } from './wire/server.ts'

// Only what waits for nothing ends within the time of a test.
const NEVER = ['--drain', '1h', '--write-timeout', '1h', '--keep-alive', '1h', '--headers-timeout', '1h']

/** A reader whose connection has taken all it can, with messages waiting behind. */
async function stall(t: Test, program: Program): Promise<void> {
  const server = { port: await program.port() }
  const reader = await subscribe(t, server, '/msgbus/big')
  reader.socket.pause()
  const body = 'x'.repeat(1024 * 1024)
  // More than the buffers of a loopback connection hold.
  for (let count = 0; count < 16; count++) await publish(t, server, '/msgbus/big', body)
}

await t.test('SIGTERM and SIGINT end streams in good order, and then the program', async t => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const program = startProgram(t, ['-p', '0', ...NEVER])
    const server = { port: await program.port() }
    const { stream, head } = await get(t, server, '/msgbus/a')
    const boundary = /boundary=(\w+)$/.exec(head.headers.get('content-type') ?? '')?.[1] ?? ''
    t.equal(await stream.readChunk(), `--${boundary}\r\n`)
    const old = await get(t, server, '/msgbus/a', { version: '1.0' })
    t.equal(await old.stream.readThrough('\r\n'), `--${boundary}\r\n`)
    program.child.kill(signal)
    t.equal(await stream.readToEnd(), `${chunk(`--${boundary}--\r\n`)}0\r\n\r\n`)
    t.equal(await old.stream.readToEnd(), `--${boundary}--\r\n`)
    t.match(await program.exit(), { code: 0, signal: null, stderr: '' }, signal)
  }
})

await t.test('SIGTERM does not wait for connections that ask for nothing', async t => {
  const program = startProgram(t, ['-p', '0', ...NEVER])
  const server = { port: await program.port() }
  const silent = await connect(t, server)
  const idle = await connect(t, server)
  idle.send(requestText('HEAD', '/msgbus/a'))
  await idle.readHead()
  program.child.kill('SIGTERM')
  t.equal(await silent.readToEnd(), '')
  t.equal(await idle.readToEnd(), '')
  t.match(await program.exit(), { code: 0, signal: null })
})

await t.test('SIGTERM lets an upload finish, and takes no new connection', async t => {
  const program = startProgram(t, ['-p', '0', '-v', ...NEVER])
  const server = { port: await program.port() }
  const upload = await connect(t, server)
  const headers = ['Content-Type: text/plain', 'Content-Length: 10', 'Expect: 100-continue']
  upload.send(requestText('POST', '/msgbus/a', { headers }))
  t.equal((await upload.readHead()).status, 100)
  upload.send('12345')
  program.child.kill('SIGTERM')
  await program.event('process.stopping')
  const late = connectTcp(server.port, '127.0.0.1')
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED')
  upload.send('67890')
  t.equal((await upload.readHead()).status, 204)
  t.equal(await upload.readToEnd(), '')
  t.match(await program.exit(), { code: 0, signal: null })
})

await t.test('a reader that takes nothing is cut off when the drain time is over', async t => {
  const program = startProgram(t, ['-p', '0', ...NEVER, '--max-backlog', '100MB', '--drain', '200ms'])
  await stall(t, program)
  program.child.kill('SIGTERM')
  t.match(await program.exit(), { code: 0, signal: null })
})

await t.test('a second SIGTERM ends it at once', async t => {
  const program = startProgram(t, ['-p', '0', '-v', ...NEVER, '--max-backlog', '100MB'])
  await stall(t, program)
  program.child.kill('SIGTERM')
  await program.event('process.stopping')
  program.child.kill('SIGTERM')
  t.match(await program.exit(), { code: 0, signal: null })
})

await t.test('SIGHUP without a certificate changes nothing', async t => {
  const program = startProgram(t, ['-p', '0', '-v'])
  const server = { port: await program.port() }
  program.child.kill('SIGHUP')
  await program.event('process.reloaded')
  t.equal((await ask(t, server, 'HEAD', '/msgbus/a')).status, 200)
})
