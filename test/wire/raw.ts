// Bytes over TCP, as an attacker sends them: no client tidies anything up. Opens a server on a free port, writes what it
// is given, and waits for what comes back, for the end of the connection or for a pattern. Never sleeps.

import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import {
  createServer,
  type Log,
  type LogFields,
  type LogLevel,
  type Server,
  type ListenOptions,
  type ServerOptions,
} from '../../src/index.ts'
import { stillBus } from '../still-bus.ts'

/** Nothing that is waited for may take longer, on a busy machine too. Only a failing test ever waits so long. */
const MAX_WAIT_MS = 15_000

/** Where a server is to be reached. */
export interface Place {
  readonly port: number
  /** `127.0.0.1:port`, as it stands in Host. */
  readonly host: string
}

export interface Rig extends Place {
  readonly server: Server
}

export async function openServer(
  t: Test,
  options: ServerOptions = {},
  listenOptions: ListenOptions = {},
): Promise<Rig> {
  const server = createServer({ bus: stillBus(), ...options })
  t.teardown(() => server.close(0))
  const { host, port } = new URL(await server.listen(listenOptions))
  return { server, port: Number(port), host }
}

/** One connection. What arrives is kept as one character per byte. */
export class RawConnection {
  readonly socket: Socket
  #text = ''
  #isClosed = false
  #wake: () => void = () => undefined

  constructor(t: Test, port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    // A reset is one of the ways in which a server ends a connection: what arrived before it is what counts.
    this.socket.on('error', () => undefined)
    this.socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      this.#wake()
    })
    this.socket.on('close', () => {
      this.#isClosed = true
      this.#wake()
    })
    t.teardown(() => {
      this.socket.destroy()
    })
  }

  /** All that has arrived. */
  get text(): string {
    return this.#text
  }

  /** True when the server has closed the connection, in whatever way. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Writes text as one byte per character. */
  write(bytes: string | Uint8Array): this {
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1')
    else this.socket.write(bytes)
    return this
  }

  /** @returns All that has arrived, once the server has closed or reset the connection. */
  async closed(): Promise<string> {
    await this.#until(() => this.#isClosed, 'the end of the connection')
    return this.#text
  }

  /** @returns All that has arrived, once it matches. */
  async matched(pattern: RegExp | string): Promise<string> {
    const isThere = (): boolean =>
      typeof pattern === 'string' ? this.#text.includes(pattern) : pattern.test(this.#text)
    await this.#until(() => isThere() || this.#isClosed, String(pattern))
    if (!isThere()) throw new Error(`The connection ended without ${String(pattern)} after:\n${this.#text}`)
    return this.#text
  }

  #until(isDone: () => boolean, wanted: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        reject(new Error(`Waited too long for ${wanted} after:\n${this.#text.slice(0, 1000)}`))
      }, MAX_WAIT_MS)
      this.#wake = () => {
        if (!isDone()) return
        // Looked at once more with every byte, a long text would take longer and longer.
        this.#wake = () => undefined
        clearTimeout(deadline)
        resolve()
      }
      this.#wake()
    })
  }
}

/** Writes, and returns what came back until the server closed. */
export function send(t: Test, { port }: Place, bytes: string | Uint8Array): Promise<string> {
  return new RawConnection(t, port).write(bytes).closed()
}

/** A request with a right Host; more header lines and a body as they are given. */
export function request({ host }: Place, line: string, headers: readonly string[] = [], body = ''): string {
  return `${[`${line} HTTP/1.1`, `Host: ${host}`, ...headers].join('\r\n')}\r\n\r\n${body}`
}

/** A publish that nothing is wrong with. */
export function goodPost(
  place: Place,
  channel: string,
  body: string,
  headers: readonly string[] = [],
): string {
  const lines = ['Content-Type: text/plain', `Content-Length: ${body.length}`, ...headers]
  return request(place, `POST /msgbus/${channel}`, lines, body)
}

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Takes one answer apart; its body is all that follows the head. */
export function parse(text: string): Answer {
  const endOfHead = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, endOfHead).split('\r\n')
  const fields = lines.map((line): [string, string] => {
    const colonAt = line.indexOf(':')
    return [line.slice(0, colonAt).toLowerCase(), line.slice(colonAt + 1).trim()]
  })
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: new Map(fields),
    body: text.slice(endOfHead + 4),
  }
}

/** Asserts one refusal and nothing else: the status, the end of the connection announced, one line for a person. */
export function checkRefusal(t: Test, text: string, status: number, name: string): Answer {
  const answer = parse(text)
  const { headers, body } = answer
  t.equal(answer.status, status, `${name}: status`)
  t.equal(headers.get('connection'), 'close', `${name}: says that it closes`)
  t.match(headers.get('content-type') ?? '', /^text\/plain/, `${name}: plain text`)
  t.match(body, /^[\x20-\x7e]+\n$/, `${name}: one line and no second answer`)
  t.equal(headers.get('content-length'), `${body.length}`, `${name}: length`)
  return answer
}

/** A message that must arrive; `from` is the name of its publisher, if it has one. */
export interface Expected {
  readonly channel: string
  readonly type?: string
  readonly from?: string
  readonly body: string
}

/**
 * Reads the whole bus from before an attack on, and knows to the byte what must have come: nothing but the messages
 * that are expected, and then one of its own, which shows that the server still serves.
 */
export class Witness {
  readonly #t: Test
  readonly #rig: Rig
  readonly #connection: RawConnection
  readonly #authorization: readonly string[]
  readonly #expected: Expected[] = []

  private constructor(t: Test, rig: Rig, authorization: readonly string[]) {
    this.#t = t
    this.#rig = rig
    this.#authorization = authorization
    this.#connection = new RawConnection(t, rig.port).write(request(rig, 'GET /msgbus/', authorization))
  }

  /** @param authorization Header lines that each request of the witness needs. */
  static async open(t: Test, rig: Rig, authorization: readonly string[] = []): Promise<Witness> {
    const witness = new Witness(t, rig, authorization)
    await witness.#connection.matched(witness.#opening)
    return witness
  }

  /** Asserts that exactly these messages were published since the last call. */
  async saw(expected: readonly Expected[], name: string): Promise<void> {
    const mark = { channel: 'witness', type: 'text/plain', body: `${name} ${this.#expected.length}` }
    const headers = [...this.#authorization, 'Connection: close']
    const answer = parse(
      await send(this.#t, this.#rig, goodPost(this.#rig, mark.channel, mark.body, headers)),
    )
    this.#t.equal(answer.status, 204, `${name}: the server serves`)
    this.#expected.push(...expected, mark)
    const id = answer.headers.get('msgbus-id') ?? ''
    this.#t.equal(Number(id.split('-')[1]), this.#expected.length, `${name}: as many messages as expected`)
    await this.#connection.matched(
      `Msgbus-Id: ${id}\r\nMsgbus-Time: 1700000000000\r\n\r\n${mark.body}\r\n--${this.#rig.server.bus.boundary}\r\n\r\n`,
    )
    const text = this.#connection.text
    const parts = this.#expected.map((message, at) => this.#part(message, id.replace(/\d+$/, String(at + 1))))
    this.#t.equal(
      text.slice(text.indexOf('\r\n\r\n') + 4),
      `${this.#opening}${parts.join('')}`,
      `${name}: nothing else`,
    )
  }

  get #opening(): string {
    return chunk(`--${this.#rig.server.bus.boundary}\r\n`)
  }

  #part({ channel, type = 'text/plain', from, body }: Expected, id: string): string {
    const lines = [
      ...(from === undefined ? [] : [`From: ${from}`]),
      `Content-Location: /msgbus/${channel}`,
      `Content-Type: ${type}`,
      `Content-Length: ${body.length}`,
      `Msgbus-Id: ${id}`,
      'Msgbus-Time: 1700000000000',
    ]
    return chunk(`${lines.join('\r\n')}\r\n\r\n${body}\r\n--${this.#rig.server.bus.boundary}\r\n`)
  }
}

/** [RFC 9112 §7.1] One chunk. */
export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}

export interface Entry {
  readonly level: LogLevel
  readonly event: string
  readonly fields: LogFields
}

/** A log that is kept, and can be waited for. */
export class Journal implements Log {
  readonly entries: Entry[] = []
  #wake: () => void = () => undefined

  isEnabled(): boolean {
    return true
  }

  write(level: LogLevel, event: string, fields: LogFields = {}): void {
    this.entries.push({ level, event, fields })
    this.#wake()
  }

  /** @returns The first entry of that name, once there is one. */
  until(event: string): Promise<Entry> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        reject(new Error(`Waited too long for ${event} in the log`))
      }, MAX_WAIT_MS)
      this.#wake = () => {
        const entry = this.entries.find(known => known.event === event)
        if (entry === undefined) return
        clearTimeout(deadline)
        resolve(entry)
      }
      this.#wake()
    })
  }
}

/** A header line with Basic credentials. */
export function basic(user: string, password = ''): string {
  return `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
