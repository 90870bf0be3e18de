// What a command is: a table that its arguments are read by and its help is printed from, and what it does. The words of
// each command stand in its own file.

import type { ReadStream } from 'node:tty'
import type { Output } from './output.ts'

/** One option: how it is written and what it is for. */
export interface OptionRow {
  /** Long name, without dashes. */
  readonly name: string
  /** Letter after one dash. */
  readonly short?: string
  /** What the value is called; an option without it takes none. */
  readonly placeholder?: string
  /** Values that may begin with a dash: any other is taken for a forgotten value. */
  readonly dashed?: RegExp
  readonly help: string
}

/** What was given on the command line, in the shape that the table of the command asks for. */
export interface Arguments {
  readonly operands: readonly string[]
  /** Value of an option, by its long name; undefined if it was not given. */
  valueOf(name: string): string | undefined
  has(name: string): boolean
}

export interface Command {
  /** As it is typed: `msgbus pub`. */
  readonly title: string
  /** Its operands, as they stand behind `[OPTION]...`. */
  readonly operands: string
  readonly minOperands: number
  readonly maxOperands: number
  /** One line. */
  readonly summary: string
  readonly options: readonly OptionRow[]
  /** Paragraphs of the help, behind the options. */
  readonly notes: readonly string[]
  /**
   * Returns the exit code.
   * @throws {UsageError} Wrong arguments.
   * @throws {CommandError} What this machine refuses: files, other programs.
   * @throws {MsgbusError} What the server does.
   */
  run(given: Arguments, surroundings: Surroundings): Promise<number>
}

/** The process around a command. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly stdin: ReadStream
  readonly output: Output
  /** Says one line on stderr, under the name of the command. */
  readonly tell: (text: string) => void
  /** Aborted by SIGINT and SIGTERM, which from this call on end the program only when they come twice. */
  readonly followStop: () => AbortSignal
}
