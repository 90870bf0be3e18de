// A Go program with the standard library's mime/multipart as a reader of streams: a parser that tells each part the
// moment it has seen the end of it, and so shows that the end is there before anything else is published.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.ts'
import { Command, run } from '../command.ts'
import { start, subscribe } from '../wire/server.ts'
import { atOnce } from '../at-once.ts'

const SOURCE = join(process.cwd(), 'test/interop/fixtures/reader.go')

/** What the reader prints for a part. */
interface ReportedPart {
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** Base64. */
  readonly body: string
}

/** Compiles the reader without touching the network or the caches of whoever runs the tests. */
async function buildReader(t: Test): Promise<string> {
  const dir = t.testdir({})
  const program = join(dir, 'reader')
  const env = {
    GOCACHE: join(dir, 'cache'),
    GOFLAGS: '-mod=mod',
    GOPATH: join(dir, 'go'),
    GOPROXY: 'off',
    GOTOOLCHAIN: 'local',
  }
  await run(t, 'go', ['build', '-o', program, SOURCE], { cwd: dir, env })
  return program
}

await t.test('a Go program reads streams with mime/multipart', async t => {
  if (!needs(t, 'go')) return
  // Compiling takes longer than all that is done with the program: once for all.
  const program = await buildReader(t)

  await t.test('it reports each part before the next one is published', async t => {
    const { server, port } = await start(t)
    const reader = new Command(t, program, [`http://127.0.0.1:${port}/msgbus/foo`])
    t.equal(await reader.readThrough('\n'), '"multipart/x-mixed-replace"\n')
    const bodies = [
      Buffer.from('hello'),
      Buffer.alloc(0),
      Buffer.from(Array.from({ length: 256 }, (_, at) => at)),
      Buffer.from(`\r\n--\r\n--${server.bus.boundary.slice(0, -1)}\r\n`),
      Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at) % 251)),
      Buffer.from('the last one'),
    ]
    for (const body of bodies) {
      const { id } = atOnce(
        server.bus.publish({ channel: 'foo', type: 'image/x-any; v="1"', sender: 'alice', body }),
      )
      // Nothing else is published, and no heartbeat is due, until the reader has reported this one.
      const part = JSON.parse(await reader.readThrough('\n')) as ReportedPart
      const headers = {
        From: ['alice'],
        'Content-Type': ['image/x-any; v="1"'],
        'Content-Length': [`${body.length}`],
        'Msgbus-Id': [id],
        'Msgbus-Time': ['1700000000000'],
      }
      t.strictSame(part, { headers, body: body.toString('base64') })
    }
  })

  await t.test('heartbeats are header lines that it can ignore', async t => {
    const server = await start(t, { heartbeatMs: 100 })
    const reader = new Command(t, program, [`http://127.0.0.1:${server.port}/msgbus/foo`])
    await reader.readThrough('\n')
    // A stream that was opened later has had two: so the reader has had one.
    const witness = await subscribe(t, server, '/msgbus/silent')
    await witness.readThrough('Msgbus-Ping: 2\r\n')
    atOnce(
      server.server.bus.publish({
        channel: 'foo',
        type: 'text/plain',
        sender: null,
        body: Buffer.from('hello'),
      }),
    )
    const { headers, body } = JSON.parse(await reader.readThrough('\n')) as ReportedPart
    t.equal(body, Buffer.from('hello').toString('base64'))
    t.strictSame(headers['Content-Type'], ['text/plain'])
    t.equal(headers['Msgbus-Ping']?.[0], '1')
  })
})
