// Publishes all messages as parts of one endless multipart/mixed request. The server answers once, at the end.

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { encodeChannel } from '../../src/channel.ts'
import { describeAnswer, findAnswer, findHead, isRefusal } from '../answer.ts'
import { RunError } from '../run-error.ts'
import { pathOf, type Target } from '../target.ts'
import type { Frame } from './composer.ts'
import type { Tally } from './tally.ts'
import type { Way } from './way.ts'

const CONTINUE = 100
const ACCEPTED = 204
const LINE_END = Buffer.from('\r\n')

export interface StreamWayOptions {
  readonly target: Target
  readonly channels: readonly string[]
  readonly type: string
  readonly bodyBytes: number
  readonly tally: Tally
}

export class StreamWay implements Way {
  readonly frame: Frame
  readonly #socket: Socket
  readonly #tally: Tally
  readonly #head: string
  readonly #boundary = `test-pub-${randomBytes(16).toString('hex')}`
  #state: 'asking' | 'open' | 'finished' | 'answered' = 'asking'
  #sentCount = 0
  #text = ''

  constructor(socket: Socket, { target, channels, type, bodyBytes, tally }: StreamWayOptions) {
    this.#socket = socket
    this.#tally = tally
    const [only] = channels
    const path = channels.length === 1 && only !== undefined ? pathOf(target, only) : target.prefix
    const location = (channel: string): string =>
      channels.length === 1 ? '' : `Content-Location: /msgbus/${encodeChannel(channel)}\r\n`
    // The server looks at the request, and refuses it in words, before anything of the body is on its way.
    this.#head =
      `POST ${path} HTTP/1.1\r\n${target.headerLines}Expect: 100-continue\r\n` +
      `Content-Type: multipart/mixed; boundary=${this.#boundary}\r\nTransfer-Encoding: chunked\r\n\r\n`
    const prefixes = channels.map(channel =>
      Buffer.from(
        `--${this.#boundary}\r\n${location(channel)}Content-Type: ${type}\r\nContent-Length: ${bodyBytes}\r\n\r\n`,
        'latin1',
      ),
    )
    this.frame = { prefixes, suffix: LINE_END }
  }

  get isWaiting(): boolean {
    return this.#state === 'asking' || this.#state === 'finished' || this.#socket.writableNeedDrain
  }

  open(): void {
    this.#socket.write(this.#head, 'latin1')
  }

  room(): number {
    return this.#state === 'open' && !this.#socket.writableNeedDrain ? Infinity : 0
  }

  write(bytes: Buffer, count: number): void {
    this.#sentCount += count
    const socket = this.#socket
    socket.cork()
    socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1')
    socket.write(bytes)
    socket.write(LINE_END)
    socket.uncork()
  }

  finish(): void {
    this.#state = 'finished'
    const end = `--${this.#boundary}--\r\n`
    this.#socket.write(`${end.length.toString(16)}\r\n${end}\r\n0\r\n\r\n`, 'latin1')
  }

  read(text: string, nowNs: number): void {
    this.#text += text
    const interim = findHead(this.#text)
    if (interim?.head.status === CONTINUE) {
      this.#text = this.#text.slice(interim.end)
      if (this.#state === 'asking') {
        this.#state = 'open'
        this.#tally.hasBegun = true
      }
    }
    if (this.#text === '') return
    const found = findAnswer(this.#text)
    if (found === null) return
    const { head } = found.answer
    if (head.status !== ACCEPTED || this.#state !== 'finished') {
      // Some servers tell everybody to go on, and look at the request later.
      this.#tally.hasBegun &&= isRefusal(found.answer)
      throw new RunError(describeAnswer(found.answer))
    }
    this.#state = 'answered'
    const acceptedCount = Number(head.headers.get('msgbus-count') ?? this.#sentCount)
    this.#tally.countAccepted(acceptedCount, nowNs)
    if (acceptedCount < this.#sentCount) {
      this.#tally.countRefused(found.answer, this.#sentCount - acceptedCount, nowNs)
    }
  }
}
