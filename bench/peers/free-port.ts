// A port for a server that cannot pick one by itself.

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** One of 127.0.0.1 that nobody had a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
