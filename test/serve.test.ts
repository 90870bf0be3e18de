import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError } from '../src/config/config-error.ts'
import { defaultConfig } from '../src/config/load.ts'
import type { Config, Listener } from '../src/config/schema.ts'
import { silentLog } from '../src/log.ts'
import { ListenError, serve } from '../src/serve.ts'
import { openStore } from '../src/store/open.ts'
import { StoreError } from '../src/store/store-error.ts'
import { occupyPort } from './program.ts'

function configOf(ports: readonly number[], settings: Partial<Config> = {}): Config {
  const listeners = ports.map((port): Listener => ({
    address: '127.0.0.1',
    port,
    isTls: false,
    protocol: null,
  }))
  return { ...defaultConfig(), ...settings, listeners }
}

await t.test('if one listener cannot be opened, those before it are closed again', async t => {
  // A port that was free a moment ago.
  const first = createServer().listen(0, '127.0.0.1')
  await once(first, 'listening')
  const { port } = first.address() as { readonly port: number }
  first.close()
  await once(first, 'close')

  const config = configOf([port, await occupyPort(t)])
  await t.rejects(serve(config, { log: silentLog, signal: new AbortController().signal }), ListenError)
  const again = createServer().listen(port, '127.0.0.1')
  await once(again, 'listening')
  again.close()
})

await t.test('it returns the URLs in the order of the configuration and closes with its signal', async t => {
  const stop = new AbortController()
  const running = await serve(configOf([0, 0]), {
    log: silentLog,
    signal: stop.signal,
  })
  const { urls, closed } = running
  t.equal(urls.length, 2)
  for (const url of urls) t.equal((await fetch(`${url}/msgbus/a`, { method: 'HEAD' })).status, 200)
  t.doesNotThrow(() => {
    running.reloadCertificate()
  })
  stop.abort()
  await closed
  await t.rejects(fetch(urls[0] ?? ''))
})

await t.test('it keeps as much history as its store is told to', async t => {
  const stop = new AbortController()
  const store = { kind: 'memory', retention: { maxCount: 1 } } as const
  const { urls, closed } = await serve(configOf([0], { store }), { log: silentLog, signal: stop.signal })
  const channel = `${urls[0] ?? ''}/msgbus/a`
  for (const body of ['one', 'two']) await fetch(channel, { method: 'POST', body })
  const answer = await fetch(`${channel}?poll&as=ndjson`)
  t.match(await answer.text(), /^\{[^\n]+"body":"two"\}\n$/)
  stop.abort()
  await closed
})

await t.test('it opens every store, and keeps of each channel what its rule says in all of them', async t => {
  const stop = new AbortController()
  const memory = { kind: 'memory', retention: {} } as const
  const settings = {
    stores: new Map([['other', memory]]),
    retain: [{ paths: ['none'], maxCount: 0 }],
    locations: (['default', 'other'] as const).flatMap(store => [
      { kind: 'publisher', pattern: new RegExp(`^/${store}/(.+)$`), store, createsOnPost: true } as const,
      {
        ...({ kind: 'subscriber', pattern: new RegExp(`^/get/${store}/(.+)$`), store } as const),
        ...{ isLong: false, createsOnGet: false },
      },
    ]),
  }
  const { urls, closed } = await serve(configOf([0], settings), { log: silentLog, signal: stop.signal })
  const [url = ''] = urls
  const post = async (path: string) => (await fetch(`${url}${path}`, { method: 'POST', body: 'x' })).status
  const get = async (path: string) => (await fetch(`${url}${path}`)).status
  t.equal(await post('/other/a'), 202)
  t.equal(await get('/get/other/a'), 200)
  t.equal(await get('/get/default/a'), 404, 'two stores share no channel')
  for (const store of ['default', 'other']) {
    t.equal(await post(`/${store}/none`), 202)
    t.equal(await get(`/get/${store}/none`), 304)
  }
  t.equal(await get('/publisher/a'), 404, 'the default locations are not there')
  stop.abort()
  await closed
})

await t.test('if one store cannot be opened, those before it are closed again', async t => {
  const path = t.testdir({ foreign: { file: '' } })
  const file = (name: string) => {
    return { kind: 'file', path: join(path, name), syncIntervalMs: null, retention: {} } as const
  }
  const stores = new Map([
    ['other', file('other')],
    ['foreign', file('foreign')],
  ])
  const config = configOf([0], { store: file('main'), stores })
  await t.rejects(serve(config, { log: silentLog, signal: AbortSignal.abort() }), StoreError)
  for (const name of ['main', 'other']) {
    const again = await openStore(file(name))
    await again.close()
  }
})

await t.test('a signal that was given before it opened closes it, too', async t => {
  const { closed } = await serve(configOf([0]), { log: silentLog, signal: AbortSignal.abort() })
  await t.resolves(closed)
})

await t.test('a certificate file that is gone by now is a fault of the configuration', async t => {
  const config = configOf([await occupyPort(t)], { certFile: '/nowhere/cert.pem' })
  const error: unknown = await serve(config, { log: silentLog, signal: AbortSignal.abort() }).catch(
    (e: unknown) => e,
  )
  t.ok(error instanceof ConfigError)
  t.match(error, { place: '/nowhere/cert.pem', option: 'cert', message: /ENOENT/ })
})
