// Which messages of a channel a subscription wants: `type` and `sender` pattern lists, bounded in what they may cost. How
// a list matches is in `pattern.ts`. Runs in browsers.

import { MsgbusError } from './errors.ts'
import type { Message } from './message.ts'
import { matchesPatterns, parsePatterns } from './pattern.ts'

const MAX_PATTERNS = 100
const MAX_LIST_LENGTH = 1024
const MAX_PATTERN_LENGTH = 256
const MAX_WILDCARDS = 16

/**
 * A comma-separated list of patterns: `*` is any run of characters, `?` exactly one, a leading `!` excludes.
 *
 * Case counts and blanks are not trimmed. A value matches when some pattern matches it and no excluding one does, so
 * a list of exclusions alone matches nothing; nor does the empty list.
 */
export class PatternList {
  readonly #patterns: readonly string[]
  // Messages of one kind and from one sender come in a row.
  #lastValue: string | null = null
  #lastMatches = false

  /** @throws {MsgbusError} `MSGBUS_FILTER` past 1,024 characters, 100 patterns, or 256 characters or 16 stars in one. */
  constructor(list: string) {
    if (list.length > MAX_LIST_LENGTH) {
      const text = `Cannot use this filter: ${list.length} characters, at most ${MAX_LIST_LENGTH} allowed`
      throw new MsgbusError('MSGBUS_FILTER', text)
    }
    const patterns = parsePatterns(list)
    if (patterns.length > MAX_PATTERNS) {
      throw new MsgbusError(
        'MSGBUS_FILTER',
        `Cannot use this filter: ${patterns.length} patterns, at most ${MAX_PATTERNS} allowed`,
      )
    }
    patterns.forEach(checkPattern)
    this.#patterns = patterns
  }

  matches(value: string): boolean {
    if (value !== this.#lastValue) {
      this.#lastMatches = matchesPatterns(this.#patterns, value)
      this.#lastValue = value
    }
    return this.#lastMatches
  }
}

function checkPattern(text: string): void {
  if (text.length > MAX_PATTERN_LENGTH) {
    throw new MsgbusError(
      'MSGBUS_FILTER',
      `Cannot use this filter: a pattern of ${text.length} characters, at most ${MAX_PATTERN_LENGTH} allowed`,
    )
  }
  // A pattern made to backtrack costs its wildcards times the value; both are bounded.
  const wildcardCount = text.split('*').length - 1
  if (wildcardCount > MAX_WILDCARDS) {
    throw new MsgbusError(
      'MSGBUS_FILTER',
      `Cannot use this filter: ${wildcardCount} "*" in a pattern, at most ${MAX_WILDCARDS} allowed`,
    )
  }
}

/** Both lists must match; a list that is absent, or just `*`, lets everything through. */
export class Filter {
  /** Two filters with the same key let the same messages through. */
  readonly key: string
  readonly #types: PatternList | null
  readonly #senders: PatternList | null

  /** @throws {MsgbusError} `MSGBUS_FILTER`, as {@link PatternList}. */
  constructor(options: { readonly type?: string | undefined; readonly sender?: string | undefined } = {}) {
    const { type = '*', sender = '*' } = options
    this.#types = type === '*' ? null : new PatternList(type)
    this.#senders = sender === '*' ? null : new PatternList(sender)
    this.key = JSON.stringify([type, sender])
  }

  matches(message: Pick<Message, 'type' | 'sender'>): boolean {
    if (this.#types !== null && !this.#types.matches(message.type)) return false
    // [dugsong Q1] A message without a sender passes every sender filter: the seed's documented intent.
    return this.#senders === null || message.sender === null || this.#senders.matches(message.sender)
  }
}
