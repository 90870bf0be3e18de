// What Node's HTTP server is given in place of a socket that it will have to let go of. A socket that HTTP has served
// keeps its parser, request and response for as long as it lives; this thin stream stands between the two, so that an
// endless answer can go on over the bare socket while all the rest is freed. It passes bytes on and decides nothing.

import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

type Done = (error?: Error | null) => void

/** Has what HTTP, and whoever serves a request, asks of a socket. */
export class Carrier extends Duplex {
  readonly #socket: Socket
  #isReleased = false
  readonly #onData = (bytes: Buffer): void => {
    if (!this.push(bytes)) this.#socket.pause()
  }
  readonly #onEnd = (): void => {
    this.push(null)
  }
  readonly #onTimeout = (): void => {
    this.emit('timeout')
  }
  readonly #onError = (error: Error): void => {
    this.destroy(error)
  }
  readonly #onClose = (): void => {
    this.destroy()
  }

  /** @param socket Nobody else's. Bytes that were put back into it are read first. */
  constructor(socket: Socket) {
    // HTTP tells a peer that has closed its side what it can say at once, and then closes this one itself.
    super({ decodeStrings: false, allowHalfOpen: true })
    this.#socket = socket
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('timeout', this.#onTimeout)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get remoteFamily(): string | undefined {
    return this.#socket.remoteFamily
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress
  }

  get localPort(): number | undefined {
    return this.#socket.localPort
  }

  get encrypted(): boolean {
    return this.#socket instanceof TLSSocket
  }

  setTimeout(timeoutMs: number): this {
    this.#socket.setTimeout(timeoutMs)
    return this
  }

  setNoDelay(isOn?: boolean): this {
    this.#socket.setNoDelay(isOn)
    return this
  }

  setKeepAlive(isOn?: boolean, initialDelayMs?: number): this {
    this.#socket.setKeepAlive(isOn, initialDelayMs)
    return this
  }

  /** Closes once all that was written is with the system. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /**
   * Parts the socket from HTTP, which takes this for the end of the connection and lets go of everything. What was
   * written and not taken yet, or arrived and was not read yet, is lost.
   * @returns The socket, paused, without any listener of this side.
   */
  release(): Socket {
    this.#isReleased = true
    this.#socket.pause()
    this.destroy()
    return this.#socket
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    this.#socket.write(chunk, encoding, done)
  }

  override _writev(
    chunks: readonly { readonly chunk: Buffer | string; readonly encoding: BufferEncoding }[],
    done: Done,
  ): void {
    const lastAt = chunks.length - 1
    this.#socket.cork()
    for (const [at, { chunk, encoding }] of chunks.entries()) {
      this.#socket.write(chunk, encoding, at === lastAt ? done : undefined)
    }
    this.#socket.uncork()
  }

  override _final(done: Done): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: Done): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('timeout', this.#onTimeout)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    if (!this.#isReleased) socket.destroy()
    done(error)
  }
}
