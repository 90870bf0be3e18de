// The load of a fan-out benchmark: many subscribers on raw sockets, and publishers that wait or that do not. What every
// subscriber got is checked: the first one reads its stream message by message, all others must have got the same bytes.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { postRequest } from './peers/http-wire.ts'
import { blankBody, Stencil } from './peers/stencil.ts'

const READ_BUFFER_BYTES = 256 * 1024

export class Subscribers {
  readonly #sockets: Socket[] = []
  readonly #stalled: Socket[] = []
  readonly #byteCounts: number[] = []
  readonly #firstText: string[] = []
  #lastNumber = -1
  #isFaulty = false
  #onFirst: (() => void) | null = null

  /** Number of the last message the first subscriber got, -1 before any. */
  get lastNumber(): number {
    return this.#lastNumber
  }

  async open(port: number, path: string, count: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(READ_BUFFER_BYTES)
    for (let opened = 0; opened < count; opened += 200) {
      await Promise.all(
        Array.from({ length: Math.min(200, count - opened) }, () => this.#openOne(port, path, buffer)),
      )
    }
  }

  async #openOne(port: number, path: string, buffer: Buffer): Promise<void> {
    const index = this.#sockets.length
    this.#byteCounts.push(0)
    let isOpen = false
    const opened = new Promise<void>(resolve => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        onread: {
          buffer,
          callback: (byteCount, bytes) => {
            if (!isOpen) {
              isOpen = true
              resolve()
              return true
            }
            this.#byteCounts[index] = (this.#byteCounts[index] ?? 0) + byteCount
            if (index === 0) this.#check(Buffer.from(bytes).subarray(0, byteCount).toString('latin1'))
            return true
          },
        },
      })
      this.#sockets.push(socket)
      socket.on('error', () => undefined)
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    })
    await opened
  }

  #check(text: string): void {
    const all = `${this.#firstText.splice(0).join('')}${text}`
    const pattern = /#(\d{15})/g
    let end = 0
    for (let found = pattern.exec(all); found !== null; found = pattern.exec(all)) {
      const number = Number(found[1])
      if (number !== this.#lastNumber + 1) this.#isFaulty = true
      this.#lastNumber = number
      end = pattern.lastIndex
    }
    this.#firstText.push(all.slice(Math.max(end, all.length - 16)))
    this.#onFirst?.()
  }

  /** Resolves once the first subscriber has message `number`. */
  async reach(number: number): Promise<void> {
    while (this.#lastNumber < number) {
      await new Promise<void>(resolve => {
        this.#onFirst = resolve
      })
    }
    this.#onFirst = null
  }

  /** True when every message came once and in order, and all subscribers got the same number of bytes. */
  isSound(): boolean {
    const [first] = this.#byteCounts
    return !this.#isFaulty && this.#byteCounts.every(byteCount => byteCount === first)
  }

  /** Adds subscribers that never read, beyond what their kernel takes by itself. */
  async stall(port: number, path: string, count: number): Promise<void> {
    for (let opened = 0; opened < count; opened++) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      socket.pause()
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
      this.#stalled.push(socket)
    }
  }

  close(): void {
    for (const socket of [...this.#sockets, ...this.#stalled]) socket.destroy()
  }
}

export class Publisher {
  readonly #socket: Socket
  readonly #path: string
  #answerCount = 0
  #onAnswer: (() => void) | null = null

  private constructor(socket: Socket, path: string) {
    this.#socket = socket
    this.#path = path
    let rest = ''
    socket.on('data', (data: Buffer) => {
      const answers = `${rest}${data.toString('latin1')}`.split('\r\n\r\n')
      rest = answers.pop() ?? ''
      this.#answerCount += answers.length
      this.#onAnswer?.()
    })
  }

  static async open(port: number, path: string): Promise<Publisher> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.setNoDelay(true)
    return new Publisher(socket, path)
  }

  /** Publishes messages `first` to `last`, with at most `window` unanswered. */
  async publish(first: number, last: number, byteCount: number, window: number): Promise<void> {
    const start = this.#answerCount
    const stencil = new Stencil(postRequest(this.#path, blankBody(byteCount)))
    for (let number = first; number <= last;) {
      const answered = this.#answerCount - start
      const requests: Buffer[] = []
      while (number <= last && number - first - answered < window) requests.push(stencil.numbered(number++))
      if (requests.length > 0) this.#socket.write(Buffer.concat(requests))
      await this.#answer()
    }
    while (this.#answerCount - start < last - first + 1) await this.#answer()
  }

  async #answer(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#onAnswer = resolve
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
