// A line to a server that can be cut: what a test puts between a client and a bus to break what is open, and to count
// it. Knows nothing of HTTP. Not a test.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface Line {
  readonly port: number
  /** Of this port of 127.0.0.1, without a slash at the end. */
  readonly url: string
  /** Connections that are open now. */
  openCount(): number
  /** Connections so far. */
  readonly madeCount: number
  /** Breaks all that are open. */
  cut(): void
  /** From now on leads to another port. */
  lead(port: number): void
}

/** Opens a line on a free port of 127.0.0.1, closed with the test. */
export async function openLine(t: Test, port: number): Promise<Line> {
  let target = port
  let madeCount = 0
  const open = new Set<Socket>()
  const server = createServer(near => {
    madeCount++
    const far = connect(target, '127.0.0.1')
    open.add(near)
    near.pipe(far).pipe(near)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      // Both sides see that it broke; the reset is meant.
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(near)
        other.destroy()
      })
    }
  })
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy()
  }
  t.teardown(() => {
    server.close()
    cut()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: ownPort } = server.address() as AddressInfo
  return {
    port: ownPort,
    url: `http://127.0.0.1:${ownPort}`,
    openCount: () => open.size,
    get madeCount() {
      return madeCount
    },
    cut,
    lead: next => {
      target = next
    },
  }
}
