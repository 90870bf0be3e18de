// The connections of one listener on which nothing has arrived yet. The first byte decides who reads the rest; a connection
// without one is told so after a while. Nothing is taken from what arrives.

import type { Socket } from 'node:net'

const CHECK_INTERVAL_MS = 1_000

export interface SilentConnectionsOptions {
  readonly timeoutMs: number
  /** Called with the first byte of each, which is read again with all that came with it. The socket is paused. */
  readonly onByte: (socket: Socket, byte: number) => void
  /** Called instead for one whose time is over. */
  readonly onTimeout: (socket: Socket) => void
}

interface Silence {
  readonly startedMs: number
  /** Has nothing more to do with the connection. */
  readonly leave: () => void
}

export class SilentConnections {
  readonly #options: SilentConnectionsOptions
  // The longest silence first.
  readonly #silences = new Map<Socket, Silence>()
  readonly #clock: NodeJS.Timeout

  constructor(options: SilentConnectionsOptions) {
    this.#options = options
    this.#clock = setInterval(() => {
      this.#check()
    }, CHECK_INTERVAL_MS)
    this.#clock.unref()
  }

  /** Takes in a connection that nobody has read from. */
  add(socket: Socket): void {
    const leave = (): void => {
      this.#silences.delete(socket)
      socket.off('data', onData)
      socket.off('end', onEnd)
      socket.off('close', leave)
    }
    const onData = (bytes: Buffer): void => {
      leave()
      socket.pause()
      socket.unshift(bytes)
      this.#options.onByte(socket, bytes[0] ?? 0)
    }
    const onEnd = (): void => {
      socket.end()
    }
    this.#silences.set(socket, { startedMs: performance.now(), leave })
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('close', leave)
  }

  /** Closes them all. */
  close(): void {
    clearInterval(this.#clock)
    for (const socket of this.#silences.keys()) socket.destroy()
  }

  #check(): void {
    const latestMs = performance.now() - this.#options.timeoutMs
    for (const [socket, { startedMs, leave }] of this.#silences) {
      if (startedMs > latestMs) return
      leave()
      this.#options.onTimeout(socket)
    }
  }
}
