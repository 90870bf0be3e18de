// Runs one command as the program it is: its arguments, its signals, and whatever goes wrong as one line and an exit code.

import { MsgbusError } from '../../src/errors.ts'
import { readArguments } from './arguments.ts'
import type { Command, Surroundings } from './command.ts'
import {
  CommandError,
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_SOFTWARE,
  EXIT_USAGE,
  UsageError,
} from './command-error.ts'
import { helpText } from './help.ts'
import { hintFor } from './hints.ts'
import { Output, OutputClosed } from './output.ts'
import { printable } from './printable.ts'

/** Runs a command with the arguments behind its name, and ends the process. */
export async function runCommand(command: Command, argv: readonly string[]): Promise<never> {
  // Hides the arguments, with perhaps a password among them, from the list of processes.
  process.title = command.title
  process.stderr.on('error', () => undefined)
  const tell = (text: string): void => {
    process.stderr.write(`${command.title}: ${printable(text)}\n`)
  }
  const fail = (error: unknown): never => {
    if (!(error instanceof OutputClosed)) tell(lineOf(error, command))
    process.exit(exitCodeOf(error))
  }
  process.on('uncaughtException', fail)
  try {
    const output = new Output(process.stdout)
    const given = readArguments(command, argv)
    if (given === null) await output.write(helpText(command))
    else process.exit(await command.run(given, surround(output, tell)))
  } catch (error) {
    fail(error)
  }
  process.exit(EXIT_DONE)
}

function surround(output: Output, tell: (text: string) => void): Surroundings {
  return {
    env: process.env,
    // Opened by who asks for it: it may belong to the loop that this program runs in.
    get stdin() {
      return process.stdin
    },
    output,
    tell,
    followStop,
  }
}

function followStop(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (stop.signal.aborted) process.exit(EXIT_FAILED)
      stop.abort()
    })
  }
  return stop.signal
}

function lineOf(error: unknown, { title }: Command): string {
  if (error instanceof UsageError) return `${error.message}; see ${title} --help`
  if (error instanceof MsgbusError) return `${error.message}${hintFor(error)}`
  if (error instanceof CommandError) return error.message
  return `a fault of this program: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`
}

function exitCodeOf(error: unknown): number {
  if (error instanceof OutputClosed) return EXIT_DONE
  if (error instanceof UsageError) return EXIT_USAGE
  return error instanceof MsgbusError || error instanceof CommandError ? EXIT_FAILED : EXIT_SOFTWARE
}
