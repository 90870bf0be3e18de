// The subscribers of a benchmark: plain sockets that say what the server's protocol wants and hand what comes to a reader.

import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Wire } from './contender.ts'
import type { Course } from './course.ts'
import { Reader } from './reader.ts'
import type { Tally } from './tally.ts'

const READ_BUFFER_BYTES = 256 * 1024
const OPENED_AT_ONCE = 100
const OPEN_MS = 20_000

export interface Target {
  readonly port: number
  readonly isTls: boolean
  readonly wire: Wire
}

/** Connects to a server on this machine. */
export async function openSocket(
  { port, isTls }: Target,
  onread?: { buffer: Uint8Array; callback: (byteCount: number, bytes: Uint8Array) => boolean },
): Promise<Socket> {
  const options = { host: '127.0.0.1', port, ...(onread === undefined ? {} : { onread }) }
  const socket: Socket = isTls ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options)
  await new Promise<void>((resolve, reject) => {
    socket.once(isTls ? 'secureConnect' : 'connect', resolve)
    socket.once('error', reject)
  })
  // A server that closes shows in what is missing.
  socket.on('error', () => undefined)
  socket.setNoDelay(true)
  return socket
}

export class Crowd {
  readonly readers: Reader[] = []
  readonly #target: Target
  readonly #tally: Tally
  readonly #sockets: Socket[] = []
  readonly #buffer = Buffer.allocUnsafe(READ_BUFFER_BYTES)

  constructor(target: Target, tally: Tally) {
    this.#target = target
    this.#tally = tally
  }

  /** Opens subscribers, one for each channel that stands there; resolves when the server has said yes to all of them. */
  async open(channels: readonly { readonly name: string; readonly course: Course }[]): Promise<void> {
    for (let at = 0; at < channels.length; at += OPENED_AT_ONCE) {
      const some = channels.slice(at, at + OPENED_AT_ONCE)
      await Promise.all(some.map(({ name, course }) => this.#openOne(name, course)))
    }
  }

  /** Opens subscribers that never read a byte. */
  async stall(channel: string, count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      const socket = await openSocket(this.#target)
      socket.pause()
      socket.write(this.#target.wire.subscribe(channel))
      this.#sockets.push(socket)
    }
  }

  async #openOne(channel: string, course: Course): Promise<void> {
    const { wire, isTls } = this.#target
    const reader = new Reader(course, this.#tally)
    let answer: string | null = ''
    let onReady: (() => void) | null = null
    const take = (bytes: Buffer): void => {
      if (answer === null) {
        reader.take(bytes)
        return
      }
      answer += bytes.toString('latin1')
      if (!answer.includes(wire.subscribed)) return
      answer = null
      onReady?.()
    }
    const onread = {
      buffer: this.#buffer,
      callback: (byteCount: number, bytes: Uint8Array) => {
        take(Buffer.from(bytes.buffer, bytes.byteOffset, byteCount))
        return true
      },
    }
    // TLS sockets have no such buffer.
    const socket = await openSocket(this.#target, isTls ? undefined : onread)
    if (isTls) socket.on('data', take)
    this.#sockets.push(socket)
    this.readers.push(reader)
    await new Promise<void>((resolve, reject) => {
      const deadline = setTimeout(() => {
        reject(new Error(`Cannot subscribe to "${channel}": the server said ${JSON.stringify(answer)}`))
      }, OPEN_MS)
      onReady = () => {
        clearTimeout(deadline)
        resolve()
      }
      socket.write(wire.subscribe(channel))
    })
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
