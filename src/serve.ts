// Runs a configured server until it is told to stop: opens all listeners or none, gives up privileges, follows its
// certificate file. It reads no arguments and handles no signals itself.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { createSecureContext } from 'node:tls'
import { ConfigError } from './config/config-error.ts'
import type { Config, Listener } from './config/schema.ts'
import { isLoopback } from './http/host-list.ts'
import type { Log } from './log.ts'
import { actingAs, becomeUser, descriptorLimit, findUser } from './process.ts'
import { createServer, type Server } from './server.ts'
import { openStore } from './store/open.ts'
import type { Store } from './store/store.ts'

// Files, logs and listeners need descriptors besides the connections.
const RESERVED_DESCRIPTORS = 128
// For the server to cut off what is left when the drain time is over.
const CUT_OFF_MS = 100

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
  const { certFile, listeners } = config
  const pem = certFile === null ? null : readCertificate(certFile)
  const user = config.user === null ? null : findUser(config.user)
  // As whoever has to go on with them.
  const [store, stores] = await actingAs(user, () => openStores(config, log))
  const server = createServer({
    ...config,
    store,
    stores,
    ...(config.locations === null ? {} : { hbpush: config.locations }),
    maxConnections: limitConnections(config.maxConnections, log),
    log,
  })
  const urls: string[] = []
  try {
    for (const listener of listeners) urls.push(await open(server, listener, pem))
    if (user !== null) becomeUser(user)
  } catch (error) {
    await server.close(0)
    throw error
  }
  if (config.password === null) warnIfReachable(listeners, urls, log)
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
    reloadCertificate: () => {
      if (certFile !== null) server.setCertificate(readCertificate(certFile))
    },
  }
}

// All of them or none.
async function openStores(
  { store, stores, retain }: Config,
  log: Log,
): Promise<readonly [main: Store, others: ReadonlyMap<string, Store>]> {
  const open = async (request: Config['store']): Promise<Store> =>
    openStore({ ...request, retention: { ...request.retention, rules: retain } }, log)
  const main = await open(store)
  const others = new Map<string, Store>()
  try {
    for (const [name, request] of stores) others.set(name, await open(request))
  } catch (error) {
    for (const opened of [main, ...others.values()]) await opened.close()
    throw error
  }
  return [main, others]
}

/**
 * Reads a certificate (with those that signed it behind it, if any) and its private key, in any order.
 * @returns The PEM text, fit for `node:tls`.
 * @throws {ConfigError} whose place is the file.
 */
function readCertificate(file: string): string {
  const refuse = (found: string, cause?: unknown): ConfigError =>
    new ConfigError(file, 'cert', 'a certificate and its private key in PEM', found, { cause })
  let pem: string
  try {
    pem = readFileSync(file, 'utf8')
  } catch (cause) {
    throw refuse(`a file that cannot be read (${codeOf(cause)})`, cause)
  }
  // One by one, because OpenSSL says the same of a missing key and a missing certificate, and Node takes no text at all
  // for a server without a certificate.
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (cause) {
    throw refuse('no certificate that can be read', cause)
  }
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (cause) {
    const isEncrypted = /^(?:-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED)/m.test(pem)
    throw refuse(isEncrypted ? 'an encrypted private key' : 'no private key that can be read', cause)
  }
  if (!certificate.checkPrivateKey(key)) throw refuse('the private key of another certificate')
  try {
    createSecureContext({ cert: pem, key: pem })
  } catch (cause) {
    throw refuse(`one that cannot be used (${codeOf(cause)})`, cause)
  }
  return pem
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'no reason given'
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

function limitConnections(wanted: number, log: Log): number {
  const allowed = descriptorLimit() - RESERVED_DESCRIPTORS
  if (wanted <= allowed) return wanted
  const maxConnections = Math.max(1, allowed)
  log.write('warn', 'conn.lowered', { maxConnections, wanted, reason: 'the limit of open files (ulimit -n)' })
  return maxConnections
}

function warnIfReachable(listeners: readonly Listener[], urls: readonly string[], log: Log): void {
  const reachable = urls.filter((_, at) => !isLoopback(listeners[at]?.address ?? ''))
  if (reachable.length === 0) return
  const text =
    'WARNING: no password: whoever reaches this address can read and publish everything (-s sets one)'
  log.write('warn', 'open.bus', { text, urls: reachable.join(' ') })
}
