// Counts connections over all listeners. Near the limit a connection is told to come back later; past it, it is
// dropped, which is the only answer left.

import type { Socket } from 'node:net'
import { isLoopback, unmapped } from './host-list.ts'

const SOFT_SHARE = 0.95
const SHARE_PER_ADDRESS = 0.25

// Of however few connections, one is served.
function shareOf(maxConnections: number, share: number): number {
  return Math.max(1, maxConnections * share)
}

export class ConnectionLimit {
  readonly maxConnections: number
  readonly #countOfAddress = new Map<string, number>()
  // By their ends, since over TLS a request comes on another object than the connection that was let in.
  readonly #surplus = new Set<string>()
  #count = 0

  constructor(maxConnections: number) {
    this.maxConnections = maxConnections
  }

  /** Takes a new connection in, or destroys it. */
  admit(socket: Socket): void {
    const address = unmapped(socket.remoteAddress ?? '')
    const addressCount = (this.#countOfAddress.get(address) ?? 0) + 1
    if (this.#count >= this.maxConnections) {
      socket.destroy()
      return
    }
    this.#count++
    this.#countOfAddress.set(address, addressCount)
    socket.on('close', () => {
      this.#leave(address)
    })
    // One machine must not take all the places; a proxy on this one may.
    const isGreedy = !isLoopback(address) && addressCount > shareOf(this.maxConnections, SHARE_PER_ADDRESS)
    if (isGreedy || this.#count > shareOf(this.maxConnections, SOFT_SHARE)) this.#addSurplus(socket)
  }

  /** True for a connection that was let in only to be told that there is no room. */
  isSurplus(socket: Socket): boolean {
    return this.#surplus.size > 0 && this.#surplus.has(endsOf(socket))
  }

  #addSurplus(socket: Socket): void {
    const ends = endsOf(socket)
    this.#surplus.add(ends)
    socket.on('close', () => this.#surplus.delete(ends))
  }

  #leave(address: string): void {
    this.#count--
    const left = (this.#countOfAddress.get(address) ?? 1) - 1
    if (left > 0) this.#countOfAddress.set(address, left)
    else this.#countOfAddress.delete(address)
  }
}

/** Tells open connections of one process apart, whichever object stands for one. */
export function endsOf({ remoteAddress = '', remotePort = 0, localPort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`
}
