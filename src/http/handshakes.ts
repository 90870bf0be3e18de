// The TLS handshakes that are under way on one listener. Node hands such a connection to nobody before it is secure, and would wait
// for it when the listener closes.

import type { Socket } from 'node:net'
import { endsOf } from './connection-limit.ts'

interface Handshake {
  readonly socket: Socket
  readonly forget: () => void
}

export class Handshakes {
  // By the ends, since a secure connection is another object than the one that was accepted.
  readonly #underWay = new Map<string, Handshake>()

  /** @param socket As it was accepted, below TLS. */
  begin(socket: Socket): void {
    const ends = endsOf(socket)
    const forget = (): void => {
      this.#underWay.delete(ends)
    }
    socket.on('close', forget)
    this.#underWay.set(ends, { socket, forget })
  }

  /** @param secure What became of it. */
  end(secure: Socket): void {
    const handshake = this.#underWay.get(endsOf(secure))
    handshake?.socket.off('close', handshake.forget)
    handshake?.forget()
  }

  /** Closes the connections. */
  close(): void {
    for (const { socket } of this.#underWay.values()) socket.destroy()
  }
}
