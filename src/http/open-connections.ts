// The connections of one listener and what each is busy with. Node's own lists count neither a connection that never sent
// anything (browsers open some in advance) as idle, nor one whose TLS handshake is not over as a connection.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export class OpenConnections {
  readonly #sockets = new Set<Socket>()
  readonly #carriers = new Set<Socket>()
  readonly #lastAnswers = new WeakMap<Socket, ServerResponse>()

  /** Takes in a connection of the system, below TLS if there is any. */
  addSocket(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  /** Takes in what requests come on: the connection itself, or the TLS inside it. */
  addCarrier(socket: Socket): void {
    this.#carriers.add(socket)
    socket.once('close', () => this.#carriers.delete(socket))
  }

  /** False for TLS whose handshake is not over. */
  isCarrier(socket: Socket): boolean {
    return this.#carriers.has(socket)
  }

  setAnswer(socket: Socket, answer: ServerResponse): void {
    this.#lastAnswers.set(socket, answer)
  }

  /** The answer to the last request of a connection: an error text must never go out in the middle of one. */
  lastAnswer(socket: Socket): ServerResponse | undefined {
    return this.#lastAnswers.get(socket)
  }

  close(): void {
    for (const socket of this.#carriers) {
      const answer = this.#lastAnswers.get(socket)
      if (answer === undefined || answer.writableFinished) {
        socket.destroy()
        continue
      }
      // A stream never finishes its answer; whoever owns it ends it.
      if (!answer.headersSent) answer.shouldKeepAlive = false
      answer.once('finish', () => {
        socket.end()
      })
    }
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
