// Opens one connection, plain or TLS, that hands over what arrives in a buffer which all connections share, and says in
// words what went wrong with it. Knows no HTTP.

import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { RunError } from './run-error.ts'
import type { Target } from './target.ts'

const WORDS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'this machine has no free port left for it (net.ipv4.ip_local_port_range)',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'there is no way to this host',
  EMFILE: 'this process may have no more files open (ulimit -n)',
  ENETUNREACH: 'there is no way to this network',
  ENFILE: 'this system may have no more files open',
  ENOTFOUND: 'there is no host of that name',
  EPIPE: 'the connection was closed',
  EPROTO: 'the server does not speak TLS there',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server does not speak TLS there',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the server does not speak TLS there',
  ETIMEDOUT: 'the host does not answer',
}

/** One buffer for all connections: what they get is looked at before the next one reads. */
export const READ_BUFFER_BYTES = 256 * 1024

export interface ConnectionEvents {
  /** The connection, and TLS on it, is there. */
  onOpen(): void
  /** So many bytes have arrived in the shared buffer. They must be used before this returns. */
  onBytes(byteCount: number): void
  /** Called once, when nothing comes any more; with an error if the connection broke. */
  onClose(error: Error | null): void
}

/** Opens a connection. Whoever has enough of it destroys the socket. */
export function openConnection(target: Target, buffer: Buffer, events: ConnectionEvents): Socket {
  const { host, port, isTls, isInsecure } = target
  const onread = {
    buffer,
    callback: (byteCount: number) => {
      events.onBytes(byteCount)
      return true
    },
  }
  const tls = {
    rejectUnauthorized: !isInsecure,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
  }
  const common = { host, port, noDelay: true, onread }
  const socket = isTls ? connectTls({ ...common, ...tls }) : connectTcp(common)
  let failure: Error | null = null
  socket.once(isTls ? 'secureConnect' : 'connect', () => {
    events.onOpen()
  })
  socket.once('error', (error: Error) => {
    failure = error
  })
  socket.once('close', () => {
    events.onClose(failure)
  })
  return socket
}

/** Makes one line of what Node says about a connection. */
export function connectionFault(action: string, { origin }: Target, error: Error): RunError {
  const { code = '' } = error as NodeJS.ErrnoException
  const isCertificate = /CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(code)
  const words = isCertificate
    ? `its certificate does not hold (${code}); --insecure takes any`
    : `${WORDS[code] ?? error.message.split('\n')[0] ?? ''}${code === '' ? '' : ` (${code})`}`
  return new RunError(`Cannot ${action} "${origin}": ${words}`, { cause: error })
}
