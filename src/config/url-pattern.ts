// What the locations of the hbpush protocol say about paths: a prefix, or a regular expression, becomes an expression for
// whole paths whose one group is the channel. Expressions that could keep the process busy are refused, as far as that can
// be seen.

import { Refusal, type Schema, text } from './values.ts'

const MAX_EXPRESSION_LENGTH = 200
// Three repetitions that could share the same characters need a fifth of a second for the longest path, four would need
// minutes; whatever may be there or not doubles that.
const MAX_REPEATS = 3
const MAX_QUANTIFIERS = 4
/** Longer paths match no expression. A channel name has at most 255 bytes, 765 characters when all are escaped. */
const MAX_PATH_LENGTH = 1024

/** [RFC 3986 §3.3] The characters of a path; a query is none of it, and brackets and backslashes are of an expression. */
const PATH_SYNTAX = /^\/(?:[\w\-.~!$&'()*+,;=:@/]|%[\da-f]{2})*$/i

/** A prefix, taken literally. */
export const PATH_PREFIX: Schema<RegExp> = text(
  'the beginning of a path, as it stands in a URL (what is to be a regular expression is called "url")',
  prefix =>
    PATH_SYNTAX.test(prefix)
      ? new RegExp(`^${prefix.replace(/[$()*+./-]/g, String.raw`\$&`)}(.+)$`)
      : undefined,
)

/** An expression for the whole path. */
export const PATH_EXPRESSION: Schema<RegExp> = text('a regular expression', source => {
  if (source.length > MAX_EXPRESSION_LENGTH) {
    return new Refusal(`a regular expression of at most ${MAX_EXPRESSION_LENGTH} characters`)
  }
  const groupCount = countGroups(source)
  if (groupCount === null) return new Refusal('a regular expression, as JavaScript has them')
  if (groupCount !== 1) {
    return new Refusal('a regular expression with exactly one group, the channel; (?:…) is none')
  }
  return findBurden(source) ?? new RegExp(`^(?=.{1,${MAX_PATH_LENGTH}}$)(?:${source})$`)
})

// Python has other letters behind a backslash, such as \A and \Z; here they would stand for themselves.
const ESCAPES = /^(?:[^\\]|\\(?:[^a-z\d]|[bdfnrstvw]|[BDSW]|x[\da-f]{2}|u[\da-f]{4}))*$/is

function countGroups(source: string): number | null {
  if (!ESCAPES.test(source)) return null
  try {
    // By itself first: what closes a group that it did not open would otherwise close ours.
    const found = new RegExp(`${new RegExp(source).source}|`).exec('')
    return found === null ? null : found.length - 1
  } catch {
    return null
  }
}

const TOKEN = /\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<\w+>))?|[)|]|[*+?]\??|\{\d+(?:,\d*)?\}\??|./gs

// Whoever tries all ways to share a text between a repetition and what is repeated in it needs time without end: what is
// repeated may neither vary in length nor leave a choice.
function findBurden(source: string): Refusal | undefined {
  let repeatCount = 0
  let quantifierCount = 0
  const open: { varies: boolean }[] = [{ varies: false }]
  let last = { varies: false }
  for (const [token] of source.matchAll(TOKEN)) {
    const around = open.at(-1) ?? last
    const group = last
    last = { varies: false }
    if (token.startsWith('(')) {
      open.push({ varies: false })
    } else if (token === ')') {
      last = open.pop() ?? last
      const outer = open.at(-1)
      if (outer !== undefined && last.varies) outer.varies = true
    } else if (token === '|') {
      around.varies = true
    } else if (/^[*+?{]/.test(token)) {
      const isOptional = token.startsWith('?')
      if (group.varies && !isOptional) {
        return new Refusal(
          'a regular expression that repeats nothing that itself repeats or has a choice in it',
        )
      }
      if (/^\{\d+\}/.test(token)) continue
      around.varies = true
      quantifierCount++
      if (!isOptional) repeatCount++
    }
  }
  if (repeatCount <= MAX_REPEATS && quantifierCount <= MAX_QUANTIFIERS) return undefined
  return new Refusal(
    `a regular expression with at most ${MAX_QUANTIFIERS} of * + ? {}, and ${MAX_REPEATS} of them not ?`,
  )
}
