// Requests that clients send ahead of the answers they wait for. Each is held in memory until its turn, so a connection on which
// too many wait is not read until there are fewer. Nothing is refused here, and whose turn it is is not decided.

import type { Socket } from 'node:net'

/** Requests that may wait on one connection. What came in the same segment as the last of them is held as well. */
export const MAX_WAITING_REQUESTS = 64

// While a connection is not read, nobody notices that its client has left.
const MAX_PAUSE_MS = 60_000

interface Pipeline {
  count: number
  /** Ends the pause; null while the connection is read. */
  resume: (() => void) | null
}

export class Pipelines {
  readonly #maxPauseMs: number
  readonly #pipelines = new WeakMap<Socket, Pipeline>()

  /** @param maxPauseMs A connection that is not read for this long is closed. */
  constructor(maxPauseMs = MAX_PAUSE_MS) {
    this.#maxPauseMs = maxPauseMs
  }

  /** Called for each request that has to wait. */
  add(socket: Socket): void {
    const pipeline = this.#pipelines.get(socket) ?? { count: 0, resume: null }
    this.#pipelines.set(socket, pipeline)
    pipeline.count++
    if (pipeline.count !== MAX_WAITING_REQUESTS + 1) return
    // Not at once, nor in a tick: Node goes on reading whenever it has come to the end of a request, and has ticks between requests of
    // one segment.
    setImmediate(() => {
      if (pipeline.count > MAX_WAITING_REQUESTS) pipeline.resume ??= pause(socket, this.#maxPauseMs)
    })
  }

  /** Called when its turn has come. */
  delete(socket: Socket): void {
    const pipeline = this.#pipelines.get(socket)
    if (pipeline === undefined) return
    pipeline.count--
    if (pipeline.count > MAX_WAITING_REQUESTS / 2) return
    pipeline.resume?.()
    pipeline.resume = null
    if (pipeline.count === 0) this.#pipelines.delete(socket)
  }
}

function pause(socket: Socket, maxPauseMs: number): () => void {
  const deadline = setTimeout(() => {
    socket.destroy()
  }, maxPauseMs)
  const cancel = (): void => {
    clearTimeout(deadline)
  }
  socket.once('close', cancel)
  socket.pause()
  return () => {
    cancel()
    socket.off('close', cancel)
    socket.resume()
  }
}
