// Colours, on terminals that are to have them. Escape sequences stand nowhere else.

import type { Output } from './output.ts'

/** Puts a style around a text; the text must be printable. */
export type Style = Readonly<Record<'dim' | 'bold' | 'channel' | 'sender', (text: string) => string>>

/** Plain unless the output is a terminal, `NO_COLOR` is empty and the terminal is not dumb [no-color.org]. */
export function styleFor({ isTerminal }: Output, { NO_COLOR = '', TERM }: NodeJS.ProcessEnv): Style {
  const isColoured = isTerminal && NO_COLOR === '' && TERM !== 'dumb'
  const wrap = (on: number, off: number) => (text: string) =>
    isColoured ? `\x1b[${on}m${text}\x1b[${off}m` : text
  return { dim: wrap(2, 22), bold: wrap(1, 22), channel: wrap(36, 39), sender: wrap(33, 39) }
}
