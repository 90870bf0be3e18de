// What a user is told when the configuration is wrong: one line, which can be printed anywhere as it is. Where faults are
// found stands elsewhere.

// What would end the line, move the cursor or reverse the text of a terminal or a log.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const MAX_SHOWN = 60

/** A fault in the configuration. The message is one line, names the place and the option, and holds no password. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /**
   * `command line`, `environment`, `default`, `file.yaml:3:7` (line and column, both from 1), or the file an option names
   * when the fault is in there.
   */
  readonly place: string
  /** Long name of the option, without dashes; behind a dot the key in a mapping that is its value. */
  readonly option: string

  constructor(place: string, option: string, expected: string, found: string, options?: ErrorOptions) {
    const text = `msgbus: ${place}: "${option}": expected ${expected}, found ${found}`
    super(text.replace(INVISIBLE, escapeCharacter), options)
    this.place = place
    this.option = option
  }
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

/** Shows a text in an error: quoted, at most 60 characters of it, without the credentials of a URL. */
export function quote(text: string): string {
  const safe = text.replace(/\/\/[^/]*@/g, '//***@')
  return JSON.stringify(safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}…` : safe)
}
