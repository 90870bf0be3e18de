// The commands behind `msgbus`, by their first word, and the help that lists them.

import { CHAT } from './chat.ts'
import type { Command } from './command.ts'
import { EXIT_DONE, EXIT_USAGE } from './command-error.ts'
import { commandList, helpText } from './help.ts'
import { quote } from './printable.ts'
import { PUB } from './pub.ts'
import { runCommand } from './run.ts'
import { SUB } from './sub.ts'

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['pub', PUB],
  ['sub', SUB],
  ['chat', CHAT],
])

/** What the help of the program says of its commands. */
export const COMMANDS_HELP: string = commandList([...COMMANDS.values()])

/** Runs the command that the first word names, and ends the process. */
export async function runNamed(word: string, argv: readonly string[]): Promise<never> {
  if (word === 'help') return printHelp(argv[0])
  const command = COMMANDS.get(word)
  if (command !== undefined) return runCommand(command, argv)
  return refuse(word)
}

function printHelp(word: string | undefined): never {
  const command = COMMANDS.get(word ?? '')
  if (word !== undefined && command === undefined) refuse(word)
  const overview = `Usage: msgbus [OPTION]...\n       msgbus COMMAND [ARGUMENT]...\n\nWithout a command it is the server; msgbus --help has its options.\n\n${COMMANDS_HELP}`
  process.stdout.write(command === undefined ? overview : helpText(command))
  process.exit(EXIT_DONE)
}

function refuse(word: string): never {
  const known = [...COMMANDS.keys(), 'help'].join(', ')
  process.stderr.write(`msgbus: Cannot run ${quote(word)}: expected one of ${known}; see msgbus --help\n`)
  process.exit(EXIT_USAGE)
}
