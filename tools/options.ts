// Reads a command line by the table of a tool, in which each option stands once, and prints the help text and the table
// of doc/tools.md from the same. Knows no option by name but `help`.

import { parseArgs } from 'node:util'
import { UsageError } from './run-error.ts'
import type { Kind } from './values.ts'

const WIDTH = 80
const HELP_COLUMN = 30
const MAX_SHOWN = 60

/** One row of a table. */
export interface Option<Value = unknown> {
  /** Long name, behind `--`. */
  readonly name: string
  readonly short?: string
  /** What the value is called in the help text; a flag without it takes no value. */
  readonly placeholder?: string
  /** Only where there is a placeholder. */
  readonly kind?: Kind<Value>
  /** As a user would write it. */
  readonly default?: string
  readonly help: string
  /** Not shown in errors. */
  readonly isSecret?: true
}

/** The options of one tool, under the names that its code knows them by. */
export type Table = Readonly<Record<string, Option>>

type ValueOf<Row extends Option> = Row extends { readonly kind: Kind<infer Value> }
  ? Value | (Row extends { readonly default: string } ? never : null)
  : boolean

/** What was given, checked; null for an option that was not, false for a flag. */
export type Values<Rows extends Table> = { readonly [Key in keyof Rows]: ValueOf<Rows[Key]> }

const HELP: Option = { name: 'help', short: 'h', help: 'Print this text and stop.' }

/**
 * Reads the arguments behind the program's name. Of an option that stands twice the last one counts.
 * @returns Null when help was asked for, which wins over all faults.
 * @throws {UsageError} that names the option, what it expects and what was found.
 */
export function readOptions<Rows extends Table>(table: Rows, argv: readonly string[]): Values<Rows> | null {
  const tokens = tokenize(table, argv)
  const options = tokens.filter(token => token.kind === 'option')
  if (options.some(({ name, value }) => name === HELP.name && value === undefined)) return null
  const given = new Map<string, string | true>()
  for (const { name, rawName, value, inlineValue } of options) {
    const row = Object.values(table).find(known => known.name === name)
    if (row === undefined) throw new UsageError(`Cannot use option "${rawName}": there is none of that name`)
    given.set(name, checkGiven(row, value, inlineValue))
  }
  // Behind the options: what stands behind one that is none would be taken for it.
  const stray = tokens.find(token => token.kind === 'positional')
  if (stray !== undefined) throw fault('arguments', 'options only', quote(stray.value))
  const values = Object.entries(table).map(([key, row]) => [key, valueOf(row, given.get(row.name))])
  return Object.fromEntries(values) as Values<Rows>
}

function tokenize(table: Table, argv: readonly string[]) {
  const rows = [...Object.values(table), HELP]
  // Not strict: its complaints are several sentences long.
  return parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      rows.map(({ name, short, placeholder }) => [
        name,
        {
          type: placeholder === undefined ? 'boolean' : 'string',
          ...(short === undefined ? {} : { short }),
        },
      ]),
    ),
  }).tokens
}

function checkGiven(row: Option, value: string | undefined, isInline: boolean | undefined): string | true {
  if (row.placeholder === undefined) {
    if (value !== undefined) throw fault(row.name, 'no value', quote(value))
    return true
  }
  const expected = row.kind?.expected ?? 'a value'
  if (value === undefined) throw fault(row.name, expected, 'nothing')
  // Most likely the value was forgotten and this is the next flag.
  if (isInline !== true && /^-./.test(value)) throw fault(row.name, expected, 'what looks like the next flag')
  return value
}

function valueOf(row: Option, given: string | true | undefined): unknown {
  if (row.kind === undefined) return given === true
  const text = given ?? row.default
  if (text === undefined || text === true) return null
  const value = row.kind.read(text)
  if (value !== undefined) return value
  throw fault(row.name, row.kind.expected, row.isSecret === true ? 'a value that is not shown' : quote(text))
}

function fault(name: string, expected: string, found: string): UsageError {
  return new UsageError(`command line: "${name}": expected ${expected}, found ${found}`)
}

/** Shows a text in an error: quoted, at most 60 characters of it, without the credentials of a URL. */
export function quote(text: string): string {
  const safe = text.replace(/\/\/.*@/g, '//***@')
  return JSON.stringify(safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}…` : safe)
}

/** What `--help` prints, at most 80 columns wide, with a final line end. */
export function helpText(program: string, about: string, table: Table): string {
  const entries = [...Object.values(table), HELP].map(helpEntry)
  return `Usage: ${program} [OPTION]...\n\n${wrap(about, WIDTH).join('\n')}\n\n${entries.join('')}`
}

function helpEntry(row: Option): string {
  const letter = row.short === undefined ? '    ' : `-${row.short}, `
  const flags = `  ${letter}--${row.name}${row.placeholder === undefined ? '' : ` ${row.placeholder}`}`
  const indent = ' '.repeat(HELP_COLUMN)
  const text = row.default === undefined ? row.help : `${row.help} (default ${row.default})`
  const first = flags.length > HELP_COLUMN - 2 ? `${flags}\n${indent}` : flags.padEnd(HELP_COLUMN)
  return `${first}${wrap(text, WIDTH - HELP_COLUMN).join(`\n${indent}`)}\n`
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}

/** The options as a table in Markdown, one line each, with a final line end. */
export function describeOptions(table: Table): string {
  const rows = [...Object.values(table), HELP].map(row => [
    [`--${row.name}`, ...(row.short === undefined ? [] : [`-${row.short}`])].map(code).join(', '),
    row.placeholder === undefined ? '' : code(row.placeholder),
    row.default === undefined ? '' : code(row.default),
    row.help,
  ])
  const lines = [['Option', 'Value', 'Default', 'Meaning'], ['---', '---', '---', '---'], ...rows]
  return lines.map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`).join('')
}

function code(text: string): string {
  return `\`${text}\``
}
