#!/usr/bin/env node
// The program: arguments to configuration, configuration to a running server, signals to its end, and errors to one
// line and an exit code: 0 stopped when told to, 1 could not open, 70 a fault of its own, 78 wrong configuration.

import { readFileSync } from 'node:fs'
import { loadConfig } from './config/load.ts'
import { ConfigError } from './config/config-error.ts'
import type { Config } from './config/schema.ts'
import { openLog } from './log.ts'
import { type Running, serve } from './serve.ts'

const EXIT_UNAVAILABLE = 1
const EXIT_SOFTWARE = 70
const EXIT_CONFIG = 78

await main()

async function main(): Promise<void> {
  // Hides the arguments, with perhaps a password among them, from the list of processes.
  process.title = 'msgbus'
  try {
    const outcome = loadConfig(process.argv.slice(2), process.env)
    if (outcome.kind === 'help') process.stdout.write(outcome.text)
    else if (outcome.kind === 'version') process.stdout.write(`msgbus ${version()}\n`)
    else await run(outcome.config)
  } catch (error) {
    process.stderr.write(`${lineOf(error)}\n`)
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : EXIT_UNAVAILABLE)
  }
}

async function run(config: Config): Promise<void> {
  const log = openLog(config.verbosity)
  const stop = new AbortController()
  const running = await serve(config, { log, signal: stop.signal })
  process.stdout.write(greeting(running, config))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (stop.signal.aborted) process.exit(0)
      stop.abort()
    })
  }
  process.on('SIGHUP', () => {
    try {
      running.reloadCertificate()
    } catch (error) {
      log.write('error', 'tls.reload_failed', { error: lineOf(error) })
    }
  })
  process.on('uncaughtException', error => {
    log.write('error', 'process.fault', { error: error.stack ?? error.message })
    process.exit(EXIT_SOFTWARE)
  })
  await running.closed
  process.exit(0)
}

function greeting({ urls }: Running, config: Config): string {
  const lines = [`msgbus ${version()}`]
  for (const [at, url] of urls.entries()) {
    const isOwned = config.listeners[at]?.protocol != null
    lines.push(`  bus    ${url}${isOwned ? '/' : '/msgbus/'}`)
    if (config.rootDir !== null && !isOwned) lines.push(`  pages  ${url}/`)
  }
  const [url] = urls
  const isOwned = config.listeners[0]?.protocol != null
  const channel = `${url ?? ''}${isOwned ? '' : '/msgbus'}/chatdemo`
  return `${lines.join('\n')}\ntry\n  curl -H 'Content-Type: text/plain' -d 'hello' ${channel}\n`
}

function lineOf(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  const text = error instanceof Error ? error.message : String(error)
  return `msgbus: ${text.split('\n', 1)[0] ?? ''}`
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
