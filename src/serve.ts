// Runs a configured server until it is told to stop: opens all listeners or none, gives up privileges, follows its
// certificate file. It reads no arguments and handles no signals itself.

import { isIPv6 } from 'node:net'
import type { Census, Count } from './bus/census.ts'
import { readCertificate } from './certificate.ts'
import type { Config, Listener } from './config/schema.ts'
import { isLoopback } from './http/host-list.ts'
import type { Log } from './log.ts'
import { openStores, type Stores } from './open-stores.ts'
import { actingAs, becomeUser, descriptorLimit, findUser, type User } from './process.ts'
import { createServer, type Server } from './server.ts'

// Files, logs and listeners need descriptors besides the connections.
const RESERVED_DESCRIPTORS = 128
// For the server to cut off what is left when the drain time is over.
export const CUT_OFF_MS = 100

export interface ServeOptions {
  readonly log: Log
  /** Stops the server, within the configured drain time. */
  readonly signal: AbortSignal
}

export interface Running {
  /** URL of each listener, without a slash at the end, in the order of the configuration. */
  readonly urls: readonly string[]
  /**
   * Reads the certificate file again for new connections. Keeps the old one, and throws `ConfigError`, if the new one
   * is unusable. Does nothing without a certificate file.
   */
  reloadCertificate(): void
  /** Resolves when everything is closed, or at the latest when the drain time after the signal is over. */
  readonly closed: Promise<void>
}

/** A listener could not be opened. The message is one line, which names its address and port. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/**
 * Opens everything or nothing.
 * @throws {ConfigError} for a certificate that cannot be used, {UserError} for a user that this process cannot become:
 *   both are found before anything is opened. {StoreError} for a store and {ListenError} for a listener that cannot be
 *   opened.
 */
export async function serve(config: Config, { log, signal }: ServeOptions): Promise<Running> {
  const { certFile, listeners, password } = config
  const pem = readCertificate(certFile)
  const user = config.user === null ? null : findUser(config.user)
  // As whoever has to go on with them.
  const stores = await actingAs(user, () => openStores(config, log))
  const maxConnections = limitConnections(config.maxConnections, log)
  const serving = await serveStores({ ...config, maxConnections }, { log, signal, pem, user, ...stores })
  if (password === null) warnIfReachable(listeners, serving.urls, log)
  return {
    ...serving,
    reloadCertificate: () => {
      serving.setCertificate(readCertificate(certFile))
    },
  }
}

export interface ServeStoresOptions extends ServeOptions, Stores {
  /** PEM text for the TLS listeners. */
  readonly pem: string | null
  /** To become once everything is open. */
  readonly user: User | null
  readonly boundary?: string
  readonly census?: () => Census
}

/** What has the connections. */
export interface Serving extends Pick<Running, 'urls' | 'closed'> {
  /** What this process has. */
  count(): Count
  setCertificate(pem: string | null): void
}

/**
 * Opens all listeners, over stores that are open and that it closes at the end or if that fails.
 * @throws {ListenError}, {UserError}
 */
export async function serveStores(
  config: Config,
  { log, signal, pem, user, ...given }: ServeStoresOptions,
): Promise<Serving> {
  const server = createServer({
    ...config,
    ...given,
    ...(config.locations === null ? {} : { hbpush: config.locations }),
    log,
  })
  const urls: string[] = []
  try {
    for (const listener of config.listeners) urls.push(await open(server, listener, pem))
    if (user !== null) becomeUser(user)
  } catch (error) {
    await server.close(0)
    throw error
  }
  const closed = new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      // What is no HTTP connection yet, such as half a TLS handshake, must not hold up the end.
      const deadline = setTimeout(resolve, config.drainMs + CUT_OFF_MS)
      server
        .close(config.drainMs)
        .then(resolve, reject)
        .finally(() => {
          clearTimeout(deadline)
        })
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  return {
    urls,
    closed,
    count: () => server.count(),
    setCertificate: next => {
      if (next !== null) server.setCertificate(next)
    },
  }
}

const REASON_OF: Readonly<Record<string, string>> = {
  EACCES: 'not allowed (ports below 1024 are for root)',
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EAFNOSUPPORT: 'this machine does not speak that family of addresses',
}

async function open(
  server: Server,
  { address, port, isTls, protocol }: Listener,
  pem: string | null,
): Promise<string> {
  try {
    return await server.listen({ address, port, protocol, pem: isTls ? pem : null })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    // Without a code it is no answer of the system but a fault of ours.
    if (code === undefined) throw cause
    const endpoint = `${isIPv6(address) ? `[${address}]` : address}:${port}`
    const reason = REASON_OF[code]
    throw new ListenError(
      `Cannot listen on ${endpoint}: ${reason === undefined ? code : `${reason} (${code})`}`,
      { cause },
    )
  }
}

/** As many connections as were asked for, or as this process may have. */
export function limitConnections(wanted: number, log: Log): number {
  const allowed = descriptorLimit() - RESERVED_DESCRIPTORS
  if (wanted <= allowed) return wanted
  const maxConnections = Math.max(1, allowed)
  log.write('warn', 'conn.lowered', { maxConnections, wanted, reason: 'the limit of open files (ulimit -n)' })
  return maxConnections
}

/** Warns of a server without a password that others can reach. */
export function warnIfReachable(listeners: readonly Listener[], urls: readonly string[], log: Log): void {
  const reachable = urls.filter((_, at) => !isLoopback(listeners[at]?.address ?? ''))
  if (reachable.length === 0) return
  const text =
    'WARNING: no password: whoever reaches this address can read and publish everything (-s sets one)'
  log.write('warn', 'open.bus', { text, urls: reachable.join(' ') })
}
