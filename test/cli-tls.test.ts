import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { occupyPort, startProgram } from './program.ts'
import { connect, Connection, publish, requestText } from './wire/server.ts'

// Made once, valid until 2120, and good for nothing but these tests.
const [PEM_A, PEM_B] = ['certificate-a.pem', 'certificate-b.pem'].map(name =>
  readFileSync(new URL(`../../test/fixtures/${name}`, import.meta.url), 'latin1'),
) as [string, string]

const [CERTIFICATE_A, CERTIFICATE_B] = [PEM_A, PEM_B].map(pem => new X509Certificate(pem).fingerprint256)

function split(pem: string): { readonly certificate: string; readonly key: string } {
  const keyAt = pem.indexOf('-----BEGIN PRIVATE KEY')
  return { certificate: pem.slice(0, keyAt), key: pem.slice(keyAt) }
}

async function connectSecurely(
  t: Test,
  port: number,
): Promise<{ connection: Connection; fingerprint: string }> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: [PEM_A, PEM_B], servername: 'localhost' })
  const connection = new Connection(t, socket)
  await once(socket, 'secureConnect')
  return { connection, fingerprint: socket.getPeerCertificate().fingerprint256 }
}

/** The certificate that a new connection gets. */
async function fingerprintAt(t: Test, port: number): Promise<string> {
  const { connection, fingerprint } = await connectSecurely(t, port)
  connection.socket.destroy()
  return fingerprint
}

await t.test('a file with certificate and key, in any order, opens an HTTPS listener', async t => {
  const { certificate, key } = split(PEM_A)
  const cert = `${t.testdir()}/cert.pem`
  writeFileSync(cert, key + certificate)
  const program = startProgram(t, ['-p', '0', '-P', '0', '-c', cert])
  t.match((await program.urls())[1], /^https:\/\/127\.0\.0\.1:\d+$/)
  const { connection, fingerprint } = await connectSecurely(t, await program.port(1))
  t.equal(fingerprint, CERTIFICATE_A)
  connection.send(requestText('HEAD', '/msgbus/a'))
  t.equal((await connection.readHead()).status, 200)
})

await t.test(
  'an unusable file ends it with 78 and one line that names the file, before anything is opened',
  async t => {
    const port = await occupyPort(t)
    const a = split(PEM_A)
    const cipher = { cipher: 'aes-128-cbc', passphrase: 'x', type: 'pkcs8', format: 'pem' } as const
    const encrypted = a.certificate + createPrivateKey(a.key).export(cipher).toString()
    const broken = PEM_A.replace('CERTIFICATE-----\nMII', 'CERTIFICATE-----\n!!!')
    const cases: Readonly<Record<string, readonly [pem: string, found: string]>> = {
      'nothing in it': ['', 'no certificate that can be read'],
      'something else': ['hello', 'no certificate that can be read'],
      'a key alone': [a.key, 'no certificate that can be read'],
      'a damaged certificate': [broken, 'no certificate that can be read'],
      'a certificate alone': [a.certificate, 'no private key that can be read'],
      'an encrypted key': [encrypted, 'an encrypted private key'],
      'a key of another': [a.certificate + split(PEM_B).key, 'the private key of another certificate'],
    }
    const cert = `${t.testdir()}/cert.pem`
    for (const [name, [pem, found]] of Object.entries(cases)) {
      writeFileSync(cert, pem)
      const exit = await startProgram(t, ['-p', `${port}`, '-P', '0', '-c', cert]).exit()
      t.match(exit, { code: 78, stdout: '' }, name)
      const expected = 'expected a certificate and its private key in PEM'
      t.equal(exit.stderr, `msgbus: ${cert}: "cert": ${expected}, found ${found}\n`, name)
    }
  },
)

await t.test(
  'a file that may not be read ends it with 78, too',
  { skip: process.getuid?.() !== 0 },
  async t => {
    const cert = `${t.testdir()}/cert.pem`
    writeFileSync(cert, PEM_A, { mode: 0o600 })
    const exit = await startProgram(t, ['-p', '0', '-P', '0', '-c', cert], { uid: 65534 }).exit()
    t.match(exit, { code: 78, stdout: '', stderr: /^msgbus: \S+\/cert\.pem: "cert": [^\n]+ \(EACCES\)\n$/ })
  },
)

await t.test('SIGHUP gives new connections the new certificate and leaves open streams alone', async t => {
  const cert = `${t.testdir()}/cert.pem`
  writeFileSync(cert, PEM_A)
  const program = startProgram(t, ['-p', '0', '-P', '0', '-c', cert, '-v'])
  const plain = { port: await program.port() }
  const port = await program.port(1)
  const old = await connectSecurely(t, port)
  t.equal(old.fingerprint, CERTIFICATE_A)
  old.connection.send(requestText('GET', '/msgbus/a'))
  await old.connection.readHead()
  await old.connection.readChunk()

  // As certificate tools do it: the file is never half there.
  writeFileSync(`${cert}.new`, PEM_B)
  renameSync(`${cert}.new`, cert)
  program.child.kill('SIGHUP')
  await program.event('process.reloaded')
  t.equal(await fingerprintAt(t, port), CERTIFICATE_B)
  await publish(t, plain, '/msgbus/a', 'still here')
  t.match(await old.connection.readChunk(), /still here/)

  for (const [at, broken] of ['', split(PEM_A).certificate + split(PEM_B).key].entries()) {
    writeFileSync(cert, broken)
    program.child.kill('SIGHUP')
    const line = await program.event('process.reload_failed', at + 1)
    t.match(line, { level: 50, error: /cert\.pem: "cert": expected a certificate/ })
    t.equal(await fingerprintAt(t, port), CERTIFICATE_B)
  }
  await publish(t, plain, '/msgbus/a', 'and here')
  t.match(await old.connection.readChunk(), /and here/)

  program.child.kill('SIGTERM')
  t.match(await old.connection.readToEnd(), /^[0-9a-f]+\r\n--\w+--\r\n\r\n0\r\n\r\n$/)
  t.match(await program.exit(), { code: 0, signal: null })
})

await t.test('a connection that never says hello does not outlast the drain time', async t => {
  const cert = `${t.testdir()}/cert.pem`
  writeFileSync(cert, PEM_A)
  const program = startProgram(t, ['-p', '0', '-P', '0', '-c', cert, '--drain', '200ms'])
  await connect(t, { port: await program.port(1) })
  program.child.kill('SIGTERM')
  t.match(await program.exit(), { code: 0, signal: null })
})
