// What strangers have written, fit for a terminal: nothing of it moves the cursor, changes colours or reverses the text.
// What is not shown as it is is shown as an escape.

const MAX_QUOTED_LENGTH = 60

// Control, format (bidi, zero width) and lone surrogate characters, line and paragraph separators. The two joiners belong
// to words of several scripts and to emoji, and can do no more than join.
const UNSAFE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Text as one line. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escapeCharacter)
}

/** Text of several lines: line ends and tabs stay. */
export function printableLines(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSAFE, character => {
    return character === '\n' || character === '\t' ? character : escapeCharacter(character)
  })
}

/** JSON of the same meaning that a terminal can be given. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, character =>
    // By code units: JSON knows no others.
    Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join(''),
  )
}

/** An argument in an error: quoted, the beginning of it, without the credentials of a URL. */
export function quote(text: string): string {
  const safe = text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1***@')
  const shown = safe.length > MAX_QUOTED_LENGTH ? `${safe.slice(0, MAX_QUOTED_LENGTH)}…` : safe
  return `"${printable(shown)}"`
}

/** A number of bytes for people: `5 B`, `1.2 kB`, `3.4 MB`. */
export function formatSize(byteCount: number): string {
  if (byteCount < 1000) return `${Math.round(byteCount)} B`
  const units = ['kB', 'MB', 'GB']
  const at = Math.min(Math.floor(Math.log10(byteCount) / 3), units.length) - 1
  return `${(byteCount / 1000 ** (at + 1)).toFixed(1)} ${units[at] ?? ''}`
}

/** `12:34:56` by the clock on the wall; with the date if that is not today's. */
export function formatTime(time: Date, now = new Date()): string {
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':')
  if (time.toDateString() === now.toDateString()) return clock
  return `${time.getFullYear()}-${twoDigits(time.getMonth() + 1)}-${twoDigits(time.getDate())} ${clock}`
}

function twoDigits(value: number): string {
  return `${value}`.padStart(2, '0')
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  if (character === '\t') return '\\t'
  if (code <= 0xff) return `\\x${hex(code, 2)}`
  return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 1)}}`
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0')
}
