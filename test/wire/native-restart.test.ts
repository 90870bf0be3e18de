// Coming back to a server that was started anew on its store: who missed something on its own channels is told, by number of
// message or by the clock, and who missed nothing is not, whatever went on other channels.

import t, { type Test } from 'tap'
import { poll, post, startOnFile, validators } from './hbpush.ts'
import { get, publish, type TestServer } from './server.ts'

// Of `cam` nothing is kept.
const RETENTION = { rules: [{ paths: ['cam'], maxCount: 0 }] }

async function publishTo(t: Test, server: TestServer, channel: string): Promise<string> {
  const { headers } = await publish(t, server, `/msgbus/${channel}`, 'x')
  return headers.get('msgbus-id') ?? ''
}

/** What the head of a stream says, asked for in every way. */
async function toldBy(t: Test, server: TestServer, channel: string, id: string) {
  const told = new Set<string | undefined>()
  for (const [path, headers] of [
    [`/msgbus/${channel}?since=${id}`, []],
    [`/msgbus/${channel}`, [`Last-Event-ID: ${id}`]],
    [`/msgbus/${channel}?as=ndjson`, [`Last-Event-ID: ${id}`]],
    [`/msgbus/${channel}?poll&since=${id}`, []],
  ] as const) {
    const { head, stream } = await get(t, server, path, { headers })
    told.add(head.headers.get('msgbus-resume'))
    stream.socket.destroy()
  }
  return [...told]
}

await t.test('what went of one channel is no reset for readers of another', async t => {
  const path = `${t.testdir()}/store`
  const first = await startOnFile(t, path, RETENTION)
  const begin = await publishTo(t, first, 'chat')
  await publishTo(t, first, 'cam')
  const chat = await publishTo(t, first, 'chat')
  const cam = await publishTo(t, first, 'cam')
  await first.close()
  for (const life of ['second', 'third']) {
    const server = await startOnFile(t, path, RETENTION)
    for (const id of [begin, chat, cam]) {
      t.same(await toldBy(t, server, 'chat', id), ['ok'], `${life} life, behind ${id}`)
      t.same(await toldBy(t, server, 'nobody', id), ['ok'])
    }
    t.same(await toldBy(t, server, 'cam', chat), ['reset'])
    t.same(await toldBy(t, server, 'cam,chat', chat), ['reset'])
    t.same(await toldBy(t, server, '', chat), ['reset'])
    const hadAll = await publishTo(t, server, 'cam')
    t.same(await toldBy(t, server, 'cam', hadAll), ['ok'])
    await server.close()
  }
})

await t.test('nor for those who say where they were by the clock', async t => {
  const path = `${t.testdir()}/store`
  const first = await startOnFile(t, path, RETENTION)
  await post(t, first, 'chat', '1')
  const position = validators(await poll(t, first, 'chat'))
  await post(t, first, 'cam', '2')
  await post(t, first, 'chat', '3')
  await post(t, first, 'cam', '4')
  await first.close()
  const server = await startOnFile(t, path, RETENTION)
  const next = await poll(t, server, 'chat', position)
  t.equal(next.body, '3')
  t.equal(next.headers.get('msgbus-resume'), undefined)
  const old = ['If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT', 'If-None-Match: 0']
  await post(t, server, 'cam', '5')
  const { headers } = await poll(t, server, 'cam', old)
  t.equal(headers.get('msgbus-resume'), 'reset')
  await server.close()
})
