// A configuration file of hbpush, read as it is: what it means, and one line for each thing that is wrong in it.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError } from '../../src/config/config-error.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'

const MEMORY = { kind: 'memory', retention: {} }

function write(t: Test, content: string): string {
  const path = join(t.testdir({}), 'hbpush.yaml')
  writeFileSync(path, content)
  return path
}

function configOf(t: Test, content: string, ...argv: readonly string[]): Config {
  const outcome = loadConfig(['--config', write(t, content), ...argv], {})
  if (outcome.kind !== 'run') throw new Error(`${outcome.kind} instead of run`)
  return outcome.config
}

/** The fault in a file: its line and column, its option and its text. */
function faultIn(t: Test, content: string) {
  const path = write(t, content)
  try {
    loadConfig(['--config', path], {})
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { place, option, message } = error
    t.match(message, /^msgbus: [^\n]+: "[^"\n]+": expected [^\n]+, found [^\n]+$/)
    return { at: place.slice(path.length + 1), option, message }
  }
  throw new Error(`no fault found in ${content}`)
}

await t.test('the defaults of hbpush, written out, are read', t => {
  const config = configOf(
    t,
    `port: 80
address: ''
store:
  type: memory
locations:
  - type: publisher
    prefix: /publisher/
  - type: subscriber
    prefix: /subscriber/
`,
  )
  t.same(config.listeners, [{ address: '0.0.0.0', port: 80, isTls: false, protocol: null }])
  t.same(config.store, MEMORY)
  t.same(config.stores, new Map())
  t.same(config.locations, [
    { kind: 'publisher', pattern: /^\/publisher\/(.+)$/, store: 'default', createsOnPost: true },
    {
      kind: 'subscriber',
      pattern: /^\/subscriber\/(.+)$/,
      store: 'default',
      isLong: true,
      createsOnGet: false,
    },
  ])
  t.end()
})

await t.test('all that it can say is read, in JSON as well', t => {
  const locations = [
    { type: 'subscriber', store: 'fast', url: '/s/(\\d+)/', polling: 'interval', create_on_get: true },
    { type: 'publisher', store: 'default', prefix: 'not used [', url: '/p/(\\d+)/', create_on_post: false },
    { type: 'subscriber', prefix: '/long/', polling: 'long', create_on_get: false },
  ]
  const store = {
    default: { type: 'memory', max_messages: 7 },
    fast: { type: 'memory', min_messages: 1, max_messages: 0, message_timeout: 10 },
    ever: { type: 'memory', message_timeout: 0 },
    url: 'memory:?retain=5',
    'a b': 'file:data?fsync=interval:1s',
  }
  const config = configOf(t, JSON.stringify({ store, locations }))
  t.same(config.store, { kind: 'memory', retention: { maxCount: 7 } })
  t.same(
    config.stores,
    new Map<string, unknown>([
      ['fast', { kind: 'memory', retention: { maxCount: 0, maxAgeMs: 10_000 } }],
      ['ever', { kind: 'memory', retention: { maxAgeMs: Infinity } }],
      ['url', { kind: 'memory', retention: { maxCount: 5 } }],
      ['a b', { kind: 'file', path: resolve('data'), syncIntervalMs: 1000, retention: {} }],
    ]),
  )
  t.match(config.locations, [
    { kind: 'subscriber', store: 'fast', isLong: false, createsOnGet: true },
    { kind: 'publisher', store: 'default', createsOnPost: false },
    { kind: 'subscriber', store: 'default', isLong: true, createsOnGet: false },
  ])
  t.same(
    config.locations?.map(({ pattern }) => pattern.exec('/s/1/')?.[1] ?? pattern.exec('/p/2/')?.[1]),
    ['1', '2', undefined],
  )
  t.end()
})

await t.test('what it does not name is as without it', t => {
  const config = configOf(t, 'store: {other: {type: memory, max_messages: 1}}\n')
  t.match(config, { address: '127.0.0.1', port: 8888, store: MEMORY, locations: null })
  t.equal(config.stores.size, 1)
  t.same(configOf(t, 'locations: []\n').locations, [], 'an empty list is none')
  t.end()
})

await t.test('the flag says what the main store is, and leaves the others', t => {
  const content = 'store: {default: "memory:?retain=1", a: "memory:?retain=2"}\nlocations: []\n'
  const config = configOf(t, content, '--store=memory:?retain=3')
  t.same(config.store, { kind: 'memory', retention: { maxCount: 3 } })
  t.same(config.stores, new Map([['a', { kind: 'memory', retention: { maxCount: 2 } }]]))
  t.end()
})

await t.test('the words for true and false of its time are read in locations', t => {
  for (const [words, isOn] of [
    [['true', 'True', 'yes', 'Yes', 'ON', 'on'], true],
    [['false', 'FALSE', 'no', 'No', 'off'], false],
  ] as const) {
    for (const word of words) {
      const { locations } = configOf(
        t,
        `locations: [{type: publisher, prefix: /p/, create_on_post: ${word}}]`,
      )
      t.match(locations, [{ createsOnPost: isOn }], word)
    }
  }
  t.end()
})

await t.test('nothing for an address is all addresses in a file, and a fault on the command line', t => {
  t.equal(configOf(t, 'address: ""').address, '0.0.0.0')
  t.throws(() => loadConfig(['--address='], {}), ConfigError)
  t.throws(() => loadConfig(['--locations=x'], {}), {
    option: 'locations',
    message: /found one for a file only$/,
  })
  t.end()
})

await t.test('two stores in one directory are refused', t => {
  for (const content of ['store: {a: "file:x", b: "file:./x"}', 'store: {default: "file:x", b: "file:x"}']) {
    t.match(faultIn(t, content), {
      at: '1:8',
      option: 'store',
      message: /expected a directory for each store/,
    })
  }
  t.end()
})

await t.test('every fault has its line, its column and its option', t => {
  const location = (rest: string) => `locations: [{type: subscriber, prefix: /x/, ${rest}}]`
  const cases: readonly (readonly [content: string, at: string, option: string, text: string])[] = [
    ['store: {type: redis, host: localhost, port: 6379}', '1:15', 'store.type', 'redis is not available yet'],
    ['store:\n  a:\n    type: redis', '3:11', 'store.a.type', 'redis is not available yet'],
    ['store: {type: tape}', '1:15', 'store.type', 'expected memory, found "tape"'],
    ['store: {type: }', '1:9', 'store.type', 'expected memory, found nothing'],
    ['store: {a: {}}', '1:12', 'store.a', 'a mapping with type'],
    ['store: {a: {max_messages: 5}}', '1:12', 'store.a', 'a mapping with type'],
    ['store: {a: 5}', '1:12', 'store.a', 'memory: or file:DIRECTORY'],
    ['store: {a: [memory]}', '1:12', 'store.a', 'found a list'],
    ['store: {a: "tape:"}', '1:12', 'store.a', 'found "tape:"'],
    ['store: [memory]', '1:8', 'store', 'found a list'],
    ['store: {5: "memory:"}', '1:9', 'store', 'expected only texts as keys'],
    ['store: {a: "memory:", a: "memory:"}', '1:23', 'store.a', 'expected each key once, found it already at'],
    ['store: {type: memory, host: x}', '1:23', 'store', 'expected only type, min_messages'],
    ['store: {type: memory, max_messages: -1}', '1:37', 'store.max_messages', 'found -1'],
    ['store: {type: memory, max_messages: 010}', '1:37', 'store.max_messages', 'found 010'],
    ['store: {type: memory, min_messages: x}', '1:37', 'store.min_messages', 'found "x"'],
    ['store: {type: memory, message_timeout: 10s}', '1:40', 'store.message_timeout', 'found "10s"'],
    ['store: &a {a: *a}', '1:15', 'store.a', 'a mapping with type'],
    ['locations:', '1:1', 'locations', 'expected a list of locations, found nothing'],
    ['locations: x', '1:12', 'locations', 'expected a list of locations, found "x"'],
    ['locations: {}', '1:12', 'locations', 'expected a list of locations, found a mapping'],
    ['locations:\n- x', '2:3', 'locations', 'expected a mapping with type'],
    ['locations:\n- []', '2:3', 'locations', 'found a list'],
    ['locations: &a [*a]', '1:16', 'locations', 'found a list'],
    ['locations: [{prefix: /x/}]', '1:13', 'locations', 'found none with type'],
    ['locations: [{type: both, prefix: /x/}]', '1:20', 'locations.type', 'expected publisher or subscriber'],
    ['locations: [{type: publisher}]', '1:13', 'locations', 'found neither prefix nor url'],
    ['locations: [{type: publisher, prefix: x}]', '1:39', 'locations.prefix', 'the beginning of a path'],
    ['locations: [{type: publisher, prefix: 5, url: /(.)}]', '1:39', 'locations.prefix', 'expected a text'],
    ['locations: [{type: publisher, url: /x}]', '1:36', 'locations.url', 'exactly one group'],
    ['locations: [{type: publisher, prefix: /x/, polling: long}]', '1:44', 'locations', 'found "polling"'],
    [location('create_on_post: true'), '1:45', 'locations', 'found "create_on_post"'],
    [location('allow_origin: "*"'), '1:45', 'locations', 'found "allow_origin"'],
    [location('__proto__: 1'), '1:45', 'locations', 'found "__proto__"'],
    [location('5: 1'), '1:45', 'locations', 'found another key'],
    [location('polling: short'), '1:54', 'locations.polling', 'expected long or interval'],
    [location('create_on_get: 1'), '1:60', 'locations.create_on_get', 'expected true or false, found 1'],
    [location('create_on_get: y'), '1:60', 'locations.create_on_get', 'expected true or false, found "y"'],
    [location('store: [a]'), '1:52', 'locations.store', 'the name of a store'],
    [location('store: a'), '1:52', 'locations.store', 'expected the name of a store (default), found "a"'],
    [`store: {b: "memory:"}\n${location('store: a')}`, '2:52', 'locations.store', '(default, b), found "a"'],
    [location('type: publisher'), '1:45', 'locations.type', 'expected each key once'],
    [location('store: *a'), '1:52', 'locations.store', 'expected an alias of something above'],
  ]
  for (const [content, at, option, text] of cases) {
    const fault = faultIn(t, content)
    t.match({ at: fault.at, option: fault.option }, { at, option }, content)
    t.ok(fault.message.includes(text), fault.message)
  }
  t.end()
})
