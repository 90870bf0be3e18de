// The cases of body.ts in Node, over each transport, with subscriptions that share a connection and such that do not.

import t from 'tap'
import { WebSocket } from 'ws'
import { connect } from '../../client/index.ts'
import { start } from '../wire/server.ts'
import { cases } from './body.ts'
import { openLine } from './line.ts'

for (const transport of ['multipart', 'sse', 'websocket'] as const) {
  for (const isShared of [false, true]) {
    await t.test(`${transport}, ${isShared ? 'shared' : 'each its own'}`, async t => {
      for (const { name, wanted, options, run } of cases) {
        if (options?.isShared !== undefined && options.isShared !== isShared) continue
        await t.test(name, async t => {
          const { port, log } = await start(t)
          const line = await openLine(t, port)
          const count = (event: string): number => log.events.filter(({ name }) => name === event).length
          const seen = await run({
            connect,
            url: line.url,
            options: { transport, isShared, WebSocket },
            cut: () => {
              line.cut()
              return Promise.resolve()
            },
            streamCount: () => Promise.resolve(count('sub') - count('unsub')),
          })
          t.strictSame(seen, wanted)
        })
      }
    })
  }
}
