import t, { type Test } from 'tap'
import { HostList, isLoopback } from '../../src/http/host-list.ts'

function checkAll(
  t: Test,
  list: HostList,
  localAddress: string,
  answered: readonly string[],
  refused: readonly string[],
): void {
  for (const host of answered)
    t.doesNotThrow(() => {
      list.check(host, localAddress)
    }, host)
  for (const host of refused)
    t.throws(
      () => {
        list.check(host, localAddress)
      },
      { code: 'MSGBUS_HOST' },
      host,
    )
}

await t.test('over loopback only names of this machine are answered to', t => {
  const own = [
    'localhost',
    'LocalHost:1',
    '127.0.0.1',
    '127.0.0.1:80',
    '127.9.9.9',
    '[::1]',
    '[::1]:80',
    'localhost:',
  ]
  const others = [
    ...[
      'evil.example',
      'localhost.evil.example',
      'evil.localhost',
      'localhost.',
      '0.0.0.0',
      '10.0.0.1',
      '',
      ':80',
      '::1',
    ],
    ...[
      '[::1',
      '[::1]x',
      '[::2]',
      '127.0.0.1.evil.example',
      '127.0.0',
      'a@localhost',
      'localhost@a',
      '*',
      'localhost:a',
    ],
  ]
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
    checkAll(t, new HostList([]), address, own, others)
  t.end()
})

await t.test('over a network any name is answered to, until some are listed', t => {
  checkAll(t, new HostList([]), '192.0.2.1', ['anything.example', '192.0.2.1', ''], [])
  const listed = new HostList(['Bus.Example', '[2001:db8::1]', '192.0.2.9'])
  checkAll(
    t,
    listed,
    '192.0.2.1',
    ['bus.example', 'BUS.EXAMPLE:8888', '192.0.2.1', '192.0.2.9:1', 'localhost'],
    ['example', 'x.bus.example', 'bus.example.', 'bus.example:80:80', '192.0.2.2'],
  )
  checkAll(t, listed, '::ffff:192.0.2.1', ['192.0.2.1'], ['192.0.2.2'])
  t.end()
})

await t.test('a listed name counts over loopback too, and a star among them lets all in', t => {
  checkAll(t, new HostList(['bus.example']), '127.0.0.1', ['bus.example', 'localhost'], ['evil.example'])
  checkAll(t, new HostList(['bus.example', '*']), '127.0.0.1', ['evil.example', ''], [])
  t.end()
})

await t.test('an IPv6 address is listed and asked for in brackets', t => {
  checkAll(
    t,
    new HostList(['[2001:db8::1]']),
    '::1',
    ['[2001:db8::1]', '[2001:DB8::1]:80'],
    ['[2001:db8::2]'],
  )
  checkAll(t, new HostList(['x']), '2001:db8::1', ['[2001:db8::1]:80'], ['[2001:db8::2]'])
  t.end()
})

await t.test("a request without Host is nobody's browser", t => {
  new HostList(['bus.example']).check(undefined, '127.0.0.1')
  t.end()
})

await t.test('loopback is what only this machine can mean', t => {
  for (const name of ['localhost', '::1', '127.0.0.1', '127.255.255.254']) t.ok(isLoopback(name), name)
  for (const name of ['', '128.0.0.1', '127.0.0.1.x', 'x127.0.0.1', '::', '0.0.0.0', 'LOCALHOST'])
    t.notOk(isLoopback(name), name)
  t.end()
})
