import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import t from 'tap'
import { needs } from './needs.ts'
import { occupyPort, startProgram } from './program.ts'
import { subscribe } from './wire/server.ts'

const NOBODY = 65534
const isRoot = process.getuid?.() === 0
const hasIpv6 = Object.values(networkInterfaces()).some(list =>
  list?.some(({ address }) => address === '::1'),
)

await t.test('help and version go to stdout and end well', async t => {
  const help = await startProgram(t, ['-p', 'nonsense', '--help']).exit()
  t.match(help, { code: 0, stderr: '', stdout: /^Usage: msgbus/ })
  const version = await startProgram(t, ['--version']).exit()
  t.match(version, { code: 0, stderr: '', stdout: /^msgbus \d+\.\d+\.\d+\S*\n$/ })
})

await t.test('a wrong configuration ends with 78 and one line, before anything is opened', async t => {
  const port = await occupyPort(t)
  for (const wrong of [
    ['--nope'],
    ['--heartbeat', '5'],
    ['-c', '/nowhere'],
    ['--config', '/nowhere'],
    ['word'],
  ]) {
    const exit = await startProgram(t, ['-p', `${port}`, ...wrong]).exit()
    t.match(exit, { code: 78, stdout: '', stderr: /^msgbus: command line: [^\n]+\n$/ }, wrong.join(' '))
  }
  const env = { MSGBUS_PASSWORD: '' }
  t.match(await startProgram(t, ['-p', `${port}`], { env }).exit(), {
    code: 78,
    stderr: /^msgbus: environment: /,
  })
})

await t.test('the line it greets with publishes', async t => {
  if (!needs(t, 'curl')) return
  const program = startProgram(t, ['-p', '0'])
  const reader = await subscribe(t, { port: await program.port() }, '/msgbus/chatdemo')
  const line = program.stdout.trim().split('\n').at(-1) ?? ''
  execFileSync('sh', ['-c', line], { stdio: 'ignore' })
  t.match(await reader.readChunk(), /Content-Type: text\/plain\r\n[^]*\r\nhello\r\n/)
  t.equal(program.stderr, '')
})

await t.test('it greets with addresses that can be connected to', async t => {
  const args = ['-l', '0.0.0.0', '-p', '0', '--listen', '127.0.0.1:0=native']
  const program = startProgram(t, hasIpv6 ? [...args, '--listen', '[::]:0'] : args)
  const urls = await program.urls()
  t.equal(urls.length, hasIpv6 ? 3 : 2)
  t.match(urls[0], /^http:\/\/127\.0\.0\.1:\d+$/)
  t.match(program.stdout, /^ {2}bus {4}http:\/\/127\.0\.0\.1:\d+\/msgbus\/ {2}\(and at every other address/m)
  t.match(program.stdout, /^ {2}bus {4}http:\/\/127\.0\.0\.1:\d+\/$/m)
  for (const [at, url] of urls.entries()) {
    const answer = await fetch(`${url}/${at === 1 ? '' : 'msgbus/'}a`, { method: 'HEAD' })
    t.equal(answer.status, 200, url)
  }
})

await t.test('it names the pages of a document root, and asks for a password where there is one', async t => {
  const root = t.testdir({ 'index.html': 'hello' })
  const program = startProgram(t, ['-p', '0', '-d', root, '-s', 'hunter2'])
  await program.urls()
  const [, page = ''] = /^ {2}pages {2}(\S+\/)$/m.exec(program.stdout) ?? []
  t.match(program.stdout, /^ {2}curl -u me -H /m)
  const headers = { Authorization: `Basic ${btoa('me:hunter2')}` }
  t.equal(await (await fetch(page, { headers })).text(), 'hello')
  t.equal((await fetch(page)).status, 401)
})

await t.test('a port in use ends it with 1 and one line that names it', async t => {
  const port = await occupyPort(t)
  const exit = await startProgram(t, ['-p', `${port}`]).exit()
  t.match(exit, { code: 1, stdout: '' })
  t.equal(
    exit.stderr,
    `msgbus: Cannot listen on 127.0.0.1:${port}: something else listens there (EADDRINUSE)\n`,
  )
})

await t.test('so does an IPv6 port in use', { skip: !hasIpv6 && 'no IPv6' }, async t => {
  const port = await occupyPort(t, '::1')
  const exit = await startProgram(t, ['-p', '0', '--listen', `[::1]:${port}`]).exit()
  t.match(exit, { code: 1, stdout: '' })
  t.match(exit.stderr, new RegExp(`^msgbus: Cannot listen on \\[::1\\]:${port}: [^\n]+ \\(EADDRINUSE\\)\n$`))
})

await t.test('so does an address that is not of this machine', async t => {
  // [RFC 5737] TEST-NET-1
  const exit = await startProgram(t, ['-l', '192.0.2.1', '-p', '0', '-s', 'x']).exit()
  t.match(exit, {
    code: 1,
    stdout: '',
    stderr: /^msgbus: Cannot listen on 192\.0\.2\.1:0: [^\n]+\(EADDRNOTAVAIL\)\n$/,
  })
})

await t.test(
  'so does a port that is not allowed',
  { skip: !arePortsKept() && 'low ports are free here' },
  async t => {
    const exit = await startProgram(t, ['-p', '1'], isRoot ? { uid: NOBODY } : {}).exit()
    t.match(exit, {
      code: 1,
      stdout: '',
      stderr: /^msgbus: Cannot listen on 127\.0\.0\.1:1: [^\n]+\(EACCES\)\n$/,
    })
  },
)

function arePortsKept(): boolean {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1')) > 1
  } catch {
    return false
  }
}
