// What happens to messages that nobody takes yet: a connection of one subscription waits, one that is shared cannot, and
// says what was lost.

import t from 'tap'
import { connect } from '../../client/index.ts'
import { start } from '../wire/server.ts'
import { part, RawServer, streamHead } from './raw-server.ts'

const BODY = 'x'.repeat(64 * 1024)

await t.test('who is alone on a connection gets everything, and the server waits for him', async t => {
  const count = 1024
  let writtenCount = 0
  const server = await RawServer.open(t, socket => {
    socket.write(`${streamHead()}--b\r\n`)
    const write = (): void => {
      while (writtenCount < count) {
        writtenCount++
        if (!socket.write(part(`e1-${writtenCount}`, BODY))) {
          socket.once('drain', write)
          return
        }
      }
      socket.end('--b--\r\n')
    }
    write()
  })
  const client = connect(server.url)
  t.teardown(client.close)
  const iterator = client.subscribe('a', { reconnects: false })[Symbol.asyncIterator]()
  await iterator.next()
  await untilStill(() => writtenCount)
  t.ok(writtenCount < count, `${writtenCount} of ${count} were written`)
  let readCount = 1
  for (; (await iterator.next()).done !== true; readCount++);
  t.equal(readCount, count)
})

await t.test('who is slow on a shared connection holds up nobody, and is told what he lost', async t => {
  const { port, server } = await start(t)
  const client = connect(`http://127.0.0.1:${port}`, { isShared: true })
  t.teardown(client.close)
  const slow = client.subscribe('a')
  const fast = client.subscribe('a,b')
  const iterator = fast[Symbol.asyncIterator]()
  await untilOpen(() => slow.state === 'open' && fast.state === 'open')
  const count = 40
  for (let number = 0; number < count; number++) {
    await server.bus.publish({ channel: 'a', type: 'text/plain', sender: null, body: Buffer.from(BODY) })
    t.equal((await iterator.next()).value?.lost, 0)
  }
  let takenCount = 0
  let lostCount = 0
  const end = Buffer.from('end')
  for await (const message of slow) {
    takenCount++
    lostCount += message.lost ?? 0
    if (message.text() === 'end') break
    // There is room again, and the next message says what is gone.
    if (takenCount === 1) {
      await server.bus.publish({ channel: 'a', type: 'text/plain', sender: null, body: end })
    }
  }
  t.ok(lostCount > 0)
  t.equal(takenCount + lostCount, count + 1)
})

async function untilOpen(isOpen: () => boolean): Promise<void> {
  while (!isOpen()) await new Promise(resolve => setTimeout(resolve, 5))
}

/** Waits until a number has not changed for a while. */
async function untilStill(look: () => number): Promise<void> {
  for (let last = -1; last !== look();) {
    last = look()
    await new Promise(resolve => setTimeout(resolve, 300))
  }
}
