// The connections of one listener and what each is busy with. Node's own lists count neither a connection that never sent
// anything (browsers open some in advance) as idle, nor one whose TLS handshake is not over as a connection.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export class OpenConnections {
  readonly #sockets = new Set<Duplex>()
  // No weak map: what hangs on its values outlives many collections of the young generation.
  readonly #lastAnswers = new Map<Duplex, ServerResponse | null>()
  // One function for all connections: each of them one of its own would be a megabyte for ten thousand streams.
  readonly #forgetSocket = forgetting(this.#sockets)
  readonly #forgetAsking = forgetting(this.#lastAnswers)

  /** Takes in a connection of the system, below TLS if there is any. */
  addSocket(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', this.#forgetSocket)
  }

  /** Takes in what requests come on. */
  addAsking(connection: Duplex): void {
    this.#lastAnswers.set(connection, null)
    connection.on('close', this.#forgetAsking)
  }

  setAnswer(connection: Duplex, answer: ServerResponse): void {
    // One that has just been closed is not taken in again.
    if (this.#lastAnswers.has(connection)) this.#lastAnswers.set(connection, answer)
  }

  /** The answer to the last request of a connection: an error text must never go out in the middle of one. */
  lastAnswer(connection: Duplex): ServerResponse | null {
    return this.#lastAnswers.get(connection) ?? null
  }

  close(): void {
    for (const [connection, answer] of this.#lastAnswers) {
      if (answer === null || answer.writableFinished) {
        connection.destroy()
        continue
      }
      // A stream never finishes its answer; whoever owns it ends it.
      if (!answer.headersSent) answer.shouldKeepAlive = false
      answer.once('finish', () => {
        connection.end()
      })
    }
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

function forgetting(connections: { delete(connection: Duplex): boolean }): (this: Duplex) => void {
  return function () {
    connections.delete(this)
  }
}
