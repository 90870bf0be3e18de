// How two processes of one server talk about a store: frames of length, kind, number of the request and content, over a
// socket. What comes within one turn of the event loop leaves in one write. It knows no store.

import type { Socket } from 'node:net'

export const HEAD_BYTES = 9

// What is larger is written as it is: to join is to copy, which pays for small pieces.
const MAX_JOINED_BYTES = 16 * 1024

/** One frame. Its content is a view of what was read. */
export interface Frame {
  readonly kind: number
  /** The number of the request that it is or answers; 0 for none. */
  readonly request: number
  readonly content: Buffer
}

/** The bytes that stand before the content of a frame, with so much room behind them. */
export function openFrame(kind: number, request: number, contentBytes: number, roomBytes = 0): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + roomBytes)
  writeHead(bytes, kind, request, contentBytes)
  return bytes
}

/** Writes what stands before the content of a frame, {@link HEAD_BYTES} of them. */
export function writeHead(bytes: Buffer, kind: number, request: number, contentBytes: number): void {
  bytes.writeUInt32BE(contentBytes, 0)
  bytes.writeUInt8(kind, 4)
  bytes.writeUInt32BE(request, 5)
}

/** A whole frame for what is rare. */
export function jsonFrame(kind: number, request: number, value: unknown): Buffer {
  const content = Buffer.from(JSON.stringify(value))
  return Buffer.concat([openFrame(kind, request, content.length), content])
}

/** Puts frames together from the pieces in which they arrive. */
export class FrameReader {
  #pieces: Buffer[] = []
  #byteCount = 0

  push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#byteCount += piece.length
  }

  /** The next frame that is whole, null if there is none. */
  next(): Frame | null {
    if (this.#byteCount < HEAD_BYTES) return null
    const frameBytes = HEAD_BYTES + this.#first(HEAD_BYTES).readUInt32BE(0)
    if (this.#byteCount < frameBytes) return null
    const bytes = this.#first(frameBytes)
    this.#pieces[0] = bytes.subarray(frameBytes)
    this.#byteCount -= frameBytes
    const content = bytes.subarray(HEAD_BYTES, frameBytes)
    return { kind: bytes.readUInt8(4), request: bytes.readUInt32BE(5), content }
  }

  // One piece with at least so many bytes, which are there. A long frame is put together once, when it is whole.
  #first(byteCount: number): Buffer {
    let [first] = this.#pieces
    if (first !== undefined && first.length >= byteCount) return first
    first = Buffer.concat(this.#pieces)
    this.#pieces = [first]
    return first
  }
}

/** Gathers what is to be sent, and writes it when the turn of the event loop ends. */
export class Outbox {
  readonly #socket: Socket
  readonly #onFlushed: () => void
  #pieces: Uint8Array[] = []
  #pushedBytes = 0

  /** @param onFlushed Called after each write. */
  constructor(socket: Socket, onFlushed: () => void = () => undefined) {
    this.#socket = socket
    this.#onFlushed = onFlushed
  }

  /** All that was ever handed in. */
  get pushedBytes(): number {
    return this.#pushedBytes
  }

  /** Pieces of frames, in order. They are not copied, and must not change any more. */
  push(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.#pushedBytes += piece.length
      if (this.#pieces.push(piece) === 1) setImmediate(this.#flush)
    }
  }

  readonly #flush = (): void => {
    const pieces = this.#pieces
    this.#pieces = []
    const socket = this.#socket
    if (!socket.writable) return
    socket.cork()
    let small: Uint8Array[] = []
    for (const piece of pieces) {
      if (piece.length <= MAX_JOINED_BYTES) {
        small.push(piece)
        continue
      }
      write(socket, small)
      small = []
      socket.write(piece)
    }
    write(socket, small)
    socket.uncork()
    this.#onFlushed()
  }
}

function write(socket: Socket, pieces: readonly Uint8Array[]): void {
  const [first] = pieces
  if (first !== undefined) socket.write(pieces.length === 1 ? first : Buffer.concat(pieces))
}
