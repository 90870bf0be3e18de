import { execFileSync } from 'node:child_process'
import { truncateSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { ConfigError } from '../../src/config/config-error.ts'
import { defaultConfig, loadConfig } from '../../src/config/load.ts'
import type { Config, Listener } from '../../src/config/schema.ts'

function configOf(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Config {
  const outcome = loadConfig(argv, env)
  if (outcome.kind !== 'run') throw new Error(`${outcome.kind} instead of run`)
  return outcome.config
}

function faultOf(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ConfigError {
  try {
    loadConfig(argv, env)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('no fault found')
}

function write(t: Test, content: string | Buffer, name = 'bus.yaml'): string {
  const path = `${t.testdir()}/${name}`
  writeFileSync(path, content)
  return path
}

/** The fault in a file: its line and column, its option and its text. */
function faultIn(t: Test, content: string | Buffer) {
  const path = write(t, content)
  const { place, option, message } = faultOf(['--config', path])
  if (message.includes('\n')) throw new Error('more than one line')
  return { at: place.startsWith(`${path}:`) ? place.slice(path.length + 1) : place, option, message }
}

await t.test('without anything, every option has its default', t => {
  const config = configOf([])
  t.same(config, {
    address: '127.0.0.1',
    port: 8888,
    tlsPort: 4444,
    certFile: null,
    password: null,
    allowedOrigins: [],
    allowedHosts: [],
    rootDir: null,
    noConsole: null,
    framing: 'standard',
    store: { kind: 'memory', retention: {} },
    stores: new Map(),
    retain: [],
    locations: null,
    maxBodyBytes: 1_048_576,
    maxFormBytes: 16_777_216,
    maxBodiesTotalBytes: 67_108_864,
    maxBacklogBytes: 1_000_000,
    maxConnections: 16_384,
    writeTimeoutMs: 30_000,
    heartbeatMs: 25_000,
    headersTimeoutMs: 10_000,
    keepAliveMs: 65_000,
    drainMs: 10_000,
    configFile: null,
    user: null,
    workers: 1,
    verbosity: 0,
    listeners: [{ address: '127.0.0.1', port: 8888, isTls: false, protocol: null }],
  })
  t.same(defaultConfig(), config)
  t.end()
})

await t.test('help and version need nothing else to be right', t => {
  t.match(loadConfig(['--help', '--config', '/none'], {}), { kind: 'help', text: /^Usage: msgbus/ })
  t.same(loadConfig(['--version'], { MSGBUS_PASSWORD: '' }), { kind: 'version' })
  t.end()
})

await t.test('command line wins over environment, environment over file, file over default', t => {
  const path = write(t, 'port: 1\nverbose: 2\npassword: from-file\nhost: [a, b]\nheartbeat: 5s\n')
  const fileOnly = configOf(['--config', path])
  t.match(fileOnly, { port: 1, verbosity: 2, password: 'from-file', allowedHosts: ['a', 'b'] })
  t.match(fileOnly, { heartbeatMs: 5000, drainMs: 10_000, configFile: path })
  const env = { MSGBUS_PASSWORD: 'from-env' }
  t.equal(configOf(['--config', path], env).password, 'from-env')
  const all = configOf(['--config', path, '-p2', '-v', '-sfrom-flag', '--host', 'c'], env)
  t.match(all, { port: 2, verbosity: 1, password: 'from-flag', heartbeatMs: 5000 })
  t.same(all.allowedHosts, ['c'], 'a list replaces a list')
  t.equal(configOf(['-p1', '-p2']).port, 2, 'the last flag wins')
  t.end()
})

await t.test('a fault in a value that would not win is still a fault', t => {
  const path = write(t, 'port: x\n')
  t.equal(faultOf(['--config', path, '-p2']).place, `${path}:1:7`)
  t.end()
})

await t.test('the environment gives the password, and an empty one is refused', t => {
  t.equal(configOf([], { MSGBUS_PASSWORD: 'hunter2' }).password, 'hunter2')
  for (const wrong of ['', 'hunter2\n']) {
    const fault = faultOf([], { MSGBUS_PASSWORD: wrong })
    t.match(fault, { place: 'environment', option: 'password' })
    t.match(fault.message, /^msgbus: environment: "password": expected .+, found a value that is not shown$/)
  }
  t.end()
})

await t.test('a JSON file is read, tabs and all', t => {
  const json = '{\n\t"port": 7777,\n\t"framing": "2008",\n\t"listen": [1, "[::1]:2=native"]\n}\n'
  const config = configOf(['--config', write(t, json, 'bus.json')])
  t.match(config, { port: 7777, framing: '2008' })
  t.equal(config.listeners.length, 3)
  t.end()
})

await t.test('a byte order mark, an empty file, comments and Windows line ends are fine', t => {
  t.equal(configOf(['--config', write(t, '\ufeffport: 1\r\nhost: # names\r\n- a\r\n')]).port, 1)
  for (const nothing of ['', '\n', '# nothing\n', '{}', '---\n']) {
    t.equal(configOf(['--config', write(t, nothing)]).port, 8888)
  }
  t.match(faultIn(t, '\ufeffport: 1\r\nprot: 2\r\n'), { at: '2:1', option: 'prot' })
  t.end()
})

await t.test('scalars may be written bare where nobody reads them otherwise', t => {
  const path = write(
    t,
    'framing: 2008\nuser: 1000\nmax-body: 5000\nmax-backlog: 64KiB\nport: "81"\nhost: [no]\n',
  )
  t.match(configOf(['--config', path]), {
    framing: '2008',
    user: 1000,
    maxBodyBytes: 5000,
    maxBacklogBytes: 65_536,
    port: 81,
    allowedHosts: ['no'],
  })
  t.end()
})

await t.test('every fault in a file has its line, its column and its option', t => {
  const cases: readonly (readonly [content: string, at: string, option: string, text: string])[] = [
    ['port: x', '1:7', 'port', 'expected an integer from 0 to 65535, found "x"'],
    ['# c\nport:   080', '2:9', 'port', 'found 080'],
    ['port: 1e3', '1:7', 'port', 'found 1e3'],
    ['port: 0x50', '1:7', 'port', 'found 0x50'],
    ['port: 80.0', '1:7', 'port', 'found 80.0'],
    ['port: -1', '1:7', 'port', 'found -1'],
    ['port: no', '1:7', 'port', 'found "no"'],
    ['port: true', '1:7', 'port', 'found true'],
    ['port: ~', '1:1', 'port', 'found nothing'],
    ['port:', '1:1', 'port', 'found nothing'],
    ['{ port }', '1:3', 'port', 'found nothing'],
    ['port: [1]', '1:7', 'port', 'found a list'],
    ['port: {a: 1}', '1:7', 'port', 'found a mapping'],
    ['host: a', '1:7', 'host', 'expected a list, found "a"'],
    ['host:', '1:1', 'host', 'expected a list, found nothing'],
    ['host: [a, 5]', '1:11', 'host', 'found 5'],
    ['host:\n- a\n- [b]', '3:3', 'host', 'found a list'],
    ['root: 5', '1:7', 'root', 'found 5'],
    ['keep-alive: 10', '1:13', 'keep-alive', 'with its unit (ms, s, m or h), found 10'],
    ['verbose: 4', '1:10', 'verbose', 'from 0 to 3, found 4'],
    ['allow-origin: ["*"]', '1:16', 'allow-origin', 'found "*"'],
    ['port: 1\nprot: 2', '2:1', 'prot', '(did you mean "port"?)'],
    ['port: 1\nhost: []\nport: 2', '3:1', 'port', 'bus.yaml:1:1'],
    ['{"port": 1, "port": 1}', '1:13', 'port', 'expected each option once'],
    ['__proto__: {port: 1}', '1:1', '__proto__', 'an unknown name'],
    ['constructor: 1', '1:1', 'constructor', 'an unknown name'],
    ['<<: {port: 1}', '1:1', '<<', 'an unknown name'],
    ['? [a]\n: 1', '1:3', 'config', 'expected the name of an option'],
    ['1: 1', '1:1', 'config', 'expected the name of an option'],
    ['config: x', '1:1', 'config', 'for the command line only'],
    ['help: true', '1:1', 'help', 'for the command line only'],
    ['- port', '1:1', 'config', 'found a list'],
    ['port', '1:1', 'config', 'found a single value'],
    ['port:\n\t1', '2:1', 'config', 'found a tab'],
    ['port: 1\n\thost: [a]', '2:1', 'config', 'found a tab'],
    ['port: 1\n---\nport: 2', '2:1', 'config', 'expected one document'],
    ['%YAML 1.1\n---\nport: 1', '1:1', 'config', 'found YAML 1.1'],
    ['port: !!binary MQ==', '1:7', 'config', 'found a tag'],
    ['port: !x 1', '1:7', 'config', 'found a tag'],
    ['port: *a', '1:7', 'port', 'expected an alias of something above'],
    ['host: &a [*a]', '1:11', 'host', 'found a list'],
    ['address: a: b', '1:10', 'config', 'quoted if it holds a colon'],
    ['host: [a', '1:9', 'config', 'or a closing bracket'],
    ['host: "a', '1:9', 'config', 'expected YAML 1.2 or JSON'],
  ]
  for (const [content, at, option, text] of cases) {
    const fault = faultIn(t, content)
    t.match({ at: fault.at, option: fault.option }, { at, option }, content)
    t.match(fault.message, /^msgbus: .+: "[^"]+": expected .+, found .+$/)
    t.ok(fault.message.includes(text), fault.message)
  }
  t.end()
})

await t.test('the password is in no error, whatever is wrong around it', t => {
  const contents = [
    'password: [hunter2]',
    'password: {hunter2: 1}',
    'password: "hunter2\\n"',
    'password: "hunter2" hunter2',
    'password: hunter2: hunter2',
    'password: *hunter2',
    'password: !hunter2 x',
    'password: "\\hunter2"',
    'password:hunter2',
    'port: 1\npassword:hunter2',
    '{ password:hunter2 }',
    'pasword: hunter2',
    'password: "hunter2',
    'password: |\n  hunter2\n  x',
    '- password: hunter2',
    'password: hunter2\npassword: hunter2',
    'password: hunter2\nport: x',
  ]
  for (const content of contents) {
    const fault = faultOf(['--config', write(t, content)])
    t.notOk(fault.message.includes('hunter2'), fault.message)
    t.equal(fault.cause, undefined, content)
  }
  t.match(faultIn(t, 'password: 12345').message, /found a value that is not shown$/)
  t.match(faultIn(t, 'password:').message, /found nothing$/)
  t.end()
})

await t.test('aliases work, up to fifty of them', t => {
  const names = (count: number) => `host: [&a bus.example${', *a'.repeat(count)}]`
  t.equal(configOf(['--config', write(t, names(50))]).allowedHosts.length, 51)
  t.match(faultIn(t, names(51)), { option: 'config', at: `1:${names(50).length + 2}` })
  const list = write(t, 'host: &h [a]\nallow-origin: &o []\n')
  t.same(configOf(['--config', list]).allowedHosts, ['a'])
  t.end()
})

await t.test('stars in a text are no aliases', t => {
  const path = write(t, `host:\n${'- "*"\n'.repeat(60)}password: |-\n  *a *b\n`)
  t.equal(configOf(['--config', path]).password, '*a *b')
  t.end()
})

await t.test('bombs end with an error, not with the process', t => {
  const laughs = 'abcdefghi'.replace(/./g, letter => {
    const before = String.fromCharCode(letter.charCodeAt(0) - 1)
    const item = letter === 'a' ? 'x' : `*${before}`
    return `${letter}: &${letter} [${Array<string>(9).fill(item).join(', ')}]\n`
  })
  t.match(faultIn(t, laughs).message, /at most 50 aliases/)
  const deep = {
    brackets: '['.repeat(1_000_000),
    // Few enough to be parsed, and then to abort the process: no error can be caught there.
    'fewer brackets': '['.repeat(19_000),
    braces: '{'.repeat(19_000),
    dashes: '- '.repeat(9_000),
    questions: '? '.repeat(9_000),
    keys: 'a: '.repeat(6_000),
    stairs: Array.from({ length: 1_400 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
  }
  for (const [name, bomb] of Object.entries(deep))
    t.match(faultIn(t, bomb).message, /at most 16 levels/, name)
  const long = {
    commas: `[${','.repeat(1_000_000)}`,
    documents: '---\n'.repeat(250_000),
    anchors: '&a '.repeat(300_000),
    lines: 'host:\n'.repeat(150_000),
  }
  for (const [name, bomb] of Object.entries(long))
    t.match(faultIn(t, bomb).message, /at most 20000 words/, name)
  t.end()
})

await t.test('a file past 1 MiB is refused by its size, before it is read', t => {
  const path = write(t, '')
  truncateSync(path, 100 * 1024 * 1024)
  const fault = faultOf(['--config', path])
  t.match(fault, { place: 'command line', option: 'config' })
  t.match(fault.message, /expected a file of at most 1048576 bytes, found 104857600 bytes$/)
  const full = write(t, `port: 1 #${'x'.repeat(1024 * 1024 - 9)}`)
  t.equal(configOf(['--config', full]).port, 1)
  t.end()
})

await t.test('what is no readable text file is refused without waiting', t => {
  const dir = t.testdir({})
  execFileSync('mkfifo', [`${dir}/fifo`])
  for (const path of [dir, `${dir}/none`, `${dir}/fifo`, '/dev/null', 'a\0b', '']) {
    t.match(faultOf([`--config=${path}`]), { place: 'command line', option: 'config' }, path)
  }
  const latin1 = write(t, Buffer.from([0x23, 0xe9]))
  t.match(faultOf(['--config', latin1]).message, /expected UTF-8 text/)
  t.end()
})

await t.test('the listeners follow from port, address, tls-port, cert and listen', t => {
  const cert = write(t, '', 'cert.pem')
  const plain = (address: string, port: number, protocol: Listener['protocol'] = null) => {
    return { address, port, isTls: false, protocol }
  }
  const tls = (address: string, port: number) => ({ address, port, isTls: true, protocol: null })
  const cases: readonly (readonly [argv: readonly string[], listeners: readonly Listener[]])[] = [
    [['-p0', '-l::1'], [plain('::1', 0)]],
    [
      ['-c', cert],
      [plain('127.0.0.1', 8888), tls('127.0.0.1', 4444)],
    ],
    [
      ['-c', cert, '-P0', '-l0.0.0.0'],
      [plain('0.0.0.0', 8888), tls('0.0.0.0', 0)],
    ],
    [['-P1'], [plain('127.0.0.1', 8888)]],
    [['--listen', '80=native'], [plain('127.0.0.1', 80, 'native')]],
    [
      ['--listen', '80', '-p81'],
      [plain('127.0.0.1', 81), plain('127.0.0.1', 80)],
    ],
    [
      ['--listen', '80', '-l::1'],
      [plain('::1', 8888), plain('::1', 80)],
    ],
    [
      ['--listen', '[::1]:80', '--listen', '81'],
      [plain('::1', 80), plain('127.0.0.1', 81)],
    ],
    [
      ['--listen', '80', '-c', cert],
      [tls('127.0.0.1', 4444), plain('127.0.0.1', 80)],
    ],
    [
      ['--listen=0', '--listen=0'],
      [plain('127.0.0.1', 0), plain('127.0.0.1', 0)],
    ],
    [
      ['-p8888', '--listen', '[::1]:8888'],
      [plain('127.0.0.1', 8888), plain('::1', 8888)],
    ],
  ]
  for (const [argv, listeners] of cases) t.same(configOf(argv).listeners, listeners, argv.join(' '))
  const path = write(t, 'port: 82\nlisten: [83]\n')
  t.same(configOf(['--config', path]).listeners, [plain('127.0.0.1', 82), plain('127.0.0.1', 83)])
  t.end()
})

await t.test('two listeners on one place are refused, naming both', t => {
  const yaml = 'address: "::1"\nlisten:\n- 8888\n- "[0:0::1]:8888"\n'
  const dir = t.testdir({ 'cert.pem': '', 'bus.yaml': yaml })
  const cert = `${dir}/cert.pem`
  const path = `${dir}/bus.yaml`
  const cases: readonly (readonly [argv: readonly string[], place: string, option: string, text: string])[] =
    [
      [
        ['--listen=80', '--listen=80'],
        'command line',
        'listen',
        '127.0.0.1:80, taken by "listen" (command line)',
      ],
      [['-p80', '-P80', '-c', cert], 'command line', 'tls-port', 'taken by "port" (command line)'],
      [['-p4444', '-c', cert], 'command line', 'port', '127.0.0.1:4444, taken by "tls-port" (default)'],
      [['--config', path], `${path}:3:3`, 'listen', '[::1]:8888, taken by "port" (default)'],
      [['--config', path, '-p9'], `${path}:4:3`, 'listen', `taken by "listen" (${path}:3:3)`],
    ]
  for (const [argv, place, option, text] of cases) {
    const fault = faultOf(argv)
    t.match({ place: fault.place, option: fault.option }, { place, option }, argv.join(' '))
    t.ok(fault.message.endsWith(text), fault.message)
  }
  t.end()
})
