// How the program ends when something is wrong: one line for a person, and an exit code: 0 stopped when told to, 1 no address
// or store to be had, 70 a fault of its own, 77 could not become the user, 78 wrong configuration.

import { ConfigError } from './config/config-error.ts'
import { describeFault } from './log.ts'
import { UserError } from './process.ts'
import { ListenError } from './serve.ts'
import { StoreError } from './store/store-error.ts'

// An address or a store that cannot be had.
const EXIT_UNAVAILABLE = 1
// [sysexits(3)]
export const EXIT_SOFTWARE = 70
const EXIT_PERMISSION = 77
const EXIT_CONFIG = 78

/** Another process of this program has ended with an error. The message is the line that it would have printed. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError'
  readonly exitCode: number

  constructor(line: string, exitCode: number) {
    super(line)
    this.exitCode = exitCode
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof WorkerError) return error.exitCode
  if (error instanceof ConfigError) return EXIT_CONFIG
  if (error instanceof UserError) return EXIT_PERMISSION
  if (error instanceof StoreError) return error.isMisconfigured ? EXIT_CONFIG : EXIT_UNAVAILABLE
  return error instanceof ListenError ? EXIT_UNAVAILABLE : EXIT_SOFTWARE
}

/** What is wrong, in one line. */
export function lineOf(error: unknown): string {
  if (error instanceof ConfigError || error instanceof WorkerError) return error.message
  const isExpected = error instanceof UserError || error instanceof ListenError || error instanceof StoreError
  return `msgbus: ${isExpected ? error.message : describeFault(error)}`
}
