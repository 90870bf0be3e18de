// A server that answers with exactly the bytes that a test gives it, and remembers what it was asked. Text stands for
// bytes here, one character each (latin1). Not a test.

import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

const TIMEOUT_MS = 20_000

/** Writes the answer to one request; whoever wants the connection to end has to say so. */
export type Answer = (socket: Socket, request: string) => void

export class RawServer {
  /** Heads of the requests so far. */
  readonly requests: string[] = []
  readonly #news = new EventEmitter()
  readonly #sockets = new Set<Socket>()
  readonly #answers: Answer[]
  #port = 0

  private constructor(answers: readonly Answer[]) {
    this.#answers = [...answers]
  }

  /** Listens on a free port of 127.0.0.1 until the test is over. The last answer is given again and again. */
  static async open(t: Test, ...answers: Answer[]): Promise<RawServer> {
    const raw = new RawServer(answers)
    const server = createServer(socket => {
      raw.#accept(socket)
    })
    t.teardown(() => {
      server.close()
      for (const socket of raw.#sockets) socket.destroy()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    raw.#port = (server.address() as AddressInfo).port
    return raw
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** The target of a request, in order. */
  target(at: number): string {
    return this.requests[at]?.split(' ')[1] ?? ''
  }

  /** Waits until it has been asked so often. */
  async asked(count: number): Promise<void> {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    while (this.requests.length < count) await once(this.#news, 'news', { signal })
  }

  #accept(socket: Socket): void {
    let head = ''
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', data => {
      head += data.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      const request = head
      head = ''
      this.requests.push(request)
      const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0]
      answer?.(socket, request)
      this.#news.emit('news')
    })
  }
}

/** Sends bytes and leaves the connection open. */
export function send(bytes: string): Answer {
  return socket => {
    socket.write(bytes, 'latin1')
  }
}

/** Sends bytes and ends the connection in good order. */
export function sendAndEnd(bytes: string): Answer {
  return socket => {
    socket.end(bytes, 'latin1')
  }
}

/** Sends bytes and breaks the connection once they are out. */
export function sendAndBreak(bytes: string): Answer {
  return socket => {
    socket.write(bytes, 'latin1', () => {
      // What is reset at once takes along what the other side has not read.
      setImmediate(() => socket.resetAndDestroy())
    })
  }
}

/** A whole answer with its length, and the last one of its connection. */
export function answer(status: string, headers: readonly string[] = [], body = ''): string {
  const lines = [`HTTP/1.1 ${status}`, 'Connection: close', ...headers, `Content-Length: ${body.length}`]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** The head of a stream that ends with its connection. */
export function streamHead(headers: readonly string[] = []): string {
  const type = headers.some(line => line.startsWith('Content-Type'))
    ? []
    : ['Content-Type: multipart/x-mixed-replace; boundary=b']
  return ['HTTP/1.1 200 OK', ...type, 'Connection: close', ...headers, '', ''].join('\r\n')
}

/** A part of such a stream, as the server writes it. */
export function part(id: string, body: string, lines: readonly string[] = []): string {
  const head = [...lines, 'Content-Type: text/plain', `Content-Length: ${body.length}`, `Msgbus-Id: ${id}`]
  return `${head.join('\r\n')}\r\n\r\n${body}\r\n--b\r\n`
}
