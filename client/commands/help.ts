// Help texts, printed from the tables of the commands. At most 80 columns wide.

import { HELP } from './arguments.ts'
import type { Command, OptionRow } from './command.ts'

const WIDTH = 80
const COLUMN = 26

const EXIT_CODES: readonly (readonly [string, string])[] = [
  ['0', 'Done; for those who subscribe also when Ctrl-C or the reader of the output ended it.'],
  [
    '1',
    'The server could not be reached, refused, or broke off; a file could not be read or written; a command failed.',
  ],
  ['64', 'Wrong arguments.'],
  ['70', 'A fault of the program itself.'],
]

/** What `--help` of a command prints, with a final line end. */
export function helpText({ title, operands, summary, options, notes }: Command): string {
  return [
    `Usage: ${title} [OPTION]... ${operands}\n`,
    paragraph(summary),
    `Options:\n${[...options, HELP].map(row => entry(flagsOf(row), row.help)).join('')}`,
    ...notes.map(paragraph),
    `Exit codes:\n${EXIT_CODES.map(([code, help]) => entry(code.padEnd(4), help, 8)).join('')}`,
  ].join('\n')
}

/** A list of commands with their summaries, with a final line end. */
export function commandList(commands: readonly Command[]): string {
  const entries = commands.map(({ title, summary }) => entry(title, summary))
  return `Commands:\n${entries.join('')}${entry('msgbus help COMMAND', 'Says more about one of them.')}`
}

function flagsOf({ name, short, placeholder }: OptionRow): string {
  const letter = short === undefined ? '    ' : `-${short}, `
  return `${letter}--${name}${placeholder === undefined ? '' : ` ${placeholder}`}`
}

function entry(term: string, help: string, column = COLUMN): string {
  const indent = ' '.repeat(column)
  const head = `  ${term}`.padEnd(column)
  const first = head.endsWith('  ') ? head : `${head.trimEnd()}\n${indent}`
  return `${first}${wrap(help, WIDTH - column).join(`\n${indent}`)}\n`
}

function paragraph(text: string): string {
  return `${wrap(text, WIDTH).join('\n')}\n`
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
