// What stands between a socket and Node's HTTP server: it serves requests as a socket does, and gives the socket back.

import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Socket,
} from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { Carrier } from '../../src/http/carrier.ts'
import { certificate, connect, connectSecurely, type Connection, requestText } from '../wire/server.ts'

/** More than any buffer on the way takes. */
const LARGE_BYTES = 8 * 1024 * 1024

interface Rig {
  readonly port: number
  readonly http: Server
  /** The next connection. */
  accept(): Promise<{ readonly socket: Socket; readonly carrier: Carrier }>
}

/** Gives every connection to an HTTP server, on a carrier. */
async function open(t: Test, listener: RequestListener, isTls = false): Promise<Rig> {
  const http = createHttpServer({ keepAliveTimeout: 60_000 }, listener)
  const pem = certificate('a')
  const server = isTls
    ? createTlsServer({ cert: pem, key: pem })
    : createTcpServer({ allowHalfOpen: true, noDelay: true })
  const accepted: ((connection: { socket: Socket; carrier: Carrier }) => void)[] = []
  const sockets = new Set<Socket>()
  server.on(isTls ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket)
    const carrier = new Carrier(socket)
    http.emit('connection', carrier)
    accepted.shift()?.({ socket, carrier })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    port: (server.address() as AddressInfo).port,
    http,
    accept: () => new Promise(resolve => accepted.push(resolve)),
  }
}

/** Unlike `once`, whatever goes wrong before. */
function closed(emitter: NodeJS.EventEmitter): Promise<void> {
  return new Promise(resolve => {
    emitter.once('close', () => {
      resolve()
    })
  })
}

await t.test('requests are answered in order, one by one and in one segment', async t => {
  const rig = await open(t, (req, res) => {
    req.resume()
    res.setHeader('Content-Length', 2)
    res.write(req.url?.[1] ?? '')
    res.end('\n')
  })
  const connection = await connect(t, rig)
  for (const name of ['a', 'b']) {
    connection.send(requestText('GET', `/${name}`))
    t.equal((await connection.readAnswer()).body, `${name}\n`)
  }
  const post = requestText('POST', '/d', { body: 'x'.repeat(100_000) })
  connection.send(`${requestText('GET', '/c')}${post}${requestText('GET', '/e')}`)
  for (const name of ['c', 'd', 'e']) t.equal((await connection.readAnswer()).body, `${name}\n`)
})

await t.test(
  'whoever serves a request sees the ends of the connection, and whether it is encrypted',
  async t => {
    for (const isTls of [false, true]) {
      const rig = await open(
        t,
        ({ socket }, res) => {
          const { remoteAddress, remotePort, remoteFamily, localAddress, localPort } = socket
          const encrypted = 'encrypted' in socket && socket.encrypted
          const ends = [remoteAddress, remotePort, remoteFamily, localAddress, localPort, encrypted]
          res.setHeader('Content-Length', ends.join().length)
          res.end(ends.join())
        },
        isTls,
      )
      const connection = await (isTls ? connectSecurely : connect)(t, rig)
      connection.send(requestText('GET', '/'))
      const wanted = ['127.0.0.1', connection.socket.localPort, 'IPv4', '127.0.0.1', rig.port, isTls]
      t.equal((await connection.readAnswer()).body, wanted.join())
    }
  },
)

await t.test('an answer waits for its reader, and arrives whole', async t => {
  const piece = Buffer.alloc(65_536, 'abcdefg')
  const rig = await open(t, () => undefined)
  const accepted = rig.accept()
  const requested = once(rig.http, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const connection = await connect(t, rig)
  const { socket, carrier } = await accepted
  connection.socket.pause()
  connection.send(requestText('GET', '/', { version: '1.0' }))
  const [, res] = await requested
  let byteCount = 0
  // Until the system takes no more.
  while (socket.writableLength === 0) {
    byteCount += piece.length
    res.write(piece)
    await nextTurn()
  }
  t.ok(carrier.writableLength > 0, 'it has to wait')
  t.ok(carrier.writableNeedDrain)
  const drained = once(res, 'drain')
  connection.socket.resume()
  await drained
  res.end()
  const body = (await connection.readToEnd()).replace(/^.*?\r\n\r\n/s, '')
  t.equal(body.length, byteCount)
  t.ok(body === piece.toString('latin1').repeat(byteCount / piece.length))
})

await t.test('a body waits until it is read, and arrives whole', async t => {
  const body = 'abcdefg'.repeat(LARGE_BYTES / 8)
  const rig = await open(t, () => undefined)
  const accepted = rig.accept()
  const requested = once(rig.http, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const connection = await connect(t, rig)
  const { socket } = await accepted
  connection.send(requestText('PUT', '/', { body }))
  const [req, res] = await requested
  if (!socket.isPaused()) await once(socket, 'pause')
  t.ok((await text(req)) === body)
  res.writeHead(204).end()
  t.equal((await connection.readAnswer()).status, 204)
})

await t.test('a peer that closes its side behind its request gets the answer, and the end', async t => {
  const rig = await open(t, (_req, res) => res.end('answer'))
  const connection = await connect(t, rig)
  connection.socket.end(requestText('GET', '/'))
  t.match(await connection.readToEnd(), /\r\n\r\nanswer$/)
})

await t.test(
  'a connection that breaks ends its request, and one that is destroyed ends the connection',
  async t => {
    const rig = await open(t, () => undefined)
    for (const isReset of [true, false]) {
      const accepted = rig.accept()
      const requested = once(rig.http, 'request') as Promise<[IncomingMessage, ServerResponse]>
      const connection = await connect(t, rig)
      connection.send(requestText('GET', '/'))
      const { socket, carrier } = await accepted
      const [req, res] = await requested
      const allClosed = Promise.all([closed(socket), closed(carrier), closed(res)])
      if (isReset) connection.socket.resetAndDestroy()
      else req.socket.destroy()
      await allClosed
      t.equal(await connection.readToEnd(), '')
    }
  },
)

await t.test('time without a byte is told, and ends a connection on which nothing is asked', async t => {
  const rig = await open(t, (_req, res) => {
    res.setTimeout(1, () => res.end('late'))
  })
  const connection = await connect(t, rig)
  connection.send(requestText('GET', '/'))
  t.match(await connection.readThrough('late'), /late$/)
  const accepted = rig.accept()
  const idle = await connect(t, rig)
  const { carrier } = await accepted
  carrier.setTimeout(1)
  t.equal(await idle.readToEnd(), '')
})

await t.test('what was written before an end arrives, and the end is told', async t => {
  const answer = 'x'.repeat(LARGE_BYTES)
  for (const isSoon of [true, false]) {
    const rig = await open(t, () => undefined)
    const accepted = rig.accept()
    const requested = once(rig.http, 'request') as Promise<[IncomingMessage, ServerResponse]>
    // A peer that keeps its side open.
    const peer = connectTcp({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true })
    t.teardown(() => peer.destroy())
    peer.write(requestText('GET', '/'))
    const { socket } = await accepted
    const [req] = await requested
    const isClosed = closed(socket)
    if (isSoon) {
      req.socket.write(answer)
      req.socket.destroySoon()
    } else {
      req.socket.end(answer)
    }
    let byteCount = 0
    peer.on('data', (bytes: Buffer) => (byteCount += bytes.length))
    await once(peer, 'end')
    t.equal(byteCount, LARGE_BYTES)
    if (!isSoon) {
      t.notOk(socket.destroyed, 'there may come more')
      peer.end()
    }
    await isClosed
  }
})

/** A connection that was released from its first request, when HTTP has let go of it. */
async function release(
  t: Test,
  isTls: boolean,
): Promise<{ readonly connection: Connection; readonly socket: Socket }> {
  const rig = await open(t, () => undefined, isTls)
  const connection = await (isTls ? connectSecurely : connect)(t, rig)
  const requested = once(rig.http, 'request') as Promise<[IncomingMessage, ServerResponse]>
  connection.send(requestText('GET', '/'))
  const [req, res] = await requested
  const carrier = req.socket
  if (!(carrier instanceof Carrier)) throw new TypeError('Cannot release what is no carrier')
  const allClosed = Promise.all([closed(res), closed(carrier)])
  const socket = carrier.release()
  await allClosed
  return { connection, socket }
}

for (const isTls of [false, true]) {
  await t.test(`a connection goes on when it is released from HTTP, TLS ${isTls}`, async t => {
    const { connection, socket } = await release(t, isTls)
    t.notOk(socket.destroyed)
    t.equal(socket.isPaused(), true, 'nothing is lost before somebody reads')
    for (const event of ['data', 'timeout', 'drain']) t.equal(socket.listenerCount(event), 0, event)
    socket.write('from the server')
    t.equal(await connection.readThrough('server'), 'from the server')
    connection.send('from the client')
    const data = once(socket, 'data') as Promise<[Buffer]>
    socket.resume()
    t.equal((await data)[0].toString(), 'from the client')
    socket.end('the end')
    t.equal(await connection.readToEnd(), 'the end')
  })
}

await t.test('HTTP knows nothing of what becomes of a released connection', async t => {
  const { connection, socket } = await release(t, false)
  const isClosed = closed(socket)
  socket.on('error', () => undefined)
  socket.resume()
  connection.socket.resetAndDestroy()
  await isClosed
})
