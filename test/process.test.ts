import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { descriptorLimit, UserError } from '../src/process.ts'
import { occupyPort, startProgram } from './program.ts'
import { ask } from './wire/server.ts'

const isRoot = process.getuid?.() === 0
const hasProc = existsSync('/proc/self/limits')
const nobody = spawnSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).stdout.split(':')
const [uid, gid] = [Number(nobody[2]), Number(nobody[3])]

// Nobody in the tests waits for a program to become somebody if it cannot.
const cannotDrop =
  (!isRoot && 'not root') || (!hasProc && 'no /proc') || (Number.isNaN(uid) && 'no user nobody')

function statusOf(pid: number, field: string): readonly number[] {
  const [, values = ''] =
    new RegExp(`^${field}:(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
  return values
    .trim()
    .split(/\s+/)
    .filter(value => value !== '')
    .map(Number)
}

await t.test('the limit of descriptors is a number that allows more than those in use', t => {
  t.ok(descriptorLimit() > 3)
  t.end()
})

await t.test(
  'with few descriptors it takes fewer connections, and says so once',
  { skip: !hasProc },
  async t => {
    const before = 'ulimit -Sn 64; ulimit -Hn 512'
    const program = startProgram(t, ['-p', '0'], { before })
    const server = { port: await program.port() }
    t.match(readFileSync(`/proc/${program.pid}/limits`, 'latin1'), /^Max open files +512 +512 /m)
    t.match(await program.event('conn.lowered'), { level: 40, maxConnections: 384, wanted: 16384 })
    t.equal(program.stderr.split('\n').length, 2)
    t.equal((await ask(t, server, 'HEAD', '/msgbus/a')).status, 200)

    const modest = startProgram(t, ['-p', '0', '--max-connections', '384'], { before })
    await modest.urls()
    modest.child.kill('SIGTERM')
    t.match(await modest.exit(), { code: 0, stderr: '' })
  },
)

await t.test(
  'as root it becomes the user it is told, by name or number, for good',
  { skip: cannotDrop },
  async t => {
    // What a shell of root would bring along.
    const nodeFlags = ['--import', 'data:text/javascript,process.setgroups([0, 4242])']
    for (const user of ['nobody', `${uid}`]) {
      const program = startProgram(t, ['-p', '0', '-u', user], { nodeFlags })
      const server = { port: await program.port() }
      // Real, effective, saved and that of the file system.
      t.same(statusOf(program.pid, 'Uid'), [uid, uid, uid, uid])
      t.same(statusOf(program.pid, 'Gid'), [gid, gid, gid, gid])
      const groups = statusOf(program.pid, 'Groups')
      t.notOk(groups.includes(0) || groups.includes(4242))
      t.match(readFileSync(`/proc/${program.pid}/status`, 'latin1'), /^CapEff:\s0+$/m)
      t.equal((await ask(t, server, 'HEAD', '/msgbus/a')).status, 200)
      program.child.kill('SIGTERM')
      t.match(await program.exit(), { code: 0, stderr: '' })
    }
  },
)

await t.test('as root it opens a port below 1024 before it becomes nobody', { skip: cannotDrop }, async t => {
  // An address that nothing else is likely to use.
  const program = startProgram(t, ['-l', '127.77.0.1', '-p', '1', '-s', 'x', '-u', 'nobody'])
  t.same(await program.urls(), ['http://127.77.0.1:1'])
  t.same(statusOf(program.pid, 'Uid'), [uid, uid, uid, uid])
})

await t.test(
  'an unknown user ends it with 77 and one line, before anything is opened',
  { skip: !isRoot },
  async t => {
    const port = await occupyPort(t)
    for (const user of ['nobody-of-that-name', '4294967294']) {
      const exit = await startProgram(t, ['-p', `${port}`, '-u', user]).exit()
      t.match(exit, { code: 77, stdout: '' }, user)
      t.equal(exit.stderr, `msgbus: Cannot become user "${user}": there is no such user\n`)
    }
  },
)

await t.test('without root it cannot become another user, and says so in one line', async t => {
  const port = await occupyPort(t)
  const exit = await startProgram(t, ['-p', `${port}`, '-u', 'root'], isRoot ? { uid: 65534 } : {}).exit()
  t.match(exit, { code: 77, stdout: '' })
  t.equal(exit.stderr, 'msgbus: Cannot become user "root": only root can become another user\n')
})

await t.test('the error names the user and the reason', t => {
  t.equal(new UserError('x', 'why not').message, 'Cannot become user "x": why not')
  t.end()
})
