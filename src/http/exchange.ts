// One HTTP request and its answer, as a protocol sees them: already taken apart, and with every header that the server
// owes on each answer. Streams do not go through here once they run.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Credentials } from './credentials.ts'
import { errorAnswer } from './error-answer.ts'
import type { Target } from './target.ts'

// Anybody may publish HTML, so nothing below these URLs may run with the server's origin, be guessed to be another
// type, be framed or read by other sites, or be kept by a cache.
const POLICY = ['Content-Security-Policy', "sandbox; default-src 'none'; frame-ancestors 'self'"]
const COMMON_HEADERS = [
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
  'Cache-Control',
  'no-store',
  // Some proxies hold back answers until they have enough of them.
  'X-Accel-Buffering',
  'no',
]
/** Headers of every answer to somebody who is no page of another origin, name and value in turn. */
export const CLOSED_HEADERS = [...POLICY, ...COMMON_HEADERS, 'Cross-Origin-Resource-Policy', 'same-origin']

export interface ExchangeOptions {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly target: Target
  readonly credentials: Credentials | null
  readonly corsHeaders: readonly string[]
  /** True when the client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean
}

export class Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly target: Target
  readonly credentials: Credentials | null
  readonly #corsHeaders: readonly string[]
  #expectsContinue: boolean

  constructor(options: ExchangeOptions) {
    this.req = options.req
    this.res = options.res
    this.target = options.target
    this.credentials = options.credentials
    this.#corsHeaders = options.corsHeaders
    this.#expectsContinue = options.expectsContinue
  }

  get method(): string {
    return this.req.method ?? ''
  }

  /** Headers that every answer carries, name and value in turn. */
  get commonHeaders(): readonly string[] {
    if (this.#corsHeaders.length === 0) return CLOSED_HEADERS
    return [...POLICY, ...this.#pageHeaders()]
  }

  #pageHeaders(): readonly string[] {
    return [
      ...COMMON_HEADERS,
      'Cross-Origin-Resource-Policy',
      this.isOpen ? 'cross-origin' : 'same-origin',
      ...this.#corsHeaders,
    ]
  }

  /** True for the request of a page that may read the answer, though it is of another origin. */
  get isOpen(): boolean {
    return this.#corsHeaders.includes('Access-Control-Allow-Origin')
  }

  /** Tells a client that waits for it to send its body. Called by whoever is about to read it. */
  startBody(): void {
    if (!this.#expectsContinue) return
    this.#expectsContinue = false
    this.res.writeContinue()
  }

  /**
   * Answers and is done.
   * @param headers Name and value in turn.
   * @param text One line for a person; no body without it.
   */
  answer(status: number, headers: readonly string[] = [], text?: string): void {
    const body = text === undefined || this.method === 'HEAD' ? undefined : `${text}\n`
    const bodyHeaders = body === undefined ? [] : textHeaders(body)
    this.res.writeHead(status, [...this.commonHeaders, ...headers, ...bodyHeaders])
    this.res.end(body)
  }

  /** Answers with bytes that are no part of a stream. */
  send(status: number, headers: readonly string[], body: Uint8Array): void {
    this.res.writeHead(status, [...this.commonHeaders, ...headers, 'Content-Length', `${body.length}`])
    this.res.end(body)
  }

  /** Answers with a page of the server's own, under a policy of its own. */
  page(html: string, contentSecurityPolicy: string): void {
    const headers = [
      'Content-Security-Policy',
      contentSecurityPolicy,
      ...this.#pageHeaders(),
      'Content-Type',
      'text/html; charset=utf-8',
    ]
    this.res.writeHead(200, [...headers, 'Content-Length', `${Buffer.byteLength(html)}`])
    this.res.end(this.method === 'HEAD' ? undefined : html)
  }

  /** Answers with what the peer did wrong, or that something went wrong here, and closes the connection. */
  refuse(error: unknown): void {
    if (this.res.headersSent || this.req.socket.destroyed) {
      this.req.socket.destroy()
      return
    }
    // [RFC 9112 §9.6] Marks the answer as the last one: what was sent behind this request is not carried out.
    this.res.shouldKeepAlive = false
    const { status, headers, text } = errorAnswer(error)
    this.answer(status, headers, text)
  }
}

/** Headers of a line of text, name and value in turn. */
export function textHeaders(body: string): readonly string[] {
  return ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', `${Buffer.byteLength(body)}`]
}

/** True for a peer that understands chunks. */
export function isChunked({ req }: Exchange): boolean {
  return req.httpVersionMinor > 0
}

/** True when the request announces a body that is not empty. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined
}
