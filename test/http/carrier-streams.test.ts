// What a stream keeps once its head is out: its socket, and nothing of the request that it was asked for with.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { certificate, connect, connectSecurely, put, requestText, start } from '../wire/server.ts'

// There is no other way to have garbage collected now.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const MAX_COLLECTIONS = 50

const REQUEST_STARTS = 'http.server.request.start'

/** Everything that Node's HTTP servers make of requests while `act` runs, without holding it. */
async function watchRequests(act: () => Promise<void>): Promise<readonly WeakRef<object>[]> {
  const seen: WeakRef<object>[] = []
  const onStart = (message: unknown): void => {
    const { request, response, socket } = message as Record<'request' | 'response' | 'socket', object>
    seen.push(new WeakRef(request), new WeakRef(response), new WeakRef(socket))
  }
  subscribe(REQUEST_STARTS, onStart)
  await act()
  unsubscribe(REQUEST_STARTS, onStart)
  return seen
}

async function countHeld(refs: readonly WeakRef<object>[]): Promise<number> {
  let count = refs.length
  for (let tries = 0; count > 0 && tries < MAX_COLLECTIONS; tries++) {
    // What was looked at in this turn is held until its end.
    await nextTurn()
    collectGarbage()
    count = refs.filter(ref => ref.deref() !== undefined).length
  }
  return count
}

const REQUESTS = {
  'of everything': requestText('GET', '/msgbus/'),
  'of some of it': requestText('GET', '/msgbus/a/?type=text/*&sender=bob&slow=close'),
  'over HTTP/1.0': requestText('GET', '/msgbus/a/b', { version: '1.0' }),
  'with a body': requestText('GET', '/msgbus/a/b', { body: 'x'.repeat(1000) }),
  'with credentials': requestText('GET', '/msgbus/a/b', { headers: ['Authorization: Basic Ym9iOng='] }),
  'behind another request': requestText('GET', '/msgbus/a?as=page') + requestText('GET', '/msgbus/a/b'),
} as const

for (const isTls of [false, true]) {
  for (const [name, request] of Object.entries(REQUESTS)) {
    await t.test(`a stream ${name} keeps nothing of its request, TLS ${isTls}`, async t => {
      const server = await start(t, {}, isTls ? { pem: certificate('a') } : {})
      const { boundary } = server.server.bus
      const connection = await (isTls ? connectSecurely : connect)(t, server)
      const refs = await watchRequests(async () => {
        connection.send(request)
        await connection.readThrough(`--${boundary}\r\n`)
      })
      t.ok(refs.length > 0, 'there was a request')
      t.equal(await countHeld(refs), 0)
      put(server, 'a/b', 'still read', { sender: 'bob' })
      await connection.readThrough(`still read\r\n--${boundary}\r\n`)
      await server.server.close()
      t.match(await connection.readToEnd(), new RegExp(`--${boundary}--`))
    })
  }
}
