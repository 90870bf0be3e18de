// The command lines of both tools, as far as they can be understood without a server.

import t from 'tap'
import { helpText, readOptions } from '../../tools/options.ts'
import { UsageError } from '../../tools/run-error.ts'
import { readTarget, type Target } from '../../tools/target.ts'
import { OPTIONS as PUB_OPTIONS } from '../../tools/test-pub/options.ts'
import { payloadOf } from '../../tools/test-pub/payload.ts'
import { streamNames } from '../../tools/test-sub/channels.ts'
import { OPTIONS as SUB_OPTIONS } from '../../tools/test-sub/options.ts'

/** Reads a command line of test-sub as far as the streams that it asks for. */
function readSub(args: readonly string[], password?: string) {
  const values = readOptions(SUB_OPTIONS, args)
  if (values === null) throw new TypeError('Cannot read it: it asks for help')
  const target = readTarget(values, password)
  return { values, target, names: streamNames(target, values.channel, values.channelCount) }
}

/** Reads a command line of test-pub as far as the messages that it asks for. */
function readPub(args: readonly string[]) {
  const values = readOptions(PUB_OPTIONS, args)
  if (values === null) throw new TypeError('Cannot read it: it asks for help')
  return { values, target: readTarget(values, undefined), payload: payloadOf(values) }
}

function messageOf(read: () => unknown): string {
  try {
    read()
    return ''
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
}

function credentialsOf({ headerLines }: Target): string | undefined {
  const [, basic] = /\r\nAuthorization: Basic (\S+)\r\n$/.exec(headerLines) ?? []
  return basic === undefined ? undefined : Buffer.from(basic, 'base64').toString()
}

await t.test('the options of the first tools are understood', t => {
  const pub = readPub('-c a -l localhost -p 99 -r 5 -s -t text/html'.split(' '))
  t.match(pub.values, {
    channel: 'a',
    address: 'localhost',
    port: 99,
    rate: 5,
    isTls: true,
    type: 'text/html',
  })
  t.equal(pub.target.origin, 'https://localhost:99')
  const sub = readSub('-c a -l ::1 -p99 -n 7 -s'.split(' '))
  t.match(sub.values, { channel: 'a', connectionCount: 7 })
  t.equal(sub.target.origin, 'https://[::1]:99')
  t.match(readSub([]).target, { origin: 'http://127.0.0.1:8888', prefix: '/msgbus/' })
  t.equal(readSub(['-s']).target.origin, 'https://127.0.0.1:4444')
  t.end()
})

await t.test('a URL names scheme, host, port, credentials and prefix', t => {
  t.match(readSub(['-l', 'https://example.com/']).target, { origin: 'https://example.com:443', isTls: true })
  const { target } = readSub(['-l', 'http://b%40b:p%3Aw@[::1]:99/push/'])
  t.match(target, { host: '::1', port: 99, isTls: false, prefix: '/push/', origin: 'http://[::1]:99' })
  t.equal(credentialsOf(target), 'b@b:p:w')
  t.end()
})

await t.test('credentials come from an option, a URL or the environment, in this order', t => {
  t.equal(credentialsOf(readSub([]).target), undefined)
  t.equal(credentialsOf(readSub([], 'pw').target), ':pw')
  t.equal(credentialsOf(readSub(['-u', 'bob'], 'pw').target), 'bob:pw')
  t.equal(credentialsOf(readSub(['-u', 'bob:x:y'], 'pw').target), 'bob:x:y')
  t.equal(credentialsOf(readSub(['-l', 'http://bob@h/'], 'pw').target), 'bob:pw')
  t.equal(credentialsOf(readSub(['-l', 'http://bob:x@h/', '-u', 'ann:y']).target), 'ann:y')
  t.end()
})

await t.test('channels are escaped, and lists, trees and everything are asked for as one stream', t => {
  const names = (...args: string[]) => readSub(args).names
  t.strictSame(names(), [{ path: '/msgbus/flood', channel: 'flood' }])
  t.strictSame(names('-c', 'a b/ü?'), [{ path: '/msgbus/a%20b/%C3%BC%3F', channel: 'a b/ü?' }])
  t.strictSame(
    names('-c', 'x', '--channels', '2').map(({ channel }) => channel),
    ['x-0', 'x-1'],
  )
  t.strictSame(names('-c', 'a,b c/'), [{ path: '/msgbus/a,b%20c/', channel: null }])
  t.strictSame(names('-c', ''), [{ path: '/msgbus/', channel: null }])
  t.end()
})

await t.test('messages are as long as was asked for, with their stamps', t => {
  t.equal(readPub([]).payload.bodyBytes, 100)
  t.equal(readPub(['-b', '1KiB']).payload.bodyBytes, 1024)
  t.equal(readPub(['-b', '87']).payload.bodyBytes, 87)
  t.equal(readPub(['-b', '0', '--no-stamp']).payload.bodyBytes, 0)
  const file = `${t.testdir({ 'body.txt': 'from a file' })}/body.txt`
  t.equal(readPub(['-f', file]).payload.bodyBytes, 98)
  t.equal(readPub(['-f', file, '--no-stamp']).payload.bodyBytes, 11)
  t.end()
})

await t.test('what cannot be used is named, with what was expected, and no secret is shown', t => {
  const both: readonly (readonly [readonly string[], string])[] = [
    [['-l', 'ftp://host/'], '"address": expected an http or https URL, found "ftp://host/"'],
    [['-l', 'http://bob:hidden@host/x?y'], 'that ends in a host or in "/", found "http://***@host/x?y"'],
    [['-l', 'http://bob:hidden%@host/'], '"address": expected credentials in percent-encoding, found others'],
    [['-l', 'http://'], '"address": expected an http or https URL, found "http://"'],
    [['-l', 'http://host/', '-p', '1'], '"address": expected a host name beside "port" or "tls"'],
    [['-l', 'two words'], '"address": expected a host name, an address or an http or https URL'],
    [['-p', '0'], '"port": expected a whole number, 1 to 65535, found "0"'],
    [['-p'], '"port": expected a whole number, 1 to 65535, found nothing'],
    [['-p', '-s'], '"port": expected a whole number, 1 to 65535, found what looks like the next flag'],
    [['--frob=hidden'], 'Cannot use option "--frob": there is none of that name'],
    [['-x'], 'Cannot use option "-x": there is none of that name'],
    [['--json=yes'], '"json": expected no value, found "yes"'],
    [['-d', 'soon'], '"duration": expected a time such as 500ms, 10s, 5m or 1h, up to 168h, found "soon"'],
    [['stray'], '"arguments": expected options only, found "stray"'],
  ]
  for (const [args, expected] of both) {
    for (const read of [readSub, readPub]) {
      const found = messageOf(() => read(args))
      t.ok(found.includes(expected), found)
      t.notMatch(found, /hidden|\n/)
    }
  }
  const sub: readonly (readonly [readonly string[], string])[] = [
    [['-c', 'a//b'], '"channel": Cannot use this channel name: '],
    [['-c', 'a,b', '--channels', '2'], '"channels": expected a single name in "channel" beside it'],
  ]
  for (const [args, expected] of sub)
    t.match(
      messageOf(() => readSub(args)),
      expected,
    )
  const pub: readonly (readonly [readonly string[], string])[] = [
    [['-b', '86'], '"bytes": expected at least the 87 of a stamp, or "no-stamp", found "86"'],
    [['-f', '/nowhere'], '"file": expected a file that can be read, found "/nowhere"'],
    [['-f', '/'], '"file": expected a file that can be read, found "/"'],
    [['-f', 'package.json', '-b', '100'], '"bytes": expected nothing beside "file"'],
    [['-r', 'fast'], '"rate": expected messages per second'],
    [['-t', 'text'], '"type": expected a media type such as text/plain, found "text"'],
  ]
  for (const [args, expected] of pub)
    t.match(
      messageOf(() => readPub(args)),
      expected,
    )
  t.end()
})

await t.test('the help text names each option once, in 80 columns', t => {
  for (const table of [SUB_OPTIONS, PUB_OPTIONS]) {
    const text = helpText('tool', 'What it is for.', table)
    const flags = [...text.matchAll(/^ {2}.{4}(--[a-z-]+)/gm)].map(([, flag]) => flag)
    t.strictSame(flags, [...Object.values(table).map(({ name }) => `--${name}`), '--help'])
    t.ok(text.split('\n').every(line => line.length <= 80))
  }
  t.equal(readOptions(SUB_OPTIONS, ['--frob', '-h']), null)
  t.end()
})
