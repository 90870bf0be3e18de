// What the wire tests share: servers on free ports, and connections that send and read exact bytes. Text stands for
// bytes here, one character each (latin1). Everything closes with the test that opened it. Not a test.

import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Test } from 'tap'
import type { Log } from '../../src/log.ts'
import { createServer, type ListenOptions, type Server, type ServerOptions } from '../../src/server.ts'
import { stillBus } from '../still-bus.ts'
import { atOnce } from '../at-once.ts'

const TIMEOUT_MS = 20_000
const SHOWN_BYTES = 400

/** What the server said about itself. */
export class TestLog implements Log {
  readonly events: { readonly name: string; readonly fields: Readonly<Record<string, unknown>> }[] = []
  readonly #news = new EventEmitter()

  isEnabled(): boolean {
    return true
  }

  write(_level: string, name: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.events.push({ name, fields })
    this.#news.emit('news')
  }

  /** Waits until an event was written `count` times, and returns the fields of that one. */
  async until(name: string, count = 1): Promise<Readonly<Record<string, unknown>>> {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    for (;;) {
      const found = this.events.filter(event => event.name === name)[count - 1]
      if (found !== undefined) return found.fields
      await once(this.#news, 'news', { signal })
    }
  }
}

export interface TestServer {
  readonly server: Server
  readonly port: number
  readonly log: TestLog
}

/** One of two certificates with its key, PEM text; the common name is `msgbus test a` or `b`. */
export function certificate(name: 'a' | 'b'): string {
  return readFileSync(new URL(`../../../test/fixtures/certificate-${name}.pem`, import.meta.url), 'latin1')
}

/** Starts a server on a free port of 127.0.0.1. */
export async function start(
  t: Test,
  options: ServerOptions = {},
  listenOptions: ListenOptions = {},
): Promise<TestServer> {
  const log = new TestLog()
  const server = createServer({ log, bus: stillBus(), ...options })
  const url = await server.listen(listenOptions)
  t.teardown(() => server.close(0))
  return { server, port: Number(new URL(url).port), log }
}

/** A picture of one pixel. */
export const GIF = Buffer.from(
  '47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b',
  'hex',
).toString('latin1')

/** Publishes without HTTP and returns the id. */
export function put(
  { server }: TestServer,
  channel: string,
  body: string,
  { type = 'text/plain', sender = null }: { readonly type?: string; readonly sender?: string | null } = {},
): string {
  return atOnce(server.bus.publish({ channel, type, sender, body: Buffer.from(body, 'latin1') })).id
}

export interface Head {
  /** The whole status line. */
  readonly line: string
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
}

export interface Answer extends Head {
  readonly body: string
}

/** One part of a stream in standard framing. */
export interface TestPart {
  /** The lines as they came, without the empty one. */
  readonly lines: readonly string[]
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** A connection to a server, and what has arrived on it and was not read yet. */
export class Connection {
  readonly socket: Socket
  /** `ECONNRESET` and the like, once the connection broke. */
  errorCode: string | undefined
  #bytes = Buffer.alloc(64 * 1024)
  #start = 0
  #end = 0
  #isOver = false
  readonly #news = new EventEmitter()

  constructor(t: Test, socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#append(chunk)
      this.#news.emit('news')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.errorCode = error.code
    })
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#isOver = true
        this.#news.emit('news')
      })
    }
    t.teardown(() => {
      socket.destroy()
    })
  }

  send(data: string | Uint8Array): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
  }

  /** Reads exactly so many bytes. */
  async read(byteCount: number): Promise<string> {
    return this.#take(
      await this.#when(`${byteCount} bytes`, () => (this.#end - this.#start >= byteCount ? byteCount : null)),
    )
  }

  /** Reads up to and including the first occurrence of a text. */
  async readThrough(text: string): Promise<string> {
    let searchedBytes = 0
    const byteCount = await this.#when(JSON.stringify(text), () => {
      const bytes = this.#bytes.subarray(this.#start, this.#end)
      const found = bytes.indexOf(text, searchedBytes, 'latin1')
      searchedBytes = Math.max(0, bytes.length - text.length)
      return found < 0 ? null : found + text.length
    })
    return this.#take(byteCount)
  }

  async readHead(): Promise<Head> {
    const [line = '', ...lines] = (await this.readThrough('\r\n\r\n')).slice(0, -4).split('\r\n')
    return { line, status: Number(line.split(' ')[1]), headers: headersOf(lines, ': ') }
  }

  /** Reads the head and the body that its Content-Length tells. */
  async readAnswer(): Promise<Answer> {
    const head = await this.readHead()
    return { ...head, body: await this.read(Number(head.headers.get('content-length') ?? 0)) }
  }

  /** Reads one HTTP chunk and returns what is in it. */
  async readChunk(): Promise<string> {
    const size = (await this.readThrough('\r\n')).slice(0, -2)
    if (!/^[0-9a-f]+$/.test(size)) throw new Error(`Cannot read a chunk: its size is ${JSON.stringify(size)}`)
    const data = await this.read(Number.parseInt(size, 16))
    const end = await this.read(2)
    if (end !== '\r\n') throw new Error(`Cannot read a chunk: it ends in ${JSON.stringify(end)}`)
    return data
  }

  /** Reads one chunk that is exactly one whole part in standard framing. */
  async readPart(boundary: string): Promise<TestPart> {
    return parsePart(await this.readChunk(), boundary)
  }

  /** Reads what comes until the other side ends the connection or breaks it. */
  async readToEnd(): Promise<string> {
    await this.#when('the end', () => (this.#isOver ? 0 : null))
    return this.#take(this.#end - this.#start)
  }

  #take(byteCount: number): string {
    this.#start += byteCount
    return this.#bytes.toString('latin1', this.#start - byteCount, this.#start)
  }

  #append(chunk: Buffer): void {
    if (this.#end + chunk.length > this.#bytes.length) {
      const held = this.#bytes.subarray(this.#start, this.#end)
      this.#bytes = Buffer.alloc(2 * (held.length + chunk.length))
      this.#bytes.set(held)
      this.#start = 0
      this.#end = held.length
    }
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  async #when<T>(what: string, find: () => T | null): Promise<T> {
    const known = find()
    if (known !== null) return known
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    for (;;) {
      const found = find()
      if (found !== null) return found
      if (this.#isOver || signal.aborted) {
        const shown = this.#bytes.toString(
          'latin1',
          this.#start,
          Math.min(this.#end, this.#start + SHOWN_BYTES),
        )
        const reason = this.#isOver ? `the connection ended (${this.errorCode ?? 'FIN'})` : 'it took too long'
        throw new Error(`Cannot read ${what}: ${reason}; there is ${JSON.stringify(shown)}`)
      }
      await once(this.#news, 'news', { signal }).catch(() => undefined)
    }
  }
}

/** Opens a connection over plain TCP. */
export async function connect(t: Test, { port }: { readonly port: number }): Promise<Connection> {
  const socket = connectTcp(port, '127.0.0.1')
  const connection = new Connection(t, socket)
  await once(socket, 'connect')
  return connection
}

/** Opens a connection over TLS; any certificate will do. */
export async function connectSecurely(t: Test, { port }: { readonly port: number }): Promise<Connection> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  const connection = new Connection(t, socket)
  await once(socket, 'secureConnect')
  return connection
}

export interface RequestOptions {
  /** Whole lines. */
  readonly headers?: readonly string[]
  readonly body?: string | undefined
  readonly version?: '1.0' | '1.1'
}

/** Writes a request; a body brings its Content-Length along. */
export function requestText(method: string, path: string, options: RequestOptions = {}): string {
  const { headers = [], body, version = '1.1' } = options
  const lines = [`${method} ${path} HTTP/${version}`, 'Host: 127.0.0.1', ...headers]
  if (body !== undefined) lines.push(`Content-Length: ${body.length}`)
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** Sends one request on a connection of its own and reads the answer. */
export async function ask(
  t: Test,
  server: { readonly port: number },
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<Answer> {
  const connection = await connect(t, server)
  connection.send(requestText(method, path, options))
  const answer =
    method === 'HEAD' ? { ...(await connection.readHead()), body: '' } : await connection.readAnswer()
  connection.socket.end()
  return answer
}

/** Publishes one message, and fails unless that worked. */
export async function publish(
  t: Test,
  server: { readonly port: number },
  path: string,
  body: string,
  {
    type = 'text/plain',
    headers = [],
  }: { readonly type?: string; readonly headers?: readonly string[] } = {},
): Promise<Answer> {
  const answer = await ask(t, server, 'POST', path, { headers: [`Content-Type: ${type}`, ...headers], body })
  if (answer.status !== 204) throw new Error(`Cannot publish: ${answer.line}; ${answer.body}`)
  return answer
}

/** Asks for a stream and reads its head, and nothing behind it. From then on the subscription counts. */
export async function get(
  t: Test,
  server: { readonly port: number },
  path: string,
  options: RequestOptions = {},
): Promise<{ readonly stream: Connection; readonly head: Head }> {
  const stream = await connect(t, server)
  stream.send(requestText('GET', path, options))
  return { stream, head: await stream.readHead() }
}

/** Subscribes over HTTP/1.1 and reads the head and the opening, so that the next chunk is the first message. */
export async function subscribe(
  t: Test,
  server: { readonly port: number },
  path: string,
  headers: readonly string[] = [],
): Promise<Connection> {
  const { stream, head } = await get(t, server, path, { headers })
  if (head.status !== 200) throw new Error(`Cannot subscribe: ${head.line}`)
  await stream.readChunk()
  return stream
}

/** Takes a whole part in standard framing apart; throws for anything that is not exactly that. */
export function parsePart(text: string, boundary: string): TestPart {
  const headEnd = text.indexOf('\r\n\r\n')
  const lines = text.slice(0, headEnd).split('\r\n')
  const headers = headersOf(lines, ': ')
  const bodyEnd = headEnd + 4 + Number(headers.get('content-length'))
  const tail = text.slice(bodyEnd)
  if (headEnd < 0 || tail !== `\r\n--${boundary}\r\n`) {
    throw new Error(`Cannot read a part: ${JSON.stringify(text.slice(0, SHOWN_BYTES))}`)
  }
  return { lines, headers, body: text.slice(headEnd + 4, bodyEnd) }
}

/** Writes one HTTP chunk. */
export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}

/** Credentials of a user, as a header line. */
export function basic(user: string, password = 'any'): string {
  return `Authorization: Basic ${Buffer.from(`${user}:${password}`, 'latin1').toString('base64')}`
}

function headersOf(lines: readonly string[], separator: string): ReadonlyMap<string, string> {
  return new Map(
    lines.map(line => {
      const at = line.indexOf(separator)
      return [line.slice(0, at).toLowerCase(), line.slice(at + separator.length)]
    }),
  )
}
