// The native protocol over TLS: the same bytes as over plain connections, publishing and subscribing, with a certificate
// that may change while streams run.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { chunk, connectSecurely, requestText, start } from './server.ts'

/** Makes a certificate with its key, PEM text. */
function makePem(t: Test, name: string): string {
  const dir = t.testdir({})
  const keyFile = `${dir}/key.pem`
  const certFile = `${dir}/cert.pem`
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  execFileSync(
    'openssl',
    ['req', '-x509', ...kind, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certFile],
    { stdio: 'ignore' },
  )
  return readFileSync(certFile, 'utf8') + readFileSync(keyFile, 'utf8')
}

function peerName(socket: unknown): string | string[] {
  if (!(socket instanceof TLSSocket)) throw new TypeError('Cannot tell the peer: the connection is plain')
  return socket.getPeerCertificate().subject.CN
}

await t.test('a message goes over TLS as it does without', async t => {
  const server = await start(t, {}, { pem: makePem(t, 'localhost') })
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
    `Content-Type: text/plain\r\nContent-Length: 5\r\nMsgbus-Id: ${id}\r\n\r\nhello\r\n--${boundary}\r\n`,
  )
  t.equal(await stream.read(wanted.length), wanted)
  await server.server.close()
  t.equal(await stream.readToEnd(), `26\r\n--${boundary}--\r\n\r\n0\r\n\r\n`)
})

await t.test('a new certificate is for new connections, and streams go on', async t => {
  const server = await start(t, {}, { pem: makePem(t, 'old.example') })
  const stream = await connectSecurely(t, server)
  t.equal(peerName(stream.socket), 'old.example')
  stream.send(requestText('GET', '/msgbus/foo?framing=2008'))
  await stream.readHead()
  await stream.readChunk()
  server.server.setCertificate(makePem(t, 'new.example'))
  const publisher = await connectSecurely(t, server)
  t.equal(peerName(publisher.socket), 'new.example')
  publisher.send(requestText('POST', '/msgbus/foo', { headers: ['Content-Type: text/plain'], body: 'x' }))
  t.equal((await publisher.readAnswer()).status, 204)
  t.equal(await stream.readChunk(), 'Content-Type: text/plain\n\nx--00MsgBus00\n')
})
