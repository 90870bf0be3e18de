import t from 'tap'
import { checkValue, readFlags, type Setting } from '../../src/config/flags.ts'
import { ConfigError } from '../../src/config/config-error.ts'

function settingsOf(argv: readonly string[]): readonly Setting[] {
  const flags = readFlags(argv)
  if (flags.kind !== 'run') throw new Error(`${flags.kind} instead of run`)
  return flags.settings
}

function valuesOf(argv: readonly string[]): (readonly [string, unknown])[] {
  return settingsOf(argv).map(({ key, value }) => [key, value] as const)
}

function faultOf(act: () => unknown): ConfigError {
  try {
    act()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('no fault found')
}

const SHAPE = /^msgbus: command line: "[^"]+": expected .+, found .+$/

await t.test('every spelling of a value is read', t => {
  for (const argv of [['-p8080'], ['-p', '8080'], ['--port=8080'], ['--port', '8080']]) {
    t.same(valuesOf(argv), [['port', 8080]], argv.join(' '))
  }
  t.same(valuesOf(['--port=0']), [['port', 0]])
  t.same(settingsOf(['-p1'])[0]?.place, 'command line')
  t.end()
})

await t.test('verbose counts, together and apart', t => {
  t.same(valuesOf(['-vvv']), [['verbosity', 3]])
  t.same(valuesOf(['-v', '--verbose']), [['verbosity', 2]])
  t.same(valuesOf(['-vp8080']), [
    ['port', 8080],
    ['verbosity', 1],
  ])
  t.match(
    faultOf(() => readFlags(['-vvvv'])),
    { option: 'verbose', message: /from 0 to 3, found 4$/ },
  )
  t.end()
})

await t.test('a switch stands without a value', t => {
  t.same(valuesOf(['--no-console', '-p1']), [
    ['noConsole', true],
    ['port', 1],
  ])
  t.match(
    faultOf(() => readFlags(['--no-console=yes'])),
    { option: 'no-console', message: /expected no value, found "yes"$/ },
  )
  t.end()
})

await t.test('repeatable flags keep their order', t => {
  t.same(valuesOf(['--host', 'B.example', '--host=a.example']), [
    ['allowedHosts', 'b.example'],
    ['allowedHosts', 'a.example'],
  ])
  t.end()
})

await t.test('help and version win over everything else, even over faults', t => {
  for (const argv of [['--help'], ['-h'], ['-?'], ['-v?'], ['--prot', '--help'], ['--version', '-h']]) {
    t.equal(readFlags(argv).kind, 'help', argv.join(' '))
  }
  t.equal(readFlags(['--version', '-p', 'x']).kind, 'version')
  t.end()
})

await t.test('a bare -- ends the options, and arguments are refused on both sides of it', t => {
  t.same(valuesOf(['-p1', '--']), [['port', 1]])
  for (const argv of [['8080'], ['--', '8080'], ['--', '-v'], ['-']]) {
    const fault = faultOf(() => readFlags(argv))
    t.match(fault, { place: 'command line', option: 'arguments' }, argv.join(' '))
    t.match(fault.message, SHAPE)
  }
  t.end()
})

await t.test('every fault names its option, in one line', t => {
  const cases: readonly (readonly [argv: readonly string[], option: string, text: string])[] = [
    [['-p'], 'port', 'found nothing'],
    [['-p', 'x'], 'port', 'expected an integer from 0 to 65535, found "x"'],
    [['--port='], 'port', 'found ""'],
    [['-p=1'], 'port', 'found "=1"'],
    [['-p', '08'], 'port', 'found "08"'],
    [['-p', '65536'], 'port', 'found "65536"'],
    [['-p', '-1'], 'port', '--port=VALUE'],
    [['-P', '1.5'], 'tls-port', 'found "1.5"'],
    [['--verbose=3'], 'verbose', 'expected no value, found "3"'],
    [['--no-verbose'], 'no-verbose', 'an unknown name'],
    [['--help=no'], 'help', 'expected no value'],
    [['-X'], 'X', 'an unknown name'],
    [['--?'], '?', 'an unknown name'],
    [['--__proto__=1'], '__proto__', 'an unknown name'],
    [['-u', 'a\nb\u202e'], 'user', 'found "a\\nb\\u{202e}"'],
    [['--host', 'x'.repeat(500)], 'host', `found "${'x'.repeat(60)}…"`],
  ]
  for (const [argv, option, text] of cases) {
    const fault = faultOf(() => readFlags(argv))
    t.equal(fault.option, option, argv.join(' '))
    t.equal(fault.place, 'command line')
    t.match(fault.message, SHAPE)
    t.ok(fault.message.includes(text), fault.message)
    t.notOk(/[\n\r\u202e]/.test(fault.message))
  }
  t.end()
})

await t.test('a near name is suggested, a far one is not', t => {
  const near = {
    prot: 'port',
    adress: 'address',
    'max-boddy': 'max-body',
    max_form: 'max-form',
    Host: 'host',
  }
  for (const [wrong, right] of Object.entries(near)) {
    const { message } = faultOf(() => readFlags([`--${wrong}=1`]))
    t.ok(message.includes(`(did you mean "${right}"?)`), message)
  }
  for (const far of ['banana', 'x', 'constructor']) {
    t.notOk(faultOf(() => readFlags([`--${far}`])).message.includes('did you mean'), far)
  }
  t.end()
})

await t.test('the password is in no error, wherever a slip puts it', t => {
  const slips: readonly (readonly string[])[] = [
    ['-s', '-hunter2'],
    ['-s', 'hunter2\n'],
    [`--password=${'hunter2'.repeat(100)}`],
    ['--pasword=hunter2'],
    ['--pasword', 'hunter2'],
    ['--password:hunter2'],
    ['-s', 'my', 'hunter2'],
    ['-sv', 'hunter2'],
    ['--root', '-shunter2'],
    ['-p', '--password=hunter2'],
    ['--allow-origin', 'https://me:hunter2@example.com'],
    ['-s', 'hunter2', '-p', 'x'],
  ]
  for (const argv of slips) {
    const fault = faultOf(() => readFlags(argv))
    t.notOk(fault.message.includes('hunter2'), fault.message)
    t.equal(fault.cause, undefined)
  }
  t.end()
})

await t.test('sizes are read in bytes', t => {
  const sizes = {
    1: 1,
    1000000: 1_000_000,
    '5B': 5,
    '2kB': 2000,
    '10MB': 1e7,
    '64KiB': 65_536,
    '1MiB': 2 ** 20,
  }
  for (const [written, bytes] of Object.entries(sizes)) {
    t.same(valuesOf(['--max-body', written]), [['maxBodyBytes', bytes]], written)
  }
  for (const wrong of ['0', '1M', '1mib', '1.5MiB', '1 MiB', '1e3', '0x10', '010', '2GiB', 'MiB', '']) {
    t.equal(faultOf(() => readFlags([`--max-body=${wrong}`])).option, 'max-body', wrong)
  }
  t.end()
})

await t.test('durations need a unit, and become milliseconds', t => {
  const durations = { '500ms': 500, '10s': 10_000, '2m': 120_000, '1h': 3_600_000 }
  for (const [written, ms] of Object.entries(durations)) {
    t.same(valuesOf(['--heartbeat', written]), [['heartbeatMs', ms]], written)
  }
  t.same(valuesOf(['--drain=0s']), [['drainMs', 0]])
  for (const wrong of ['10', '0', '99ms', '2h', '1d', '1.5s', '10S', '']) {
    const fault = faultOf(() => readFlags([`--heartbeat=${wrong}`]))
    t.match(fault, { option: 'heartbeat', message: /with its unit \(ms, s, m or h\)/ }, wrong)
  }
  t.end()
})

await t.test('addresses are literals or localhost', t => {
  const addresses = { '127.0.0.1': '127.0.0.1', '::': '::', '::1': '::1', localhost: '127.0.0.1' }
  for (const [written, address] of Object.entries(addresses)) {
    t.same(valuesOf([`-l${written}`]), [['address', address]], written)
  }
  for (const wrong of ['example.com', '010.1.1.1', '127.1', '[::1]', '*', '', '127.0.0.1:80']) {
    t.equal(faultOf(() => readFlags([`--address=${wrong}`])).option, 'address', wrong)
  }
  t.end()
})

await t.test('listeners are read with and without address and protocol', t => {
  const requests = {
    '8080': { address: null, port: 8080, protocol: null },
    '0=native': { address: null, port: 0, protocol: 'native' },
    '0.0.0.0:80': { address: '0.0.0.0', port: 80, protocol: null },
    'localhost:80': { address: '127.0.0.1', port: 80, protocol: null },
    '[::1]:8080=native': { address: '::1', port: 8080, protocol: 'native' },
  }
  for (const [written, request] of Object.entries(requests)) {
    t.same(valuesOf(['--listen', written]), [['listen', request]], written)
  }
  const wrongs = [
    '::1:80',
    '[127.0.0.1]:80',
    '[::1]',
    ':80',
    '80:90',
    '65536',
    '80=',
    '80=hbpush',
    'x',
    '*:80',
  ]
  for (const wrong of wrongs) {
    t.equal(faultOf(() => readFlags(['--listen', wrong])).option, 'listen', wrong)
  }
  t.end()
})

await t.test('origins are exact, as browsers spell them', t => {
  for (const origin of ['https://example.com', 'http://127.0.0.1:8888', 'http://[::1]:81']) {
    t.same(valuesOf(['--allow-origin', origin]), [['allowedOrigins', origin]])
  }
  for (const wrong of [
    '*',
    'null',
    'example.com',
    'https://',
    'ftp://example.com',
    'https://*.example.com/',
  ]) {
    t.match(
      faultOf(() => readFlags(['--allow-origin', wrong])),
      {
        option: 'allow-origin',
        message: /expected an exact http or https origin such as https:\/\/example\.com/,
      },
      wrong,
    )
  }
  const spellings = [
    'https://example.com/',
    'https://example.com:443',
    'HTTPS://Example.com',
    'https://example.com/a?b',
  ]
  for (const spelling of spellings) {
    const { message } = faultOf(() => readFlags(['--allow-origin', spelling]))
    t.ok(message.includes('(did you mean "https://example.com"?)'), message)
  }
  t.end()
})

await t.test('hosts, users and framings are held to what they can be', t => {
  for (const host of ['*', 'bus.example', 'localhost', '10.0.0.1', '[::1]', 'a_b.example.']) {
    t.same(valuesOf(['--host', host]), [['allowedHosts', host]])
  }
  for (const wrong of ['a:80', '::1', '*.example', 'a b', 'http://a', '', '.a', 'é']) {
    t.equal(faultOf(() => readFlags([`--host=${wrong}`])).option, 'host', wrong)
  }
  t.same(valuesOf(['-u', 'www-data']), [['user', 'www-data']])
  t.same(valuesOf(['-u', '1000']), [['user', 1000]])
  for (const wrong of ['4294967295', '01', 'a:b', '', '.']) {
    t.equal(faultOf(() => readFlags([`--user=${wrong}`])).option, 'user', wrong)
  }
  t.same(valuesOf(['--framing', '2008']), [['framing', '2008']])
  t.equal(faultOf(() => readFlags(['--framing', '2009'])).option, 'framing')
  t.equal(faultOf(() => readFlags(['--max-connections', '0'])).option, 'max-connections')
  t.end()
})

await t.test('the root is a directory and the certificate a file, both made absolute', t => {
  const dir = t.testdir({ 'cert.pem': '' })
  t.same(valuesOf(['-d', dir, '-c', `${dir}/./cert.pem`]), [
    ['rootDir', dir],
    ['certFile', `${dir}/cert.pem`],
  ])
  for (const wrong of [`${dir}/cert.pem`, `${dir}/none`, `${dir}/cert.pem/x`, '', 'a\0b']) {
    t.equal(faultOf(() => readFlags([`--root=${wrong}`])).option, 'root', wrong)
  }
  t.equal(faultOf(() => readFlags(['-c', dir])).option, 'cert')
  t.end()
})

await t.test('a single value is checked for whoever gives it', t => {
  t.same(checkValue('port', 'somewhere', 80, '80'), { key: 'port', place: 'somewhere', value: 80 })
  t.match(
    faultOf(() => checkValue('port', 'somewhere', true, 'true')),
    { place: 'somewhere', option: 'port' },
  )
  t.end()
})
