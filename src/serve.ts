// Runs a configured server until it is told to stop: opens all listeners or none, gives up privileges, follows its
// certificate file. It reads no arguments and handles no signals itself.

import { readFileSync } from 'node:fs'
import type { Config } from './config/schema.ts'
import type { Log } from './log.ts'
import { becomeUser, descriptorLimit } from './process.ts'
import { createServer } from './server.ts'

// Files, logs and listeners need descriptors besides the connections.
const RESERVED_DESCRIPTORS = 128

export interface ServeOptions {
  readonly log: Log
  /** Stops the server, within the configured drain time. */
  readonly signal: AbortSignal
}

export interface Running {
  /** URL of each listener, without a slash at the end, in the order of the configuration. */
  readonly urls: readonly string[]
  /** Reads the certificate file again for new connections. Keeps the old one, and throws, if the new one is unusable. */
  reloadCertificate(): void
  /** Resolves when everything is closed. */
  readonly closed: Promise<void>
}

/** @throws {Error} with one line for a person, when a listener cannot be opened or the certificate not be used. */
export async function serve(config: Config, { log, signal }: ServeOptions): Promise<Running> {
  const maxConnections = limitConnections(config.maxConnections, log)
  const server = createServer({ ...config, maxConnections, log })
  const pem = config.certFile === null ? null : readCertificate(config.certFile)
  const urls: string[] = []
  try {
    for (const { address, port, isTls, protocol } of config.listeners) {
      urls.push(await server.listen({ address, port, protocol, pem: isTls ? pem : null }))
    }
    if (config.user !== null) becomeUser(config.user)
  } catch (error) {
    await server.close()
    throw error
  }
  warnIfOpen(config, log)
  const closed = new Promise<void>(resolve => {
    const stop = (): void => {
      void server.close(config.drainMs).then(resolve)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  return {
    urls,
    closed,
    reloadCertificate: () => {
      if (config.certFile !== null) server.setCertificate(readCertificate(config.certFile))
    },
  }
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    throw new Error(`Cannot read the certificate "${file}": ${code}`, { cause })
  }
}

function limitConnections(wanted: number, log: Log): number {
  const allowed = descriptorLimit() - RESERVED_DESCRIPTORS
  if (wanted <= allowed) return wanted
  const maxConnections = Math.max(1, allowed)
  log.write('warn', 'conn.lowered', { maxConnections, wanted, reason: 'the limit of open files (ulimit -n)' })
  return maxConnections
}

function warnIfOpen({ listeners, password }: Config, log: Log): void {
  for (const { address, port } of listeners) {
    if (password !== null || address.startsWith('127.') || address === '::1') continue
    log.write('warn', 'open.bus', {
      address,
      port,
      text: 'anybody who reaches this address can read and publish (-s sets a password)',
    })
  }
}
