// Whatever is wrong with the server or the command line, both tools end with one line that says what, and a code that
// is not 0: no stack, and no silence.

import { existsSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { Command } from '../command.ts'
import { occupyPort } from '../program.ts'
import { start } from '../wire/server.ts'
import { listen, PUB, serveText, SUB } from './tool.ts'

/** Every way in which a tool talks to a server. */
const CALLS = [
  [SUB, []],
  [PUB, ['--count', '3', '-r', 'max']],
  [PUB, ['--count', '3', '-r', 'max', '--streamed']],
] as const

async function fails(t: Test, args: readonly string[], expected: RegExp, code = 1): Promise<void> {
  for (const [tool, own] of CALLS) {
    const ending = await new Command(t, process.execPath, [tool, ...own, ...args]).ended()
    const name = `${tool.replace(/.*\//, '')} ${[...own, ...args].join(' ')}`
    t.equal(ending.code, code, name)
    t.equal(ending.stdout, '', name)
    t.match(ending.stderr, /^test-(?:sub|pub): [^\n]+\n$/, name)
    t.match(ending.stderr, expected, name)
  }
}

await t.test('an option that there is none of is named', async t => {
  await fails(t, ['--rates', '1e9'], /"--rates": there is none of that name\n$/, 64)
})

await t.test('a report that cannot be written is told', { skip: !existsSync('/dev/full') }, async t => {
  const server = await start(t)
  const shell = 'exec "$@" > /dev/full'
  for (const [tool, args] of [
    [PUB, ['-p', `${server.port}`, '--count', '1', '-r', 'max']],
    [SUB, ['--help']],
  ] as const) {
    const ending = await new Command(t, 'sh', ['-c', shell, 'sh', process.execPath, tool, ...args]).ended()
    t.equal(ending.code, 1)
    t.match(ending.stderr, /^test-(?:pub|sub): Cannot write the report to stdout: ENOSPC\n$/)
  }
})

await t.test('a port on which nobody listens', async t => {
  const server = await start(t)
  await server.server.close(0)
  await fails(
    t,
    ['-p', `${server.port}`],
    /"http:\/\/127\.0\.0\.1:\d+": nobody listens there \(ECONNREFUSED\)\n$/,
  )
})

await t.test('a password that is missing, or that is wrong and is not shown', async t => {
  const { port } = await start(t, { password: 's3cret' })
  const expected = /\/msgbus\/flood": the server answered 401 Unauthorized \(MSGBUS_PASSWORD: [^)]+\)\n$/
  await fails(t, ['-p', `${port}`], expected)
  const wrong = [SUB, '-l', `http://bob:wr0ng@127.0.0.1:${port}`]
  const ending = await new Command(t, process.execPath, wrong).ended()
  t.match(ending, { code: 1, stderr: expected })
  t.notMatch(ending.stderr, /wr0ng/)
  const right = [PUB, '-p', `${port}`, '-u', 'bob', '--count', '1']
  const env = { MSGBUS_PASSWORD: 's3cret' }
  t.equal((await new Command(t, process.execPath, right, { env }).ended()).code, 0)
})

await t.test('a server of pages', async t => {
  const port = await listen(
    t,
    createHttpServer((req, res) => {
      req.resume()
      res.setHeader('Content-Type', 'text/html')
      res.end('<h1>hello</h1>')
    }),
  )
  await fails(t, ['-p', `${port}`], /the server answered.* with "text\/html"/)
})

await t.test('a server that speaks something else, or no TLS', async t => {
  const other = await serveText(t, 'SSH-2.0-OpenSSH_9.2\r\n')
  await fails(t, ['-p', `${other}`], /the server does not speak HTTP: it sent "SSH-2\.0-OpenSSH_9\.2\.\."\n$/)
  const { port } = await start(t)
  await fails(t, ['-s', '-p', `${port}`], /the server does not speak TLS there/)
})

await t.test('a server that says nothing, or closes without a word', async t => {
  const silent = await listen(t, createServer(), socket => {
    socket.resume()
  })
  await fails(t, ['-p', `${silent}`, '--timeout', '200ms'], /no answer within 0\.2 s/)
  const closing = await serveText(t, '', true)
  await fails(t, ['-p', `${closing}`], /the server closed the connection/)
})

await t.test('a command line that is wrong', async t => {
  await fails(t, ['-l', 'ftp://host/'], /command line: "address": expected an http or https URL/, 64)
})

await t.test('a limit of open files that is too low is named before anything is opened', async t => {
  const port = await occupyPort(t)
  const script = 'ulimit -n 64; exec "$@"'
  const args = ['-c', script, 'sh', process.execPath, SUB, '-p', `${port}`, '-n', '100']
  const ending = await new Command(t, '/bin/sh', args).ended()
  const expected =
    'test-sub: Cannot open 100 connections: this process may have 64 files open, 140 are needed (ulimit -n 140)\n'
  t.match(ending, { code: 1, stdout: '', stderr: expected })
})

await t.test('help wins over faults, and goes to stdout', async t => {
  for (const tool of [SUB, PUB]) {
    const ending = await new Command(t, process.execPath, [tool, '--help', '--frob']).ended()
    t.match(ending, { code: 0, stdout: /^Usage: test-(?:sub|pub) \[OPTION\]\.\.\.\n/, stderr: '' })
  }
})
