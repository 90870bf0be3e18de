// The native protocol over TLS: the same bytes as over plain connections, publishing and subscribing, with a certificate
// that may change while streams run.

import { once } from 'node:events'
import { connect as connectTls, TLSSocket } from 'node:tls'
import t from 'tap'
import { certificate, chunk, connect, connectSecurely, requestText, start } from './server.ts'

function peerName(socket: unknown): string | string[] | undefined {
  if (!(socket instanceof TLSSocket)) throw new TypeError('Cannot tell the peer: the connection is plain')
  return socket.getPeerCertificate().subject.CN
}

await t.test('a message goes over TLS as it does without', async t => {
  const server = await start(t, {}, { pem: certificate('a') })
  const { boundary } = server.server.bus
  const stream = await connectSecurely(t, server)
  stream.send(requestText('GET', '/msgbus/foo'))
  t.equal((await stream.readHead()).line, 'HTTP/1.1 200 OK')
  t.equal(await stream.readChunk(), `--${boundary}\r\n`)
  const publisher = await connectSecurely(t, server)
  publisher.send(requestText('POST', '/msgbus/foo', { headers: ['Content-Type: text/plain'], body: 'hello' }))
  const answer = await publisher.readAnswer()
  t.equal(answer.status, 204)
  const id = answer.headers.get('msgbus-id')
  const wanted = chunk(
    `Content-Type: text/plain\r\nContent-Length: 5\r\nMsgbus-Id: ${id}\r\nMsgbus-Time: 1700000000000\r\n\r\nhello\r\n--${boundary}\r\n`,
  )
  t.equal(await stream.read(wanted.length), wanted)
  await server.server.close()
  t.equal(await stream.readToEnd(), `26\r\n--${boundary}--\r\n\r\n0\r\n\r\n`)
})

await t.test('a connection that does not finish its handshake in time is closed', async t => {
  const server = await start(t, { headersTimeoutMs: 200 }, { pem: certificate('a') })
  const silent = await connect(t, server)
  const halfway = await connect(t, server)
  halfway.send('\x16\x03\x01\x02\x00\x01\x00')
  t.equal(await silent.readToEnd(), '')
  t.equal(await halfway.readToEnd(), '')
})

await t.test('a server that closes waits for no handshake', async t => {
  const server = await start(t, { headersTimeoutMs: 3_600_000 }, { pem: certificate('a') })
  const silent = await connect(t, server)
  const halfway = await connect(t, server)
  halfway.send('\x16\x03\x01\x02\x00\x01\x00')
  // Accepted behind them.
  const secure = await connectSecurely(t, server)
  await server.server.close(3_600_000)
  t.equal(await silent.readToEnd(), '')
  t.equal(await halfway.readToEnd(), '')
  t.equal(await secure.readToEnd(), '')
})

await t.test('HTTP/1.0 is spoken over TLS, to those who ask for it by name too', async t => {
  const server = await start(t, {}, { pem: certificate('a') })
  const socket = connectTls({
    port: server.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.0'],
  })
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  t.equal(socket.alpnProtocol, 'http/1.0')
  socket.write('GET /msgbus/foo HTTP/1.0\r\n\r\n')
  const [head] = (await once(socket, 'data')) as [Buffer]
  t.match(head.toString('latin1'), /^HTTP\/1\.0 200 OK\r\n/)
})

await t.test('a new certificate is for new connections, and streams go on', async t => {
  const server = await start(t, {}, { pem: certificate('a') })
  const stream = await connectSecurely(t, server)
  t.equal(peerName(stream.socket), 'msgbus test a')
  stream.send(requestText('GET', '/msgbus/foo?framing=2008'))
  await stream.readHead()
  await stream.readChunk()
  server.server.setCertificate(certificate('b'))
  const publisher = await connectSecurely(t, server)
  t.equal(peerName(publisher.socket), 'msgbus test b')
  publisher.send(requestText('POST', '/msgbus/foo', { headers: ['Content-Type: text/plain'], body: 'x' }))
  t.equal((await publisher.readAnswer()).status, 204)
  t.equal(await stream.readChunk(), 'Content-Type: text/plain\n\nx--00MsgBus00\n')
})
