// Reads the arguments of a command by its table. What the values mean is for the command to say.

import { parseArgs } from 'node:util'
import type { Arguments, Command, OptionRow } from './command.ts'
import { UsageError } from './command-error.ts'
import { quote } from './printable.ts'

/** Every command has it. */
export const HELP: OptionRow = { name: 'help', short: 'h', help: 'Print this text and stop.' }

/**
 * Reads the arguments behind the name of a command; null if they ask for its help, which wins over everything. Of an option
 * that is given several times, the last one counts.
 * @throws {UsageError}
 */
export function readArguments(command: Command, argv: readonly string[]): Arguments | null {
  const rows = [...command.options, HELP]
  const tokens = tokenize(rows, argv)
  const values = new Map<string, string | undefined>()
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const row = findRow(rows, token.rawName)
    if (row === HELP) return null
    values.set(row?.name ?? token.rawName, token.value)
  }
  for (const token of tokens) if (token.kind === 'option') check(rows, token)
  checkCount(command, operands)
  return {
    operands,
    valueOf: name => values.get(name),
    has: name => values.has(name),
  }
}

/** A value that is a whole number from 1; undefined if it is not given. @throws {UsageError} */
export function readCount(given: Arguments, name: string): number | undefined {
  const value = given.valueOf(name)
  if (value === undefined) return undefined
  if (!/^[1-9]\d{0,14}$/.test(value))
    throw new UsageError(`Cannot use option "--${name}": found ${quote(value)}, expected a number from 1`)
  return Number(value)
}

function tokenize(rows: readonly OptionRow[], argv: readonly string[]) {
  const options = rows.map(({ name, short, placeholder }) => [
    name,
    {
      type: placeholder === undefined ? ('boolean' as const) : ('string' as const),
      ...(short === undefined ? {} : { short }),
    },
  ])
  // Not strict: our own words are plainer, and hold no password of a URL.
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(options) as Record<string, { type: 'boolean' | 'string'; short?: string }>,
  })
  return tokens
}

type OptionToken = Extract<ReturnType<typeof tokenize>[number], { kind: 'option' }>

// By what was typed: a letter that is no option comes back from the parser as a name of its own.
function findRow(rows: readonly OptionRow[], rawName: string): OptionRow | undefined {
  return rows.find(({ name, short }) => rawName === `--${name}` || rawName === `-${short ?? ''}`)
}

function check(rows: readonly OptionRow[], { rawName, value, inlineValue }: OptionToken): void {
  const row = findRow(rows, rawName)
  if (row === undefined) {
    const found = quote(/^-{1,2}[\w-]{0,40}/.exec(rawName)?.[0] ?? '-')
    throw new UsageError(`Cannot use option ${found}: there is no such option`)
  }
  const { name, placeholder, dashed } = row
  if (placeholder === undefined && value !== undefined)
    throw new UsageError(`Cannot use option "--${name}": it takes no value`)
  // An empty one stands for a variable of the shell that is not set.
  if (placeholder !== undefined && (value === undefined || value === ''))
    throw new UsageError(`Cannot use option "--${name}": expected ${placeholder} behind it, found nothing`)
  if (inlineValue === false && /^-./.test(value) && dashed?.test(value) !== true) {
    const wanted = `${placeholder ?? ''} (one that begins with "-" is written --${name}=${placeholder ?? ''})`
    throw new UsageError(
      `Cannot use option "--${name}": expected ${wanted}, found what looks like the next option`,
    )
  }
}

function checkCount(
  { operands: wanted, minOperands, maxOperands }: Command,
  operands: readonly string[],
): void {
  if (operands.length >= minOperands && operands.length <= maxOperands) return
  const found = operands.length < minOperands ? 'too little' : `also ${quote(operands[maxOperands] ?? '')}`
  const hint = operands.length > maxOperands ? ' (what holds blanks needs quotes around it)' : ''
  throw new UsageError(`Cannot use these arguments: expected ${wanted}, found ${found}${hint}`)
}
