// One address and port, plain or TLS: accepts connections, and gives each to who reads it once it says something. What begins
// like a GET goes to HTTP on a carrier, from which a stream can take it; what begins like a POST, to a reader of plain publishes,
// which leaves to HTTP what it is not made for; everything else to HTTP without a detour.

import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type SecureContextOptions, Server as TlsServer } from 'node:tls'
import { describeFault, type Log } from '../log.ts'
import { DateLine } from './answer-text.ts'
import { Carrier } from './carrier.ts'
import type { ConnectionLimit } from './connection-limit.ts'
import { Handshakes } from './handshakes.ts'
import { HttpReader, type HttpReaderOptions } from './http-reader.ts'
import { OpenConnections } from './open-connections.ts'
import { PlainConnection, type PlainConnectionOptions } from './plain-connection.ts'
import { refuseConnection, timeoutRefusal } from './refusal.ts'
import { PlainStream, type PlainStreamOptions, type StreamConsumer } from './plain-stream.ts'
import { SilentConnections } from './silent-connections.ts'

const ACCEPT_BACKLOG = 4_096
// Finds peers that vanished, whatever their connection was doing.
const TCP_KEEP_ALIVE_MS = 30_000
// No other method begins like that.
const FIRST_BYTE_OF_GET = 0x47
// Others do.
const FIRST_BYTE_OF_POST = 0x50

export interface ListenerOptions extends HttpReaderOptions {
  readonly address: string
  /** 0 picks a free one. */
  readonly port: number
  /** PEM text with certificate and key; null for plain HTTP. */
  readonly pem: string | null
  readonly connections: ConnectionLimit
  readonly plain: Pick<PlainConnectionOptions, 'resolve' | 'onRefused' | 'hold'> &
    Pick<PlainStreamOptions, 'watch'>
  readonly log: Log
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
  const server = createServer(options)
  await listen(server, options)
  const open = new OpenConnections()
  const http = new HttpReader(options, open)
  const readHttp = (socket: Socket, firstByte: number): void => {
    http.read(firstByte === FIRST_BYTE_OF_GET ? new Carrier(socket) : socket)
  }
  const plain = new Set<PlainConnection | PlainStream>()
  const date = new DateLine()
  const readPlain = (socket: Socket): void => {
    plain.add(new PlainConnection(socket, date, plainOptions))
  }
  const plainOptions = {
    ...options.plain,
    keepAliveMs: options.keepAliveMs,
    handOver: readHttp,
    giveBack: readPlain,
    openStream: (socket: Socket, first: Buffer, consumer: StreamConsumer) => {
      const stream = new PlainStream(socket, consumer, date, plainOptions)
      plain.add(stream)
      stream.read(first)
    },
    onLeave: (connection: PlainConnection | PlainStream) => {
      plain.delete(connection)
    },
  }
  const silent = new SilentConnections({
    timeoutMs: options.headersTimeoutMs,
    onByte: (socket, byte) => {
      if (byte === FIRST_BYTE_OF_POST) readPlain(socket)
      else readHttp(socket, byte)
    },
    onTimeout: socket => {
      refuseConnection(socket, null, timeoutRefusal())
    },
  })
  const isTls = options.pem !== null
  const handshakes = isTls ? new Handshakes() : null
  server.on('connection', (socket: Socket) => {
    open.addSocket(socket)
    options.connections.admit(socket)
    if (!socket.destroyed) handshakes?.begin(socket)
  })
  server.on(isTls ? 'secureConnection' : 'connection', (socket: Socket) => {
    handshakes?.end(socket)
    socket.on('error', ignore)
    if (!socket.destroyed) silent.add(socket)
  })
  // A connection that could not be accepted (no descriptors, no buffers) is that one's misfortune, not the server's end.
  server.on('error', error => {
    options.log.write('error', 'listener.fault', { error: describeFault(error) })
  })
  const closed = new Promise<void>(resolve => {
    server.once('close', resolve)
  })
  return {
    url: urlOf(server.address(), isTls),
    setCertificate: pem => {
      if (server instanceof TlsServer) server.setSecureContext(secureOptions(pem))
    },
    close: () => {
      server.close()
      http.close()
      silent.close()
      for (const connection of plain) connection.close()
      handshakes?.close()
      open.close()
      return closed
    },
    destroy: () => {
      open.destroy()
    },
  }
}

function createServer({ pem, headersTimeoutMs }: ListenerOptions): Server {
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS }
  // HTTP still tells a peer that has closed its side what it can say at once.
  if (pem === null) return createTcpServer({ ...options, allowHalfOpen: true })
  const server = createTlsServer({
    ...options,
    ...secureOptions(pem),
    handshakeTimeout: headersTimeoutMs,
    ALPNProtocols: ['http/1.1', 'http/1.0'],
  })
  // Nothing can be written before the end of a TLS handshake, and nothing waited for: the connection would stay.
  server.on('tlsClientError', (_error, socket) => {
    socket.destroy()
  })
  return server
}

// Given anew with every certificate: what is left out then falls back to Node's defaults.
function secureOptions(pem: string): SecureContextOptions {
  return { cert: pem, key: pem, minVersion: 'TLSv1.2' }
}

function listen(server: Server, { address, port }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port, backlog: ACCEPT_BACKLOG }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

// A connection that breaks closes, which is where it is noticed. One function for all of them: each of its own would be
// half a megabyte for ten thousand streams.
function ignore(): void {
  return
}

function urlOf(address: string | AddressInfo | null, isTls: boolean): string {
  if (address === null || typeof address === 'string')
    throw new TypeError('Cannot tell the address listened on')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${isTls ? 'https' : 'http'}://${host}:${address.port}`
}
