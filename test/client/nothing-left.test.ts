// A program that closes its client has nothing left that keeps it running, whatever it had open.

import { join } from 'node:path'
import t from 'tap'
import { Command } from '../command.ts'
import { start } from '../wire/server.ts'
import { RawServer, send } from './raw-server.ts'

const CLIENT = join(process.cwd(), 'dist', 'client', 'index.js')
const SOCKETS = import.meta.resolve('ws')

const PROGRAMS = [
  { name: 'unused', code: '' },
  { name: 'with what it published', code: "await client.publish('a', 'x')" },
  { name: 'with what it has just begun to publish', code: "client.publish('a', 'x').catch(() => undefined)" },
  {
    name: 'with subscriptions that wait for messages',
    code: `
      const opened = []
      for (const channel of ['a', 'b', 'c/']) {
        opened.push(new Promise(resolve => {
          const subscription = client.subscribe(channel, { onState: state => state === 'open' && resolve() })
          void (async () => { for await (const message of subscription) console.log(message) })()
        }))
      }
      await Promise.all(opened)
      await client.publish('d', 'x')`,
  },
  { name: 'with a subscription that was never looked at', code: "client.subscribe('a')" },
  {
    name: 'with a subscription that waits to connect again',
    code: `
      const nowhere = connect('http://127.0.0.1:1', { minDelayMs: 1e6, maxDelayMs: 1e6 })
      await new Promise(resolve => nowhere.subscribe('a', { onState: state => state === 'waiting' && resolve() }))
      nowhere.close()`,
  },
  {
    name: 'with requests that nobody answers',
    code: `
      const silent = connect(process.argv[2])
      silent.subscribe('a')
      const given = silent.publish('a', 'x').catch(error => error.code)
      await new Promise(resolve => setTimeout(resolve, 50))
      silent.close()
      if (await given !== 'MSGBUS_CLOSED') throw new Error('it should have been given up')`,
  },
]

for (const transport of ['multipart', 'sse', 'websocket'] as const) {
  for (const { name, code } of PROGRAMS) {
    await t.test(`${transport}: a client ${name} lets its program end`, async t => {
      const { port } = await start(t)
      const silent = await RawServer.open(t, send(''))
      const script = `
        import { WebSocket } from ${JSON.stringify(SOCKETS)}
        import { connect } from ${JSON.stringify(CLIENT)}
        const client = connect('http://127.0.0.1:${port}', { transport: '${transport}', isShared: true, WebSocket })
        ${code}
        client.close()
        client.close()`
      // Nothing that a user would not have is loaded into it.
      const args = ['--input-type=module', '--eval', script, '-', silent.url]
      const { code: exitCode, stderr } = await new Command(t, process.execPath, args, {
        env: { NODE_OPTIONS: '' },
      }).ended()
      t.equal(exitCode, 0, stderr)
    })
  }
}
