// Python's email.parser as a reader of streams: the parser that every Python program has at hand, and a strict one about
// what belongs to a body and what to the boundary behind it.

import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.ts'
import { Command } from '../command.ts'
import { start } from '../wire/server.ts'
import { atOnce } from '../at-once.ts'

const READER = join(process.cwd(), 'test/interop/fixtures/reader.py')

/** What the reader prints in the end. */
interface Summary {
  readonly defects: readonly string[]
  readonly preamble: string | null
  readonly epilogue: string | null
  readonly parts: readonly {
    readonly headers: readonly (readonly [string, string])[]
    readonly body: string
  }[]
}

const BODIES: readonly (readonly [name: string, body: Buffer])[] = [
  ['a text', Buffer.from('hello')],
  ['nothing', Buffer.alloc(0)],
  ['every byte there is', Buffer.from(Array.from({ length: 256 }, (_, at) => at))],
  ['what looks like a boundary', Buffer.from('\r\n--\r\n--x\r\n--00000000000000000000000000000000--\r\n')],
  ['what looks like headers', Buffer.from('Content-Type: text/html\r\n\r\n<p>')],
  ['line ends at both ends', Buffer.from('\r\n\n\r\rtext\r\r\n\n\r\n')],
  ['more than one read takes', Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at) % 251))],
]

await t.test(
  'email.parser reads exact headers and bodies from a running stream, heartbeats or not',
  async t => {
    if (!needs(t, 'python3')) return
    const { server, port } = await start(t, { heartbeatMs: 100 })
    const python = new Command(t, 'python3', [READER, `http://127.0.0.1:${port}/msgbus/`])
    const readThrough = (text: string): Promise<string> =>
      python.readThrough(Buffer.from(text).toString('hex'))
    await readThrough(`--${server.bus.boundary}\r\n`)
    const wanted: Summary['parts'][number][] = []
    for (const [name, body] of BODIES) {
      const { id } = atOnce(
        server.bus.publish({
          channel: `a/${wanted.length}`,
          type: 'image/x-any',
          sender: name,
          body,
        }),
      )
      const headers = [
        ['From', name],
        ['Content-Location', `/msgbus/a/${wanted.length}`],
        ['Content-Type', 'image/x-any'],
        ['Content-Length', `${body.length}`],
        ['Msgbus-Id', id],
        ['Msgbus-Time', '1700000000000'],
      ] as const
      wanted.push({ headers, body: body.toString('hex') })
      // A heartbeat stands between this message and the next one, as a header line of the next part.
      await readThrough('Msgbus-Ping: 1\r\n')
    }
    await server.close()
    const { code, stdout, stderr } = await python.ended()
    t.equal(code, 0, stderr)
    const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Summary
    t.strictSame(summary.defects, [])
    t.notOk(summary.preamble)
    t.notOk(summary.epilogue)
    const parts = summary.parts.map(({ headers, body }) => ({
      headers: headers.filter(([name]) => name !== 'Msgbus-Ping'),
      body,
    }))
    t.strictSame(parts.slice(0, -1), wanted)
    const pingCounts = summary.parts.map(
      ({ headers }) => headers.filter(([name]) => name === 'Msgbus-Ping').length,
    )
    t.ok(
      pingCounts.slice(1, -1).every(count => count > 0),
      'there was a heartbeat before each message but the first',
    )
    // Its boundary was out when the server stopped; without a Content-Type it is no message.
    t.strictSame(parts.at(-1), { headers: [], body: '' })
  },
)
