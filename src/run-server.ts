// The server as a program: arguments to configuration, configuration to a running server in one process or several, signals
// to its end, and errors to one line and an exit code.

import { readFileSync } from 'node:fs'
import { COMMANDS_HELP } from '../client/commands/commands.ts'
import { loadConfig } from './config/load.ts'
import type { Config } from './config/schema.ts'
import { EXIT_SOFTWARE, exitCodeOf, lineOf, WorkerError } from './exit.ts'
import { describeFault, type Log, openLog } from './log.ts'
import { type Running, serve, type ServeOptions } from './serve.ts'

async function serveByWorkers(config: Config, options: ServeOptions): Promise<Running> {
  // Only now: without workers none of it is needed.
  const primary = await import('./workers/primary.ts')
  return primary.serveByWorkers(config, options)
}

/**
 * Runs the server until it is told to stop, and ends the process.
 * @param argv The arguments behind the name of the program.
 */
export async function runServer(argv: readonly string[]): Promise<void> {
  // Hides the arguments, with perhaps a password among them, from the list of processes.
  process.title = 'msgbus'
  // Whoever reads the output may leave; the readers of the bus stay.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined)
  try {
    const outcome = loadConfig(argv, process.env)
    if (outcome.kind === 'help') process.stdout.write(`${outcome.text}\n${COMMANDS_HELP}`)
    else if (outcome.kind === 'version') process.stdout.write(`msgbus ${version()}\n`)
    else await run(outcome.config)
  } catch (error) {
    process.stderr.write(`${lineOf(error)}\n`)
    process.exit(exitCodeOf(error))
  }
}

async function run(config: Config): Promise<void> {
  const log = openLog(config.verbosity)
  process.on('uncaughtException', error => {
    log.write('error', 'process.fault', { error: describeFault(error) })
    process.exit(EXIT_SOFTWARE)
  })
  const stop = new AbortController()
  let running: Running | null = null
  followSignals(() => running, stop, log)
  const options = { log, signal: stop.signal }
  try {
    running = config.workers > 1 ? await serveByWorkers(config, options) : await serve(config, options)
  } catch (error) {
    // A signal to the whole group ends workers that do not listen to it yet: that is no failure.
    if (stop.signal.aborted && error instanceof WorkerError) process.exit(0)
    throw error
  }
  process.stdout.write(greeting(running, config))
  await running.closed
  process.exit(0)
}

// From the first moment on: by default a SIGHUP ends a program, and the start takes a while.
function followSignals(running: () => Running | null, stop: AbortController, log: Log): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (stop.signal.aborted) process.exit(0)
      stop.abort()
      log.write('info', 'process.stopping', { signal })
    })
  }
  process.on('SIGHUP', () => {
    try {
      running()?.reloadCertificate()
      log.write('info', 'process.reloaded')
    } catch (error) {
      log.write('error', 'process.reload_failed', { error: lineOf(error) })
    }
  })
}

// It holds addresses that work on this machine, and no password.
function greeting({ urls }: Running, { listeners, rootDir, password }: Config): string {
  const places = listeners.map(({ protocol, isTls }, at) => ({
    url: urls[at] ?? '',
    isTls,
    isOwned: protocol !== null,
  }))
  const lines = places.flatMap(({ url, isOwned }) => {
    const local = localUrl(url)
    const reach = local === url ? '' : '  (and at every other address of this machine)'
    const bus = `  bus    ${local}${isOwned ? '/' : '/msgbus/'}${reach}`
    return rootDir === null || isOwned ? [bus] : [bus, `  pages  ${local}/`]
  })
  const place = places.find(({ isTls }) => !isTls) ?? places[0]
  if (place === undefined) throw new TypeError('Cannot greet: nothing is open')
  const curl = [
    'curl',
    // A certificate for a public name, or a self-signed one, does not fit the loopback address.
    ...(place.isTls ? ['-k'] : []),
    // curl asks for the password.
    ...(password === null ? [] : ['-u me']),
    "-H 'Content-Type: text/plain'",
    '-d hello',
    `'${localUrl(place.url)}${place.isOwned ? '' : '/msgbus'}/chatdemo'`,
  ]
  return `msgbus ${version()}\n${lines.join('\n')}\ntry\n  ${curl.join(' ')}\n`
}

// Nothing connects to the address that means all addresses.
function localUrl(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
