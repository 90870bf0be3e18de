// Requests that ask to go on in another protocol (Upgrade) [RFC 9110 §7.8]. Whoever speaks it is offered the connection;
// what nobody takes is answered as if it had not been asked. It speaks no other protocol itself.

import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Carrier } from './carrier.ts'
import type { OpenConnections } from './open-connections.ts'

/** A GET that asks for another protocol. */
export interface Upgrade {
  readonly req: IncomingMessage
  /** Free of HTTP, and paused: whoever takes it reads it from here on, and closes it. */
  readonly socket: Socket
}

export interface UpgradeOptions {
  readonly open: OpenConnections
  /** Says at once whether it takes the connection. If not, it must have left it as it was. */
  readonly take: (upgrade: Upgrade) => boolean
  /** Reads the connection of a request that was not taken, from the start of the request. */
  readonly giveBack: (connection: Carrier) => void
}

/** Has `server` offer every such GET that it receives. */
export function onUpgrade(server: Server, { open, take, giveBack }: UpgradeOptions): void {
  server.on('upgrade', (req: IncomingMessage, connection: Duplex, behind: Buffer) => {
    const lastAnswer = open.lastAnswer(connection)
    // Behind a request that is not answered yet, another protocol would begin in the middle of that answer.
    const isIdle = lastAnswer === null || lastAnswer.writableFinished
    if (!isIdle || !connection.writable || !(connection instanceof Carrier)) {
      connection.destroy()
      return
    }
    const socket = connection.release()
    if (behind.length > 0) socket.unshift(behind)
    if (req.method === 'GET' && take({ req, socket })) return
    // Before version 24, Node can only let all upgrades be ignored or none.
    socket.unshift(Buffer.from(headOf(req), 'latin1'))
    giveBack(new Carrier(socket))
  })
}

/** The request as it came, up to its body. */
function headOf({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}
