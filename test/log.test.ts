import { execFileSync } from 'node:child_process'
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import t, { type Test } from 'tap'
import {
  describeFault,
  type Log,
  type LogFields,
  type LogLevel,
  openLog,
  rationed,
  silentLog,
} from '../src/log.ts'

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug', 'trace']

function openFile(t: Test): {
  readonly fd: number
  readonly lines: () => readonly Record<string, unknown>[]
} {
  const path = `${t.testdir()}/log`
  const fd = openSync(path, 'a')
  t.teardown(() => {
    closeSync(fd)
  })
  const lines = () => readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return { fd, lines: () => lines().map(line => JSON.parse(line) as Record<string, unknown>) }
}

await t.test('each verbosity lets one more level through', t => {
  for (const [verbosity, count] of [2, 3, 4, 5, 5].entries()) {
    const { fd, lines } = openFile(t)
    const log = openLog(verbosity, fd)
    for (const level of LEVELS) log.write(level, level)
    const expected = LEVELS.slice(0, count)
    t.same(
      lines().map(({ msg }) => msg),
      expected,
    )
    t.same(
      LEVELS.filter(level => log.isEnabled(level)),
      expected,
    )
  }
  t.end()
})

await t.test('a line is one object with level, time, fields and event', t => {
  const { fd, lines } = openFile(t)
  openLog(0, fd).write('warn', 'conn.limit', { peer: '127.0.0.1', count: 1, isTls: false, user: null })
  const [line = {}] = lines()
  t.same(Object.keys(line), ['level', 'time', 'peer', 'count', 'isTls', 'user', 'msg'])
  t.match(line, { level: 40, peer: '127.0.0.1', count: 1, isTls: false, user: null, msg: 'conn.limit' })
  t.end()
})

await t.test('what a terminal would obey or show wrongly is written as digits', t => {
  const { fd, lines } = openFile(t)
  openLog(0, fd).write('warn', 'x', { channel: 'a\r\n\x1b[2J\u202egnp.exe\x7f\ud83d\ude00 ~' })
  t.equal(lines()[0]?.channel, 'a\\u000d\\u000a\\u001b[2J\\u202egnp.exe\\u007f\\ud83d\\ude00 ~')
  t.end()
})

await t.test('a field ends after 256 characters, a fault after 4096', t => {
  const { fd, lines } = openFile(t)
  const long = 'x'.repeat(10_000)
  openLog(0, fd).write('error', 'x', { channel: long, error: long })
  t.match(lines()[0], { channel: 'x'.repeat(256), error: 'x'.repeat(4096) })
  t.equal(`${lines()[0]?.channel as string}${lines()[0]?.error as string}`.length, 256 + 4096)
  t.end()
})

await t.test('a full disk is no error, and lost lines are told', { skip: !existsSync('/dev/full') }, t => {
  const fd = openSync('/dev/full', 'w')
  const log = openLog(3, fd)
  t.doesNotThrow(() => {
    for (let count = 0; count < 3; count++) log.write('warn', 'x')
  })
  closeSync(fd)
  t.doesNotThrow(() => {
    log.write('warn', 'x')
  }, 'a descriptor that is closed')
  t.end()
})

await t.test('a pipe that nobody reads does not hold it up, and what was lost is told later', t => {
  const path = `${t.testdir()}/pipe`
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  t.teardown(() => {
    for (const fd of [reader, writer]) closeSync(fd)
  })
  const log = openLog(0, writer)
  const fill = 'x'.repeat(4095)
  t.throws(
    () => {
      for (;;) writeSync(writer, `${fill}\n`)
    },
    { code: 'EAGAIN' },
  )
  for (let count = 0; count < 3; count++) log.write('warn', 'lost')
  const bytes = Buffer.alloc(1024 * 1024)
  t.ok(readSync(reader, bytes) > 0)
  log.write('warn', 'told', { peer: 'a' })
  log.write('warn', 'next')
  const lines = bytes.toString('latin1', 0, readSync(reader, bytes)).split('\n')
  t.match(JSON.parse(lines[0] ?? ''), { msg: 'told', peer: 'a', lostCount: 3 })
  t.notMatch(lines[1], /lostCount/)
  t.end()
})

await t.test('a line that was cut in the middle does not spoil the next one', t => {
  const path = `${t.testdir()}/pipe`
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  t.teardown(() => {
    for (const fd of [reader, writer]) closeSync(fd)
  })
  const log = openLog(0, writer)
  const bytes = Buffer.alloc(1024 * 1024)
  // A pipe takes more than a page in pieces. Forty of these lines are more than it holds.
  const fields = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`f${at}`, 'x'.repeat(256)]))
  for (let count = 0; count < 40; count++) log.write('warn', 'long', fields)
  const first = bytes.toString('latin1', 0, readSync(reader, bytes))
  log.write('warn', 'whole')
  const rest = bytes.toString('latin1', 0, readSync(reader, bytes))
  t.notOk(first.endsWith('\n'), 'the test is worth nothing if no line was cut')
  t.match(rest, /^\n\{"level":40,[^\n]*"msg":"whole"\}\n$/)
  t.end()
})

await t.test('a fault is described in one line with its stack', t => {
  t.match(describeFault(new TypeError('one\ntwo')), /^TypeError: one \| two \| at \S[^\n]*$/)
  t.equal(describeFault('words'), 'words')
  t.equal(describeFault(undefined), 'undefined')
  t.end()
})

await t.test('the silent log takes everything and says nothing', t => {
  t.notOk(silentLog.isEnabled('error'))
  t.doesNotThrow(() => {
    silentLog.write('error', 'x')
  })
  t.end()
})

await t.test('a rationed log lets one line per event through in ten seconds and counts the others', t => {
  const written: [string, LogFields][] = []
  const inner: Log = {
    isEnabled: level => level !== 'trace',
    write: (_level, event, fields = {}) => {
      written.push([event, fields])
    },
  }
  let nowMs = 0
  const log = rationed(inner, () => nowMs)
  log.write('warn', 'a', { peer: '1' })
  log.write('warn', 'a', { peer: '2' })
  log.write('warn', 'b')
  nowMs = 9_999
  log.write('warn', 'a', { peer: '3' })
  t.same(written, [
    ['a', { peer: '1' }],
    ['b', {}],
  ])
  nowMs = 10_000
  log.write('warn', 'a', { peer: '4' })
  log.write('trace', 'c')
  t.same(written.slice(2), [['a', { peer: '4', heldBackCount: 2 }]])
  t.notOk(log.isEnabled('trace'))
  t.end()
})
