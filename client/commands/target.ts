// What CHANNEL|URL means: a bare word is a channel of the usual server, a URL brings its server along. Credentials stay in
// the address that the client gets, and are in no error.

import { checkChannel } from '../../src/channel.ts'
import { MsgbusError } from '../../src/errors.ts'
import { isTree, parseMatcher } from '../../src/matcher.ts'
import { UsageError } from './command-error.ts'
import { quote } from './printable.ts'

/** Names the server for bare words. */
export const URL_VARIABLE = 'MSGBUS_URL'
const DEFAULT_URL = 'http://127.0.0.1:8888'

const QUERY_NAMES = ['type', 'sender', 'since', 'slow'] as const

/** Said in a URL; an option that says the same wins. */
export type TargetQuery = Readonly<Partial<Record<(typeof QUERY_NAMES)[number], string>>>

export interface Target {
  /** Of the server, with credentials. */
  readonly address: string
  /** The user in it, or null. */
  readonly user: string | null
  /** As those of a matcher. */
  readonly paths: readonly string[]
  readonly query: TargetQuery
}

/**
 * Reads what is to be subscribed to; without a word that is everything.
 * @throws {UsageError}
 */
export function readTarget(word: string | undefined, env: NodeJS.ProcessEnv): Target {
  if (word !== undefined && isUrl(word)) return readUrl(word)
  if (word !== undefined && isHalfUrl(word))
    throw new UsageError(`Cannot use ${quote(word)}: it looks like a URL, expected http:// before it`)
  const server = env[URL_VARIABLE] ?? ''
  const url = parseUrl(server === '' ? DEFAULT_URL : server, URL_VARIABLE)
  const paths = word?.split(',') ?? ['']
  if (word !== undefined) for (const path of paths) checkName(path.replace(/(?<=.)\/$/, ''))
  return { address: url.href, user: userOf(url), paths: [...new Set(paths)], query: {} }
}

/**
 * Reads what is to be published to: one channel.
 * @throws {UsageError}
 */
export function readChannel(word: string, env: NodeJS.ProcessEnv): Target & { readonly channel: string } {
  // A comma belongs to the name here.
  const target = isUrl(word) || isHalfUrl(word) ? readTarget(word, env) : readTarget(undefined, env)
  const [channel = '', ...others] = isUrl(word) ? target.paths : [word]
  if (others.length > 0 || (isUrl(word) && isTree(channel)))
    throw new UsageError(`Cannot use ${quote(word)}: expected one channel`)
  checkName(channel)
  const [name] = Object.keys(target.query)
  if (name !== undefined)
    throw new UsageError(`Cannot use ${quote(word)}: "${name}" is for those who subscribe`)
  return { ...target, paths: [channel], channel }
}

function isUrl(word: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(word)
}

// Nobody calls a channel so.
function isHalfUrl(word: string): boolean {
  return /^(?:[^/]*@)?[\w.-]+:\d+(?:\/|$)/.test(word) || /^[^/]*\/msgbus\//.test(word)
}

function readUrl(word: string): Target {
  const url = parseUrl(word, 'this URL')
  const [, prefix, spelling = ''] = /^(.*?\/msgbus\/)(.*)$/.exec(url.pathname) ?? []
  if (prefix === undefined && !['/', '/msgbus'].includes(url.pathname)) {
    const way = `for a bus at another path, give its address in ${URL_VARIABLE} and the channel alone`
    throw new UsageError(`Cannot use ${quote(word)}: expected "/msgbus/" in its path (${way})`)
  }
  if (word.includes('#'))
    throw new UsageError(`Cannot use ${quote(word)}: in a URL, "#" is no part of a name (written %23, it is)`)
  const query = readQuery(url.search)
  const { paths } = orUsage(() => parseMatcher(spelling))
  const user = userOf(url)
  url.pathname = prefix ?? '/msgbus/'
  url.search = ''
  return { address: url.href, user, paths, query }
}

function parseUrl(text: string, name: string): URL {
  let url: URL
  try {
    url = new URL(text)
    // As whoever sends them will have to.
    for (const part of [url.username, url.password]) decodeURIComponent(part)
  } catch {
    // Not quoted: who knows where in it a password stands.
    throw new UsageError(`Cannot use ${name}: expected a URL like ${DEFAULT_URL}/msgbus/news`)
  }
  if (!/^https?:$/.test(url.protocol))
    throw new UsageError(`Cannot use ${name}: found ${quote(url.protocol)}, expected http: or https:`)
  return url
}

// As the server reads it: a plus is a plus.
function readQuery(search: string): TargetQuery {
  const pairs = search.replace(/^\?/, '').split('&').filter(Boolean)
  return Object.fromEntries(
    pairs.map(pair => {
      const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? []
      if (!QUERY_NAMES.some(known => known === name)) {
        const known = QUERY_NAMES.join(', ')
        throw new UsageError(`Cannot use ${quote(name)} in a URL: expected one of ${known}`)
      }
      return [name, decodeValue(value)]
    }),
  )
}

function decodeValue(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw new UsageError(`Cannot use ${quote(value)} in a URL: it is not percent-encoded UTF-8`)
  }
}

function userOf({ username }: URL): string | null {
  return username === '' ? null : decodeURIComponent(username)
}

function checkName(name: string): void {
  orUsage(() => checkChannel(name))
}

function orUsage<Found>(read: () => Found): Found {
  try {
    return read()
  } catch (error) {
    throw error instanceof MsgbusError ? new UsageError(error.message) : error
  }
}
