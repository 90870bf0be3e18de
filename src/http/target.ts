// Reads a request target: path and query, still percent-encoded. The WHATWG URL parser is not used on purpose: it
// resolves `..`, `%2e%2e`, `\` and `//`, so that what it routes is not what was sent.

import { MsgbusError } from '../errors.ts'

/** Longest request target in bytes. */
export const MAX_TARGET_BYTES = 4096

/** A request target, taken apart and otherwise untouched. */
export interface Target {
  /** Begins with a slash; percent-encoded. */
  readonly path: string
  /** What follows the `?`, without it; percent-encoded. */
  readonly query: string
  /** `host[:port]` of an absolute-form target [RFC 9112 §3.2.2], else null. */
  readonly authority: string | null
}

const ABSOLUTE_FORM = /^https?:\/\/([^/?#\\]+)/i

/** @throws {MsgbusError} `MSGBUS_URL_TOO_LONG`, `MSGBUS_TARGET`. */
export function parseTarget(text: string): Target {
  if (text.length > MAX_TARGET_BYTES) {
    throw new MsgbusError(
      'MSGBUS_URL_TOO_LONG',
      `The URL is ${text.length} bytes, at most ${MAX_TARGET_BYTES} allowed`,
    )
  }
  const authority = ABSOLUTE_FORM.exec(text)
  const local = authority === null ? text : text.slice(authority[0].length) || '/'
  // A fragment never travels, a backslash is a slash to some, and `//host` is another origin to a browser.
  if (!local.startsWith('/') || local.startsWith('//') || local.includes('#') || local.includes('\\')) {
    throw new MsgbusError('MSGBUS_TARGET', 'The request target is not a path of this server')
  }
  const queryAt = local.indexOf('?')
  return {
    path: queryAt < 0 ? local : local.slice(0, queryAt),
    query: queryAt < 0 ? '' : local.slice(queryAt + 1),
    authority: authority?.[1] ?? null,
  }
}

/**
 * Reads a query string as the seed did: values are percent-decoded, `+` stays a plus (as in `image/svg+xml`), of
 * repeated keys the first counts, and a piece without `=` says nothing.
 * @throws {MsgbusError} `MSGBUS_QUERY` for a broken escape.
 */
export function parseQuery(query: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  if (query === '') return values
  for (const piece of query.split('&')) {
    const equalsAt = piece.indexOf('=')
    if (equalsAt < 0) continue
    const key = piece.slice(0, equalsAt)
    if (!values.has(key)) values.set(key, decode(piece.slice(equalsAt + 1), key))
  }
  return values
}

/** True when the query has this word as a piece of its own, without `=`. */
export function hasWord(query: string, word: string): boolean {
  return query.split('&').includes(word)
}

function decode(value: string, key: string): string {
  try {
    return decodeURIComponent(value)
  } catch (cause) {
    const text = `Cannot read "${key.slice(0, 32)}" in the query: it is not percent-encoded UTF-8`
    throw new MsgbusError('MSGBUS_QUERY', text, { cause })
  }
}
