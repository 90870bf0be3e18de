// What a connection becomes when a stream opens on it: who says the first word and the last one, and who hears the peer. What
// comes in between is the stream's. The usual conversation is one endless answer of HTTP.

import type { Socket } from 'node:net'
import type { Log } from '../log.ts'
import { headerLines } from './answer-text.ts'
import { assembleText, LAST_CHUNK } from './chunk.ts'
import { type Exchange, isChunked } from './exchange.ts'

export interface Conversation {
  /** True where everything that is written has to be an HTTP chunk. */
  readonly isChunked: boolean
  /** Says the first words on a socket that is free of HTTP, and hears the peer from now on. */
  begin(socket: Socket): void
  /** Says the last words, and closes. */
  end(socket: Socket): void
}

/** Texts are ASCII. */
export interface AnswerForm {
  readonly contentType: string
  /** More lines of the head, name and value in turn. */
  readonly headers: readonly string[]
  /** Goes out with the head. */
  readonly opening: string
  /** Ends the stream in good order. */
  readonly closing: string
}

/**
 * An answer without an end. Its head is written here, not through ServerResponse, which cannot say HTTP/1.0. Whatever
 * the peer says during it ends the connection. It keeps nothing of the request.
 */
export class EndlessAnswer implements Conversation {
  readonly isChunked: boolean
  readonly #closing: string
  readonly #log: Log
  #opening: Buffer | null

  constructor(exchange: Exchange, form: AnswerForm, log: Log) {
    this.isChunked = isChunked(exchange)
    this.#closing = form.closing
    this.#log = log
    this.#opening = Buffer.concat([headOf(exchange, form), assembleText(form.opening, this.isChunked)])
  }

  begin(socket: Socket): void {
    if (this.#opening !== null) socket.write(this.#opening)
    this.#opening = null
    socket.on('data', () => {
      this.#log.write('info', 'http.pipelined_stream', { peer: socket.remoteAddress ?? '' })
      socket.destroy()
    })
  }

  end(socket: Socket): void {
    const closing = assembleText(this.#closing, this.isChunked).toString('latin1')
    socket.end(`${closing}${this.isChunked ? LAST_CHUNK : ''}`, 'latin1')
  }
}

function headOf(exchange: Exchange, { contentType, headers }: AnswerForm): Buffer {
  const lines = headerLines([
    ...['Content-Type', contentType],
    ...(isChunked(exchange) ? ['Transfer-Encoding', 'chunked'] : []),
    ...['Connection', 'close', 'Date', new Date().toUTCString()],
    ...headers,
    ...exchange.commonHeaders,
  ])
  return Buffer.from(`HTTP/1.${exchange.req.httpVersionMinor} 200 OK\r\n${lines}\r\n`, 'latin1')
}
