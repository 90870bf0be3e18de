// Which server an address means, and who is asking: what goes out for each spelling, seen by the fetch that is handed in.

import t from 'tap'
import { type ClientOptions, connect } from '../../client/index.ts'

interface Sent {
  readonly url: string
  readonly headers: Headers
}

/** A client whose requests go nowhere; each is accepted. */
function record(address?: string | URL): {
  readonly client: ReturnType<typeof connect>
  readonly sent: Sent[]
} {
  const sent: Sent[] = []
  const fetch: ClientOptions['fetch'] = (url, init) => {
    sent.push({ url: url as string, headers: new Headers(init?.headers) })
    return Promise.resolve(new Response(null, { status: 204, headers: { 'Msgbus-Id': 'e-1' } }))
  }
  return { client: connect(address, { fetch }), sent }
}

for (const [address, url] of [
  [undefined, 'http://127.0.0.1:8888/msgbus/a'],
  ['http://host', 'http://host/msgbus/a'],
  ['http://host:80/', 'http://host/msgbus/a'],
  [new URL('https://host:8443/'), 'https://host:8443/msgbus/a'],
  ['http://host/msgbus', 'http://host/msgbus/a'],
  ['http://host/msgbus/', 'http://host/msgbus/a'],
  ['http://host/msgbus/b/c?type=x#y', 'http://host/msgbus/a'],
  ['http://host/behind/proxy/msgbus/b', 'http://host/behind/proxy/msgbus/a'],
  ['http://host/push', 'http://host/push/a'],
  ['http://host/push/', 'http://host/push/a'],
  ['http://[::1]:8888', 'http://[::1]:8888/msgbus/a'],
] as const) {
  await t.test(`${String(address)} leads to ${url}`, async t => {
    const { client, sent } = record(address)
    t.strictSame(await client.publish('a', 'x'), { id: 'e-1' })
    t.equal(sent[0]?.url, url)
  })
}

for (const address of ['', 'host', 'host:8888', '//host', 'ftp://host', 'ws://host', 'file:///msgbus/']) {
  await t.test(`"${address}" is no address`, t => {
    t.throws(() => connect(address), TypeError)
    t.end()
  })
}

for (const [channel, path] of [
  ['a/b', 'a/b'],
  ['a,b', 'a%2Cb'],
  ['ä ?#%2F', '%C3%A4%20%3F%23%252F'],
] as const) {
  await t.test(`a message for "${channel}" goes to ${path}`, async t => {
    const { client, sent } = record('http://host')
    await client.publish(channel, 'x')
    t.equal(sent[0]?.url, `http://host/msgbus/${path}`)
  })
}

for (const [address, sender, credentials] of [
  ['http://host', undefined, null],
  ['http://host', 'bob', 'bob:'],
  ['http://host', '', ':'],
  ['http://host', 'jürgen', 'jÃ¼rgen:'],
  ['http://dug@host', undefined, 'dug:'],
  ['http://dug:p%40ss@host', undefined, 'dug:p@ss'],
  ['http://:pass@host', undefined, ':pass'],
  ['http://dug:pass@host', 'bob', 'bob:pass'],
] as const) {
  await t.test(`"${sender ?? ''}" at ${address} publishes as ${credentials ?? 'nobody'}`, async t => {
    const { client, sent } = record(address)
    await client.publish('a', 'x', { sender })
    const authorization = sent[0]?.headers.get('authorization') ?? null
    t.equal(authorization, credentials === null ? null : `Basic ${btoa(credentials)}`)
    t.notMatch(sent[0]?.url, /dug|pass/)
  })
}
