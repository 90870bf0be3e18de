// A server of several processes: this one has the stores, and so the order of messages and their history, and nothing else;
// its workers have the connections.

import { availableParallelism } from 'node:os'
import { makeBoundary } from '../bus/bus.ts'
import { readCertificate } from '../certificate.ts'
import type { Config } from '../config/schema.ts'
import type { Log } from '../log.ts'
import { closeStores, openStores } from '../open-stores.ts'
import { actingAs, becomeUser, findUser } from '../process.ts'
import { limitConnections, type Running, type ServeOptions, warnIfReachable } from '../serve.ts'
import { StoreHost } from '../store/remote/store-host.ts'
import { Crew } from './crew.ts'

/**
 * Opens everything or nothing, as `serve` does.
 * @throws {Error} as `serve` does, and {WorkerError} for what a worker has met.
 */
export async function serveByWorkers(config: Config, { log, signal }: ServeOptions): Promise<Running> {
  const { certFile, listeners, password, workers } = config
  const pem = readCertificate(certFile)
  const user = config.user === null ? null : findUser(config.user)
  warnOfMany(workers, log)
  const stores = await actingAs(user, () => openStores(config, log))
  const crew = new Crew({
    config: shareOf(config, log),
    hosts: [stores.store, ...stores.stores.values()].map(store => new StoreHost(store)),
    pem,
    boundary: makeBoundary(),
    log,
  })
  let urls: readonly string[]
  try {
    urls = await crew.start()
    if (user !== null) becomeUser(user)
  } catch (error) {
    await crew.stop(0)
    await closeStores(stores)
    throw error
  }
  crew.noteUserIsLeft()
  if (password === null) warnIfReachable(listeners, urls, log)
  const stopped = new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      crew.stop(config.drainMs).then(resolve, reject)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  return {
    urls,
    closed: Promise.race([stopped, crew.failed]).finally(async () => {
      await crew.stop(0)
      await closeStores(stores)
    }),
    reloadCertificate: () => {
      crew.setCertificate(readCertificate(certFile))
    },
  }
}

function warnOfMany(workers: number, log: Log): void {
  const cores = availableParallelism()
  if (workers > cores) log.write('warn', 'worker.many', { workers, cores })
}

/** What one worker may use of what all may use together. */
function shareOf(config: Config, log: Log): Config {
  const { workers, maxBodyBytes, maxBodiesTotalBytes } = config
  return {
    ...config,
    maxConnections: limitConnections(Math.ceil(config.maxConnections / workers), log),
    // Enough for one body at least.
    maxBodiesTotalBytes: Math.max(Math.ceil(maxBodiesTotalBytes / workers), maxBodyBytes),
  }
}
