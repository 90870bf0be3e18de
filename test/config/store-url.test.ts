// The options `store` and `retain`: all that means something, what it means, and one line for each that does not.

import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { ConfigError } from '../../src/config/config-error.ts'
import { defaultConfig, loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import type { StoreRequest } from '../../src/config/store-url.ts'
import { FILE_RETENTION } from '../../src/store/file.ts'
import { openStore } from '../../src/store/open.ts'
import { DEFAULT_RETENTION } from '../../src/store/retention.ts'

function configOf(argv: readonly string[]): Config {
  const outcome = loadConfig(argv, {})
  if (outcome.kind !== 'run') throw new Error(`${outcome.kind} instead of run`)
  return outcome.config
}

function storeOf(argv: readonly string[]): StoreRequest {
  return configOf(argv).store
}

function faultOf(argv: readonly string[]): ConfigError {
  try {
    loadConfig(argv, {})
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('no fault found')
}

await t.test('each limit is read, alone and with others', t => {
  for (const [url, retention] of [
    ['memory:', {}],
    ['memory:?retain=0', { maxCount: 0 }],
    ['memory:?retain=1000000', { maxCount: 1_000_000 }],
    ['memory:?age=10m', { maxAgeMs: 600_000 }],
    ['memory:?age=8760h', { maxAgeMs: 31_536_000_000 }],
    ['memory:?bytes=1B', { maxBytes: 1 }],
    ['memory:?total=5&total-bytes=5kB', { maxTotalCount: 5, maxTotalBytes: 5000 }],
    [
      'memory:?total-bytes=1GiB&retain=7&total=8&age=1s&bytes=9',
      { maxTotalBytes: 2 ** 30, maxCount: 7, maxTotalCount: 8, maxAgeMs: 1000, maxBytes: 9 },
    ],
  ] as const) {
    t.same(storeOf(['--store', url]), { kind: 'memory', retention }, url)
  }
  t.same(defaultConfig().store, { kind: 'memory', retention: {} })
  t.end()
})

await t.test('a directory is read as it is written, and made absolute', t => {
  for (const [url, path] of [
    ['file:/var/lib/msgbus', '/var/lib/msgbus'],
    ['file:///var/lib/msgbus', '/var/lib/msgbus'],
    ['file:data', resolve('data')],
    ['file:a%20b/ c#d:e', resolve('a%20b/ c#d:e')],
  ] as const) {
    t.same(storeOf(['--store', url]), { kind: 'file', path, syncIntervalMs: null, retention: {} }, url)
  }
  t.same(storeOf(['--store=file:/a?fsync=interval:1s&retain=5']), {
    ...{ kind: 'file', path: '/a', syncIntervalMs: 1000, retention: { maxCount: 5 } },
  })
  t.match(storeOf(['--store=file:/a?age=1h&fsync=always']), { syncIntervalMs: null })
  t.end()
})

await t.test('what is no store is refused with what is wrong about it', t => {
  for (const [url, text] of [
    [
      '',
      'expected memory: or file:DIRECTORY, with or without ?KEY=VALUE&… behind it ' +
        '(keys retain, bytes, age, total, total-bytes; for a file also fsync), found ""',
    ],
    ['memory', 'found "memory"'],
    ['Memory:', 'found "Memory:"'],
    ['memory://', 'found "memory://"'],
    ['memory:x', 'found "memory:x"'],
    ['memory:?', 'found "memory:?"'],
    ['memory:retain=5', 'found "memory:retain=5"'],
    [' memory:', 'found " memory:"'],
    ['tape:', 'found "tape:"'],
    [
      'memory:?keep=5',
      'expected only the keys retain, bytes, age, total, total-bytes, found "memory:?keep=5"',
    ],
    ['memory:?retain=5&', 'expected only the keys'],
    ['memory:?&retain=5', 'expected only the keys'],
    ['memory:?__proto__=5', 'expected only the keys'],
    ['memory:?Retain=5', 'expected only the keys'],
    ['memory:?retain=5&retain=5', 'expected "retain" once'],
    ['memory:?retain', 'expected an integer from 0 to 1000000 for "retain"'],
    ['memory:?retain=', 'expected an integer from 0 to 1000000 for "retain"'],
    ['memory:?retain=-1', 'for "retain"'],
    ['memory:?retain=1000001', 'for "retain"'],
    ['memory:?retain=1e3', 'for "retain"'],
    ['memory:?retain=010', 'for "retain"'],
    ['memory:?retain=5=6', 'for "retain"'],
    ['memory:?retain=%35', 'for "retain"'],
    ['memory:?bytes=0', 'expected a size from 1B to 64GiB'],
    ['memory:?bytes=1M', 'for "bytes"'],
    ['memory:?age=60', 'expected a duration from 1s to 8760h with its unit (ms, s, m or h) for "age"'],
    ['memory:?age=1d', 'for "age"'],
    ['memory:?age=1ms', 'for "age"'],
    ['memory:?total=10000001', 'for "total"'],
    ['memory:?total-bytes=65GiB', 'for "total-bytes"'],
    ['memory:?fsync=always', 'expected only the keys retain, bytes, age, total, total-bytes, found'],
    ['file:', 'found "file:"'],
    ['file:?retain=5', 'found "file:?retain=5"'],
    ['file://host/a', 'found "file://host/a"'],
    ['file:/a?', 'found "file:/a?"'],
    ['file:/a?retain=x', 'for "retain"'],
    ['file:/a?keep=5', 'expected only the keys retain, bytes, age, total, total-bytes, fsync, found'],
    ['file:/a?fsync', 'expected always or interval:DURATION, such as interval:1s for "fsync"'],
    ['file:/a?fsync=never', 'for "fsync"'],
    ['file:/a?fsync=interval:1', 'for "fsync"'],
    ['file:/a?fsync=interval:0s', 'for "fsync"'],
    ['file:/a?fsync=always&fsync=always', 'expected "fsync" once'],
  ] as const) {
    const fault = faultOf([`--store=${url}`])
    t.match(fault, { place: 'command line', option: 'store' }, url)
    t.match(fault.message, /^msgbus: command line: "store": expected [^\n]+, found "[^\n]*"$/)
    t.ok(fault.message.includes(text), fault.message)
  }
  t.equal(faultOf(['--store']).option, 'store')
  t.end()
})

await t.test('a file has it like any other option', t => {
  const path = join(t.testdir({}), 'bus.yaml')
  writeFileSync(path, 'store: memory:?retain=5&age=1h\n')
  t.same(storeOf(['--config', path]).retention, { maxCount: 5, maxAgeMs: 3_600_000 })
  t.same(
    storeOf(['--config', path, '--store=memory:?total=1']).retention,
    { maxTotalCount: 1 },
    'one wins whole',
  )
  writeFileSync(path, 'store: "memory:"\n')
  t.same(storeOf(['--config', path]).retention, {})
  writeFileSync(path, 'port: 1\nstore: memory:?retain=x\n')
  t.match(faultOf(['--config', path]), {
    place: `${path}:2:8`,
    option: 'store',
    message: /for "retain", found/,
  })
  for (const wrong of ['5', 'null', '[memory]']) {
    writeFileSync(path, `store: ${wrong}\n`)
    t.equal(faultOf(['--config', path]).option, 'store', wrong)
  }
  t.end()
})

await t.test('limits of some channels are read, with the pattern as it stands in a URL', t => {
  for (const [written, rule] of [
    ['cam/?retain=1', { paths: ['cam/'], maxCount: 1 }],
    ['a/b?age=1h', { paths: ['a/b'], maxAgeMs: 3_600_000 }],
    ['gr%C3%BC%C3%9F%3F?bytes=1KiB&retain=0', { paths: ['grüß?'], maxBytes: 1024, maxCount: 0 }],
    ['b,a/?age=1s', { paths: ['a/', 'b'], maxAgeMs: 1000 }],
  ] as const) {
    t.same(configOf(['--retain', written]).retain, [rule], written)
  }
  const path = join(t.testdir({}), 'bus.yaml')
  writeFileSync(path, 'retain: ["a?retain=1", a/?retain=2]\n')
  t.equal(configOf(['--config', path]).retain.length, 2)
  t.same(configOf(['--config', path, '--retain=b?retain=3']).retain, [{ paths: ['b'], maxCount: 3 }])
  t.same(defaultConfig().retain, [])
  t.end()
})

await t.test('what is no rule is refused with what is wrong about it', t => {
  for (const [written, text] of [
    ['', 'expected PATTERN?KEY=VALUE&… (keys retain, bytes, age), the pattern a channel, or NAME/'],
    ['a', 'expected PATTERN?'],
    ['a?', 'expected PATTERN?'],
    ['?retain=1', 'expected PATTERN?'],
    ['a?total=1', 'expected only the keys retain, bytes, age, found "a?total=1"'],
    ['a?fsync=always', 'expected only the keys'],
    ['a?retain=x', 'for "retain"'],
    ['a?retain=1&retain=2', 'expected "retain" once'],
    ['/?retain=1', 'expected channels as they stand in a URL (it is empty)'],
    ['a//b?retain=1', 'segments are not allowed'],
    ['%ff?retain=1', 'it is not percent-encoded UTF-8'],
  ] as const) {
    const fault = faultOf([`--retain=${written}`])
    t.match(fault, { place: 'command line', option: 'retain' }, written)
    t.ok(fault.message.includes(text), fault.message)
  }
  const path = join(t.testdir({}), 'bus.yaml')
  writeFileSync(path, 'retain:\n- a?retain=1\n- "b,a?age=1h"\n')
  t.match(faultOf(['--config', path]), { place: `${path}:3:3`, message: /found a second one for "a"$/ })
  t.end()
})

await t.test('doc/config.md tells the defaults as they are', t => {
  const [, url = ''] = /--store '(memory:[^']+)'/.exec(readFileSync('doc/config.md', 'utf8')) ?? []
  t.same(storeOf(['--store', url]).retention, DEFAULT_RETENTION)
  const [, fileUrl = ''] = /--store '(file:[^']+)'/.exec(readFileSync('doc/config.md', 'utf8')) ?? []
  t.match(storeOf(['--store', fileUrl]), { retention: FILE_RETENTION, syncIntervalMs: null })
  t.end()
})

await t.test(
  'the store that is opened keeps what it was told to, and what it was not told as by default',
  async t => {
    const store = await openStore(storeOf(['--store=memory:?retain=2']))
    t.teardown(() => store.close())
    for (let at = 0; at < 3; at++) {
      await store.append([{ channel: 'a', type: 'a/b', sender: null, body: Buffer.alloc(0) }])
    }
    t.equal((await store.read({ paths: ['a'], afterSeq: 0, maxCount: 9 })).messages.length, 2)
  },
)
