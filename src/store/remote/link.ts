// One end of a connection between two processes of one server, at the side that has the store: what has been sent and what
// of it has been taken. It knows no store.

import type { Socket } from 'node:net'
import { type Frame, FrameReader, Outbox } from './frames.ts'
import { ASKING } from './words.ts'

// How far behind the other side may be before it lags.
const MAX_BEHIND_BYTES = 2 ** 20

export interface LinkEvents {
  readonly onFrame: (frame: Frame) => void
  /** What was gathered has been handed to the socket. */
  readonly onFlushed: () => void
  /** The other side has taken more. */
  readonly onTaken: () => void
  readonly onEnd: () => void
}

export class Link {
  readonly #outbox: Outbox
  #takenBytes = 0
  #checkedBytes = -1
  #isStalled = false

  constructor(socket: Socket, { onFrame, onFlushed, onTaken, onEnd }: LinkEvents) {
    this.#outbox = new Outbox(socket, onFlushed)
    const reader = new FrameReader()
    socket.on('data', (piece: Buffer) => {
      reader.push(piece)
      for (let frame = reader.next(); frame !== null; frame = reader.next()) {
        if (frame.kind !== ASKING.taken) {
          onFrame(frame)
          continue
        }
        this.#takenBytes += frame.content.readUInt32BE(0)
        this.#isStalled = false
        onTaken()
      }
    })
    // Its close says the same.
    socket.on('error', () => undefined)
    socket.on('end', () => socket.end())
    socket.on('close', onEnd)
  }

  /** True while much of what was sent has not been taken yet. */
  get isLagging(): boolean {
    return this.#outbox.pushedBytes - this.#takenBytes > MAX_BEHIND_BYTES
  }

  /** True from the check on that found it lag and nothing taken since the one before, until something is. */
  get isStalled(): boolean {
    return this.#isStalled
  }

  checkStall(): void {
    this.#isStalled = this.isLagging && this.#takenBytes === this.#checkedBytes
    this.#checkedBytes = this.#takenBytes
  }

  send(...pieces: readonly Uint8Array[]): void {
    this.#outbox.push(...pieces)
  }
}
