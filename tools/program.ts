// What both tools are as programs: signals to an AbortSignal, the report to stdout, errors to one line on stderr, and
// an exit code: 0 for a run in which all was well, 1 for any other, 64 for a wrong command line, 70 for a fault of the
// tool.

import { helpText, readOptions, type Table, type Values } from './options.ts'
import { RunError, UsageError } from './run-error.ts'

const EXIT_UNSOUND = 1
// [sysexits(3)]
const EXIT_USAGE = 64
const EXIT_SOFTWARE = 70
const EXIT_INTERRUPTED = 130

/** What a run came to. */
export interface Outcome {
  /** What goes to stdout. */
  readonly report: string
  /** Why not all was well, each without the name of the tool; empty if it was. */
  readonly faults: readonly string[]
}

export interface Program<Rows extends Table> {
  readonly name: string
  /** Says in a sentence or two what it is for. */
  readonly about: string
  readonly table: Rows
  /** Runs until it is done or the signal says so; then the outcome is what there is by then. */
  run(values: Values<Rows>, signal: AbortSignal): Promise<Outcome>
}

/** Runs a tool and ends the process. */
export async function runProgram<Rows extends Table>(program: Program<Rows>): Promise<void> {
  const { name, table } = program
  // Hides the arguments, with perhaps a password among them, from the list of processes.
  process.title = name
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined)
  process.on('uncaughtException', error => {
    fail(name, error)
  })
  try {
    const values = readOptions(table, process.argv.slice(2))
    if (values === null) {
      end(name, helpText(name, program.about, table), 0)
      return
    }
    const { report, faults } = await program.run(values, stopSignal())
    for (const fault of faults) process.stderr.write(`${name}: ${fault}\n`)
    end(name, report, faults.length === 0 ? 0 : EXIT_UNSOUND)
  } catch (error) {
    fail(name, error)
  }
}

function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (stop.signal.aborted) process.exit(EXIT_INTERRUPTED)
      stop.abort()
    })
  }
  return stop.signal
}

function fail(name: string, error: unknown): void {
  const isExpected = error instanceof RunError || error instanceof UsageError
  const text = isExpected ? error.message : `fault of ${name} itself: ${String(error)}`
  process.stderr.write(`${name}: ${text.replaceAll('\n', ' ')}\n`)
  if (error instanceof RunError) end(name, '', EXIT_UNSOUND)
  else end(name, '', error instanceof UsageError ? EXIT_USAGE : EXIT_SOFTWARE)
}

// Not before stdout has taken all: behind a pipe that may take a while.
function end(name: string, report: string, code: number): void {
  process.stdout.write(report, error => {
    const reason = (error as NodeJS.ErrnoException | null | undefined)?.code
    // Who closes the pipe has read enough.
    if (reason === undefined || reason === 'EPIPE') process.exit(code)
    process.stderr.write(`${name}: Cannot write the report to stdout: ${reason}\n`, () => {
      process.exit(code === 0 ? EXIT_UNSOUND : code)
    })
  })
}
