// Reads the command line, and checks single values for it and for load.ts. Which options there are stands in schema.ts;
// which value wins is decided in load.ts.

import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { ConfigError, quote } from './config-error.ts'
import { OPTIONS, type Option, type OptionKey } from './schema.ts'
import type { Schema } from './values.ts'

const COMMAND_LINE = 'command line'

/** One value that somebody gave, checked. */
export interface Setting {
  readonly key: OptionKey
  /** As in {@link ConfigError}. */
  readonly place: string
  readonly value: unknown
}

export type Flags =
  | { readonly kind: 'run'; readonly settings: readonly Setting[] }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

/** All rows of the table with their keys, in its order. */
export const ROWS: readonly (readonly [OptionKey, Option])[] = Object.entries(OPTIONS) as [
  OptionKey,
  Option,
][]

const KEY_OF_NAME: ReadonlyMap<string, OptionKey> = new Map(ROWS.map(([key, { name }]) => [name, key]))
const KEY_OF_LETTER: ReadonlyMap<string, OptionKey> = new Map(
  ROWS.flatMap(([key, { short = [] }]) => short.map(letter => [letter, key] as const)),
)

/** Key of the option with this long name. */
export function findOption(name: string): OptionKey | undefined {
  return KEY_OF_NAME.get(name)
}

/**
 * Reads the arguments behind the program's name. The last one wins where a flag may stand only once; `--help` and
 * `--version` win over everything, even over faults.
 * @throws {ConfigError} at place `command line`.
 */
export function readFlags(argv: readonly string[]): Flags {
  const tokens = tokenize(argv)
  const commands = tokens.map(token =>
    token.kind === 'option' && token.value === undefined ? keyOf(token) : undefined,
  )
  if (commands.includes('help')) return { kind: 'help' }
  if (commands.includes('version')) return { kind: 'version' }
  const settings: Setting[] = []
  let verboseCount = 0
  let isSecretGiven = false
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      // Half of a password with a blank in it arrives here when its quotes were forgotten.
      const found = isSecretGiven ? 'an argument that is not shown' : quote(token.value)
      throw new ConfigError(COMMAND_LINE, 'arguments', 'options only', found)
    }
    const key = keyOf(token)
    if (key === undefined) throw unknownOption(COMMAND_LINE, token.name)
    const row: Option = OPTIONS[key]
    if (row.isFileOnly) {
      throw new ConfigError(COMMAND_LINE, row.name, 'an option for the command line', 'one for a file only')
    }
    isSecretGiven ||= row.isSecret === true
    if (row.placeholder !== undefined) {
      settings.push(checkFlag(key, token))
    } else if (token.value !== undefined) {
      throw new ConfigError(COMMAND_LINE, row.name, 'no value', quote(token.value))
    } else if (key === 'verbosity') {
      verboseCount++
    } else {
      settings.push(checkValue(key, COMMAND_LINE, true, 'nothing'))
    }
  }
  if (verboseCount > 0) {
    settings.push(checkValue('verbosity', COMMAND_LINE, verboseCount, `${verboseCount}`))
  }
  return { kind: 'run', settings }
}

function tokenize(argv: readonly string[]) {
  // Not strict: its complaints quote the argument, which may be a password.
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      ROWS.map(([, { name, short, placeholder }]) => [
        name,
        {
          type: placeholder === undefined ? 'boolean' : 'string',
          ...(short?.[0] === undefined ? {} : { short: short[0] }),
        },
      ]),
    ),
  })
  return tokens
}

type Token = ReturnType<typeof tokenize>[number]
type FlagToken = Extract<Token, { kind: 'option' }>

// A letter that is no option comes back as a name of its own, so `--?` must not pass for `-?`.
function keyOf({ name, rawName }: FlagToken): OptionKey | undefined {
  return rawName.startsWith('--') ? KEY_OF_NAME.get(name) : (KEY_OF_LETTER.get(name) ?? KEY_OF_NAME.get(name))
}

function checkFlag(key: OptionKey, { value, inlineValue }: FlagToken): Setting {
  const { name }: Option = OPTIONS[key]
  // Most likely the value was forgotten and this is the next flag. It is not shown: it may be the password's.
  if (value !== undefined && !inlineValue && /^-./.test(value)) {
    const expected = `a value (one that begins with "-" is written --${name}=VALUE)`
    throw new ConfigError(COMMAND_LINE, name, expected, 'what looks like the next flag')
  }
  return checkValue(key, COMMAND_LINE, value, value === undefined ? 'nothing' : quote(value))
}

/**
 * Checks one value, or one element of a list, against the table.
 * @param found How an error is to show the value; not used for secrets.
 * @param schema What the value may be here, if not what it may be on the command line.
 * @throws {ConfigError}
 */
export function checkValue(
  key: OptionKey,
  place: string,
  value: unknown,
  found: string,
  schema: Schema<unknown> = OPTIONS[key].schema,
): Setting {
  const { name, isSecret }: Option = OPTIONS[key]
  const result = v.safeParse(schema, value)
  if (result.success) return { key, place, value: result.output }
  const shown = isSecret && value !== undefined ? 'a value that is not shown' : found
  throw new ConfigError(place, name, result.issues[0].message, shown)
}

/** The error for a name that no option has. Of the name only what looks like one is shown. */
export function unknownOption(place: string, name: string): ConfigError {
  // `--password:secret` and `{ password:secret }` are names, too.
  const shown = /^[\w<-]{1,40}/.exec(name)?.[0] ?? '?'
  const near = findNearest(shown)
  const behind = near === shown ? ' with a blank or "=" behind it' : ''
  const hint = near === undefined ? '' : ` (did you mean "${near}"${behind}?)`
  return new ConfigError(place, shown, `an option of msgbus${hint}`, 'an unknown name')
}

function findNearest(name: string): string | undefined {
  const wanted = name.toLowerCase().replaceAll('_', '-')
  const maxDistance = Math.min(2, Math.floor(wanted.length / 3))
  let nearest: string | undefined
  let nearestDistance = maxDistance + 1
  for (const candidate of KEY_OF_NAME.keys()) {
    const candidateDistance = distance(wanted, candidate)
    if (candidateDistance >= nearestDistance) continue
    nearest = candidate
    nearestDistance = candidateDistance
  }
  return nearest
}

// Letters to add, drop, replace or swap with their neighbour (optimal string alignment).
function distance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped && row > 1 && column > 1 ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    beforeLast = last
    last = current
  }
  return last[to.length] ?? 0
}
