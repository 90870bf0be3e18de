// What a connection may hold of requests whose turn has not come, with real connections.

import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { MAX_WAITING_REQUESTS, Pipelines } from '../../src/http/pipelines.ts'
import { createServer, type Server } from '../../src/server.ts'
import { stillBus } from '../still-bus.ts'
import { goodPost, openServer, type Place, RawConnection, request } from '../wire/raw.ts'

const COUNT = 3_000

/** The connections as the server has them. */
async function open(t: Test): Promise<Place & { readonly server: Server; nextSocket(): Promise<Socket> }> {
  const server = createServer({ bus: stillBus() })
  const http = createHttpServer(server.handle)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(async () => {
    http.close()
    http.closeAllConnections()
    await server.close(0)
  })
  const { port } = http.address() as AddressInfo
  const nextSocket = async (): Promise<Socket> => {
    const [socket] = (await once(http, 'connection')) as [Socket]
    return socket
  }
  return { server, port, host: `127.0.0.1:${port}`, nextSocket }
}

await t.test('a connection with too many requests waiting is not read until they are answered', async t => {
  const place = await open(t)
  const accepted = place.nextSocket()
  const client = new RawConnection(t, place.port).write(request(place, 'GET /msgbus/first?wait=5m'))
  const socket = await accepted
  const paused = once(socket, 'pause')
  client.write(goodPost(place, 'a', 'x').repeat(COUNT))
  await paused
  t.ok(socket.isPaused(), 'not read')
  await place.server.bus.publish({
    channel: 'first',
    type: 'text/plain',
    sender: null,
    body: Buffer.from('x'),
  })
  client.write(request(place, 'GET /msgbus/a?poll', ['Connection: close']))
  const text = await client.closed()
  t.equal(text.split('HTTP/1.1 204 No Content').length - 1, COUNT, 'each is answered')
  t.equal(text.split('HTTP/1.1 200 OK').length - 1, 2, 'and the first and the last')
})

await t.test('so is one that comes to a listener of our own', async t => {
  const place = await openServer(t)
  const client = new RawConnection(t, place.port).write(request(place, 'GET /msgbus/first?wait=5m'))
  client.write(goodPost(place, 'a', 'x').repeat(COUNT))
  client.write(request(place, 'GET /msgbus/a?poll', ['Connection: close']))
  const waiter = new RawConnection(t, place.port).write(request(place, 'GET /msgbus/?as=ndjson'))
  await waiter.matched('200 OK')
  t.notMatch(waiter.text, '"channel":"a"', 'nothing is carried out before its turn')
  await place.server.bus.publish({
    channel: 'first',
    type: 'text/plain',
    sender: null,
    body: Buffer.from('x'),
  })
  const text = await client.closed()
  t.equal(text.split('HTTP/1.1 204 No Content').length - 1, COUNT, 'each is answered')
})

await t.test('a connection that is not read for too long is closed', async t => {
  const place = await open(t)
  const accepted = place.nextSocket()
  const client = new RawConnection(t, place.port)
  const socket = await accepted
  const pipelines = new Pipelines(1)
  for (let count = 0; count <= MAX_WAITING_REQUESTS; count++) pipelines.add(socket)
  t.equal(await client.closed(), '')
})

await t.test('so is one that HTTP reads from its first byte on, if its client takes no answers', async t => {
  const place = await openServer(t)
  const client = new RawConnection(t, place.port).write(request(place, 'OPTIONS /msgbus/a'))
  await client.matched('204')
  client.socket.pause()
  const posts = goodPost(place, 'a', 'x').repeat(1_000)
  const taken = (): Promise<string> =>
    new Promise(resolve => {
      client.socket.write(posts, () => {
        resolve('taken')
      })
    })
  // More than the system takes in for a connection that is not read.
  let count = 0
  while (count < 250 && (await Promise.race([taken(), setTimeout(2_000, 'waiting')])) === 'taken') count++
  t.ok(count < 250)
})
