// Pattern lists with the rules of OpenSSH's match.c (doc/protocol/native.md has the truth table): `*` is any run of
// characters, `?` exactly one, a leading `!` excludes. Sets no limits: `filter.ts` does, for what comes from a peer.
// Runs in browsers.

/** Takes a comma-separated list apart. Blanks are not trimmed, and the empty list has no pattern. */
export function parsePatterns(list: string): readonly string[] {
  return list === '' ? [] : list.split(',')
}

/**
 * Whether some pattern matches and no excluding one does, so that a list of exclusions alone matches nothing; nor does
 * the empty list. Case counts. Time is bounded by pattern length × value length.
 */
export function matchesPatterns(patterns: readonly string[], value: string): boolean {
  let found = false
  for (const pattern of patterns) {
    const isNegated = pattern.startsWith('!')
    if (!matchesPattern(value, isNegated ? pattern.slice(1) : pattern)) continue
    if (isNegated) return false
    found = true
  }
  return found
}

function matchesPattern(value: string, pattern: string): boolean {
  let at = 0
  let patternAt = 0
  let starAt = -1
  let retryAt = 0
  while (at < value.length) {
    const wanted = pattern[patternAt]
    if (wanted === '*') {
      starAt = patternAt++
      retryAt = at
    } else if (wanted === '?' || (wanted !== undefined && wanted === value[at])) {
      patternAt++
      at++
    } else if (starAt >= 0) {
      // Only the last star is ever retried: an earlier one that matched less would leave more for this one.
      patternAt = starAt + 1
      at = ++retryAt
    } else {
      return false
    }
  }
  while (pattern[patternAt] === '*') patternAt++
  return patternAt === pattern.length
}
