// A server of several processes, seen from outside: it makes no difference at which of them somebody is.

import { join } from 'node:path'
import t from 'tap'
import { askOn, connectTo, publishOn, startCrew, subscribeOn, until } from './crew.ts'

const SEVERAL = 10

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => at + 1)
}

await t.test(
  'a subscriber gets the same bytes whichever worker it is at, of one channel and of all',
  async t => {
    const crew = await startCrew(t)
    const publishers = [await connectTo(t, crew, 1), await connectTo(t, crew, 2)]
    for (const path of ['/msgbus/a/b', '/msgbus/a/', '/msgbus/', '/msgbus/a/b,c']) {
      const one = await subscribeOn(await connectTo(t, crew, 1), path)
      const other = await subscribeOn(await connectTo(t, crew, 2), path)
      t.equal(one.boundary, other.boundary)
      const ids: string[] = []
      for (const number of range(SEVERAL)) {
        const publisher = publishers[number % 2]
        if (publisher !== undefined) ids.push(await publishOn(publisher, '/msgbus/a/b', `${number}`))
      }
      const last = ids.at(-1) ?? ''
      const [text, same] = [await one.stream.readThrough(last), await other.stream.readThrough(last)]
      // Probes for the second one may have come before.
      const from = `Msgbus-Id: ${ids[0]}`
      t.equal(text.slice(text.indexOf(from)), same.slice(same.indexOf(from)), path)
      t.same(
        [...text.matchAll(/Msgbus-Id: (\S+)/g)].map(([, id]) => id).filter(id => ids.includes(id ?? '')),
        ids,
      )
    }
  },
)

await t.test('what was published at one worker can be read at another at once', async t => {
  const crew = await startCrew(t)
  const publisher = await connectTo(t, crew, 1)
  const reader = await connectTo(t, crew, 2)
  let before = await publishOn(publisher, '/msgbus/a', 'first')
  for (const number of range(50)) {
    const id = await publishOn(publisher, '/msgbus/a', `${number}`)
    const { body } = await askOn(reader, 'GET', `/msgbus/a?poll&as=ndjson&since=${before}`)
    t.match(JSON.parse(body), { id, body: `${number}` })
    before = id
  }
})

await t.test('who was at one worker goes on at another, and is told what is gone', async t => {
  const crew = await startCrew(t, ['--store', 'memory:?retain=5'])
  const publisher = await connectTo(t, crew, 1)
  const ids: string[] = []
  for (const number of range(SEVERAL)) ids.push(await publishOn(publisher, '/msgbus/a', `${number}`))
  const connection = await connectTo(t, crew, 2)
  const { stream, boundary } = await subscribeOn(connection, '/msgbus/a', [`Last-Event-ID: ${ids[6]}`])
  const bodies = async (count: number): Promise<readonly string[]> => {
    const parts: string[] = []
    while (parts.length < count) parts.push((await stream.readPart(boundary)).body)
    return parts
  }
  t.same(await bodies(3), ['8', '9', '10'])
  await publishOn(publisher, '/msgbus/a', '11')
  t.same(await bodies(1), ['11'])
  const late = await connectTo(t, crew, 1)
  const { headers } = await askOn(late, 'GET', `/msgbus/a?poll&as=ndjson&since=${ids[1]}`)
  t.equal(headers.get('msgbus-resume'), 'gap; missed=4')
})

await t.test('a channel of hbpush that is made or deleted at one worker is so at the other', async t => {
  const crew = await startCrew(t)
  const [one, other] = [await connectTo(t, crew, 1), await connectTo(t, crew, 2)]
  for (const round of range(20)) {
    const [path, seen] = [`/publisher/c${round}`, `/publisher/c${round}`]
    t.equal((await askOn(other, 'GET', seen)).status, 404)
    t.equal((await askOn(one, 'PUT', path, { body: '' })).status, 200)
    t.equal((await askOn(other, 'GET', seen)).status, 200)
    t.equal((await askOn(other, 'DELETE', path)).status, 200)
    t.equal((await askOn(one, 'GET', seen)).status, 404)
  }
})

await t.test('a subscriber of hbpush waits at one worker for what is published at the other', async t => {
  const crew = await startCrew(t)
  const waiting = await connectTo(t, crew, 1)
  const publisher = await connectTo(t, crew, 2)
  t.equal((await askOn(publisher, 'PUT', '/publisher/x', { body: '' })).status, 200)
  waiting.send('GET /subscriber/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  await until(async () =>
    (await askOn(publisher, 'GET', '/publisher/x')).body.includes('active subscribers: 1'),
  )
  const answer = await askOn(publisher, 'POST', '/publisher/x', { body: 'hello' })
  t.equal(answer.status, 201)
  t.match(await waiting.readAnswer(), { status: 200, body: 'hello' })
})

await t.test('each of several stores is the same at all workers', async t => {
  const config = `store: { one: 'memory:', two: 'memory:' }
locations:
  - { type: publisher, prefix: /one/, store: one }
  - { type: publisher, prefix: /two/, store: two, create_on_post: false }
  - { type: subscriber, prefix: /read/, store: two }
`
  const folder = t.testdir({ 'bus.yaml': config })
  const crew = await startCrew(t, ['--config', join(folder, 'bus.yaml')])
  const [first, second] = [await connectTo(t, crew, 1), await connectTo(t, crew, 2)]
  t.equal((await askOn(first, 'POST', '/one/x', { body: 'of one' })).status, 202)
  t.equal((await askOn(second, 'POST', '/two/x', { body: 'of two' })).status, 404, 'no channel of this store')
  t.equal((await askOn(first, 'PUT', '/two/x', { body: '' })).status, 200)
  const third = await connectTo(t, crew, 2)
  t.equal((await askOn(third, 'POST', '/two/x', { body: 'of two' })).status, 202)
  t.match(await askOn(first, 'GET', '/read/x'), { status: 200, body: 'of two' })
})

await t.test('statistics are those of all workers', async t => {
  const crew = await startCrew(t)
  for (const worker of [1, 2]) await subscribeOn(await connectTo(t, crew, worker), '/msgbus/a')
  const publisher = await connectTo(t, crew, 1)
  await publishOn(publisher, '/msgbus/a', 'hello')
  for (const worker of [1, 2]) {
    const reader = await connectTo(t, crew, worker)
    await until(async () => {
      const { body } = await askOn(reader, 'GET', '/_/stats?poll')
      const { channels } = JSON.parse(body) as { channels: { name: string; subscribers: number }[] }
      const channel = channels.find(({ name }) => name === 'a')
      return channel?.subscribers === 2
    })
  }
})

await t.test('a store on disk goes on where it was, whichever worker is asked', async t => {
  const args = ['--store', `file:${join(t.testdir(), 'store')}`]
  const first = await startCrew(t, args)
  const ids: string[] = []
  for (const worker of [1, 2, 1]) {
    ids.push(await publishOn(await connectTo(t, first, worker), '/msgbus/a', `${ids.length}`))
  }
  first.program.child.kill('SIGTERM')
  t.match(await first.program.exit(), { code: 0, signal: null })
  const second = await startCrew(t, args)
  for (const worker of [1, 2]) {
    const { body } = await askOn(
      await connectTo(t, second, worker),
      'GET',
      '/msgbus/a?poll&as=ndjson&since=all',
    )
    const lines = body.trim().split('\n')
    t.same(
      lines.map(line => (JSON.parse(line) as { id: string }).id),
      ids,
    )
  }
})
