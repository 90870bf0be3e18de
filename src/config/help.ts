// The help text and the table of doc/config.md, both printed from the table of options. Knows no option by name.

import { ROWS } from './flags.ts'
import type { Option } from './schema.ts'

const WIDTH = 80
const HELP_COLUMN = 30
const GROUPS: readonly Option['group'][] = ['Listening', 'Access', 'Content', 'Limits', 'Times', 'Process']

/** What `--help` prints: every option once, in groups, at most 80 columns wide, with a final line end. */
export function helpText(): string {
  const groups = GROUPS.map(group => {
    const rows = ROWS.filter(([, row]) => row.group === group)
    return `\n${group}:\n${rows.map(([, row]) => helpEntry(row)).join('')}`
  })
  const head = wrap(
    'An HTTP server that pushes messages: POST bytes to a channel, every subscriber gets them.',
    WIDTH,
  )
  return `Usage: msgbus [OPTION]...\n\n${head.join('\n')}\n${groups.join('')}`
}

function helpEntry(row: Option): string {
  const flags = `  ${flagsOf(row).padEnd(HELP_COLUMN - 4)}`
  const lines = wrap(describe(row), WIDTH - HELP_COLUMN)
  const indent = ' '.repeat(HELP_COLUMN)
  const first = flags.length > HELP_COLUMN - 2 ? `${flags}\n${indent}` : `${flags}  `
  return `${first}${lines.join(`\n${indent}`)}\n`
}

function flagsOf({ name, short, placeholder, isFileOnly }: Option): string {
  if (isFileOnly) return `    ${name}`
  const letters = short === undefined ? '    ' : short.map(letter => `-${letter}, `).join('')
  return `${letters}--${name}${placeholder === undefined ? '' : ` ${placeholder}`}`
}

function describe(row: Option): string {
  const facts = [
    row.default === undefined ? null : `default ${row.default}`,
    row.unit ?? null,
    row.isFileOnly ? 'in a file only' : null,
  ]
  const shown = facts.filter(fact => fact !== null)
  return shown.length === 0 ? row.help : `${row.help} (${shown.join('; ')})`
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

/** The options as a table in Markdown, one line each, with a final line end. */
export function describeOptions(): string {
  const rows = ROWS.map(([, row]) => [
    row.isFileOnly
      ? `${code(row.name)} (in a file only)`
      : ['--' + row.name, ...(row.short ?? []).map(letter => `-${letter}`)].map(code).join(', '),
    row.placeholder === undefined ? '' : code(row.placeholder),
    row.default === undefined ? '' : code(row.default),
    row.unit ?? '',
    row.help,
  ])
  const head = [
    ['Option', 'Value', 'Default', 'Unit', 'Meaning'],
    ['---', '---', '---', '---', '---'],
  ]
  return [...head, ...rows].map(cells => `| ${cells.map(escapeCell).join(' | ')} |\n`).join('')
}

function code(text: string): string {
  return `\`${text}\``
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}
