// One address and port: a Node HTTP or HTTPS server with its limits set, answering for itself only what never became a
// request. What a request means is decided elsewhere.

import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { describeFault, type Log } from '../log.ts'
import type { ConnectionLimit } from './connection-limit.ts'
import { OpenConnections } from './open-connections.ts'
import { ALLOWED_METHODS } from './exchange.ts'
import type { Arrival } from './gate.ts'

const MAX_HEADER_BYTES = 16 * 1024
const CHECK_INTERVAL_MS = 1_000
const ACCEPT_BACKLOG = 4_096
// Finds peers that vanished, whatever their connection was doing.
const TCP_KEEP_ALIVE_MS = 30_000

export interface ListenerOptions {
  readonly address: string
  /** 0 picks a free one. */
  readonly port: number
  /** PEM text with certificate and key; null for plain HTTP. */
  readonly pem: string | null
  readonly headersTimeoutMs: number
  readonly keepAliveMs: number
  readonly connections: ConnectionLimit
  readonly log: Log
  readonly handle: (arrival: Arrival) => void
}

export interface Listener {
  /** `http://127.0.0.1:8888`, without a slash at the end. */
  readonly url: string
  /** Uses another certificate from now on; open connections keep theirs. No effect on plain HTTP. */
  setCertificate(pem: string): void
  /**
   * Accepts no more, closes connections that wait for no answer at once and the others behind theirs, and resolves when
   * the last one is closed.
   */
  close(): Promise<void>
  /** Closes every connection that is left. */
  destroy(): void
}

/** @throws {Error} what the system says (`EADDRINUSE`, `EACCES`) or what is wrong with the certificate. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const open = new OpenConnections()
  const server = createServer(options, open)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.address, port: options.port, backlog: ACCEPT_BACKLOG }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  // A connection that could not be accepted (no descriptors, no buffers) is that one's misfortune, not the server's end.
  server.on('error', error => {
    options.log.write('error', 'listener.fault', { error: describeFault(error) })
  })
  const closed = new Promise<void>(resolve => {
    server.once('close', resolve)
  })
  return {
    url: urlOf(server.address(), options.pem !== null),
    setCertificate: pem => {
      if (server instanceof HttpsServer) server.setSecureContext(secureOptions(pem))
    },
    close: () => {
      server.close()
      open.close()
      return closed
    },
    destroy: () => {
      open.destroy()
    },
  }
}

function createServer(
  { pem, headersTimeoutMs, keepAliveMs, connections, handle }: ListenerOptions,
  open: OpenConnections,
): Server {
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    // A missing Host is refused with everything else that is; Node's own refusal would go out behind a stream.
    requireHostHeader: false,
    headersTimeout: headersTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    // Bodies have deadlines of their own, since a published stream may last for days.
    requestTimeout: 0,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  }
  const server =
    pem === null
      ? createHttpServer(options)
      : createHttpsServer({
          ...options,
          ...secureOptions(pem),
          handshakeTimeout: headersTimeoutMs,
          ALPNProtocols: ['http/1.1', 'http/1.0'],
        })
  // Node's own limit hides the headers past it; they are counted as they come instead.
  server.maxHeadersCount = 0
  const take = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    open.setAnswer(req.socket, res)
    handle({ req, res, expectsContinue })
  }
  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    take(req, res, false)
  })
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    take(req, res, true)
  })
  server.on('checkExpectation', ({ socket }: IncomingMessage) => {
    refuse(
      socket,
      open.lastAnswer(socket),
      plainAnswer('417 Expectation Failed', 'The only expectation met here is 100-continue'),
    )
  })
  server.on(pem === null ? 'connection' : 'secureConnection', (socket: Socket) => {
    open.addCarrier(socket)
  })
  server.on('connection', (socket: Socket) => {
    open.addSocket(socket)
    connections.admit(socket)
  })
  server.on('clientError', (error: ParserError, socket: Socket) => {
    // Nothing can be written before the end of a TLS handshake, and nothing waited for: the connection would stay.
    if (!open.isCarrier(socket)) {
      socket.destroy()
      return
    }
    refuse(socket, open.lastAnswer(socket), errorAnswer(error))
  })
  return server
}

/** Ends a connection on which nothing more can be read, with a text where no other answer is in its way. */
function refuse(socket: Socket, lastAnswer: ServerResponse | undefined, text: string): void {
  // Refused before: that answer is on its way and closes the connection behind itself.
  if (lastAnswer?.writableEnded === true && !lastAnswer.shouldKeepAlive) return
  if (
    socket.writable &&
    (lastAnswer === undefined || lastAnswer.writableFinished || isUnanswered(lastAnswer))
  ) {
    socket.end(text, 'latin1')
    // A peer that never closes its side would keep the connection.
    socket.destroySoon()
  } else {
    socket.destroy()
  }
}

/** True for a request whose body cannot be read, with nothing unanswered before it and no byte of its answer written. */
function isUnanswered({ req, socket, headersSent }: ServerResponse): boolean {
  return !req.complete && socket !== null && !headersSent
}

interface ParserError extends NodeJS.ErrnoException {
  /** What was being read, from the start of a segment, and how far it was understood. */
  readonly rawPacket?: Buffer
  readonly bytesParsed?: number
}

// Given anew with every certificate: what is left out then falls back to Node's defaults.
function secureOptions(pem: string): SecureContextOptions {
  return { cert: pem, key: pem, minVersion: 'TLSv1.2' }
}

// [RFC 9112] what the parser could not read, in the words of its error codes.
function errorAnswer(error: ParserError): string {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return plainAnswer(
        '431 Request Header Fields Too Large',
        `The headers are larger than ${MAX_HEADER_BYTES} bytes`,
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return plainAnswer('408 Request Timeout', 'The request took too long')
    case 'HPE_INVALID_VERSION':
      if (/^(?:1\.[01])?$/.test(versionOf(error))) break
      return plainAnswer('505 HTTP Version Not Supported', 'Use HTTP/1.1 or HTTP/1.0')
    case 'HPE_INVALID_METHOD':
      if (!versionOf(error).startsWith('1.')) break
      return plainAnswer(
        '405 Method Not Allowed',
        'GET subscribes, POST and PUT publish',
        `Allow: ${ALLOWED_METHODS}\r\n`,
      )
  }
  return plainAnswer(
    '400 Bad Request',
    `This is not an HTTP request that can be read (${error.code ?? 'unknown error'})`,
  )
}

const REQUEST_LINE = /^[\w!#$%&'*+.^`|~-]+ [\x21-\x7e]+ HTTP\/(\d\.\d)\r?$/

/** The version that a whole and otherwise well-formed request line names; empty for any other. */
function versionOf({ rawPacket, bytesParsed = 0 }: ParserError): string {
  if (rawPacket === undefined) return ''
  const start = bytesParsed === 0 ? 0 : rawPacket.lastIndexOf('\n', bytesParsed - 1) + 1
  const end = rawPacket.indexOf('\n', start)
  return end < 0 ? '' : (REQUEST_LINE.exec(rawPacket.toString('latin1', start, end))?.[1] ?? '')
}

function plainAnswer(status: string, text: string, headerLines = ''): string {
  const headers = `Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length + 1}\r\n`
  return `HTTP/1.1 ${status}\r\n${headerLines}${headers}\r\n${text}\n`
}

function urlOf(address: string | AddressInfo | null, isTls: boolean): string {
  if (address === null || typeof address === 'string')
    throw new TypeError('Cannot tell the address listened on')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${isTls ? 'https' : 'http'}://${host}:${address.port}`
}
