// Reads the answers of a server from a connection, as far as the tools need it: heads, and bodies that have a length.
// And says in one line what an answer was, for people.

import { RunError } from './run-error.ts'

const MAX_HEAD_CHARACTERS = 16 * 1024
const MAX_BODY_CHARACTERS = 64 * 1024
const MAX_SHOWN = 160
const HEAD_END = '\r\n\r\n'
// [doc/errors.md]
const REFUSAL = /^MSGBUS_[A-Z_]+: /

export interface Head {
  readonly status: number
  /** What stands behind the status. */
  readonly reason: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
}

export interface Answer {
  readonly head: Head
  readonly body: string
}

/**
 * Finds the head at the start of what has arrived, one character per byte.
 * @returns Null while it is not complete.
 * @throws {RunError} if it is not the head of an HTTP answer, as soon as that is known.
 */
export function findHead(text: string, at = 0): { readonly head: Head; readonly end: number } | null {
  const start = text.slice(at, at + 7)
  if (!'HTTP/1.'.startsWith(start)) {
    throw new RunError(`the server does not speak HTTP: it sent ${shown(text.slice(at, at + MAX_SHOWN))}`)
  }
  const end = text.indexOf(HEAD_END, at)
  if (end >= 0) return { head: parseHead(text.slice(at, end)), end: end + HEAD_END.length }
  if (text.length - at > MAX_HEAD_CHARACTERS) throw new RunError('the head of its answer does not end')
  return null
}

function parseHead(text: string): Head {
  const [line = '', ...lines] = text.split('\r\n')
  const [, status, reason = ''] = /^HTTP\/1\.\d (\d{3})(?: (.*))?$/.exec(line) ?? []
  if (status === undefined) throw new RunError(`the server does not speak HTTP: it sent ${shown(line)}`)
  const headers = new Map<string, string>()
  for (const header of lines) {
    const colon = header.indexOf(':')
    headers.set(header.slice(0, Math.max(0, colon)).toLowerCase(), header.slice(colon + 1).trim())
  }
  return { status: Number(status), reason, headers }
}

/** Characters of a body that its head tells; null if only the end of the connection, or chunks, would tell. */
export function bodyLength({ status, headers }: Head): number | null {
  if (status === 204 || status === 304) return 0
  const length = headers.get('content-length') ?? ''
  if (!/^\d{1,15}$/.test(length) || headers.has('transfer-encoding')) return null
  return Number(length)
}

/**
 * Reads one answer whose body has a length.
 *
 * A longer body than anybody reads, or one without a length, is given as far as it is there: after that, nothing on the
 * connection can be understood any more.
 * @returns Null while it is not complete.
 * @throws {RunError} if it is no HTTP.
 */
export function findAnswer(text: string, at = 0): { readonly answer: Answer; readonly end: number } | null {
  const found = findHead(text, at)
  if (found === null) return null
  const length = bodyLength(found.head)
  if (length === null || length > MAX_BODY_CHARACTERS) {
    return { answer: { head: found.head, body: text.slice(found.end) }, end: text.length }
  }
  const end = found.end + length
  return end > text.length ? null : { answer: { head: found.head, body: text.slice(found.end, end) }, end }
}

/** True for an answer in which a msgbus refuses something. */
export function isRefusal({ body }: Answer): boolean {
  return REFUSAL.test(body)
}

/** An answer that is not the one that was wanted: its status, and what the server said, if it is msgbus that said it. */
export function describeAnswer({ head, body }: Answer): string {
  const status = printable(`${head.status} ${head.reason}`.trim())
  const [line = ''] = body.split('\n')
  if (REFUSAL.test(line)) return `the server answered ${status} (${printable(line)})`
  const type = head.headers.get('content-type')
  const kind = type === undefined ? 'without a type' : `with ${shown(type)}`
  return `the server answered ${status} ${kind}, which no msgbus does`
}

/** Quotes what a server sent: visible characters only, and not all of a long text. */
export function shown(text: string): string {
  return JSON.stringify(printable(text))
}

function printable(text: string): string {
  const safe = text.replace(/[^\x20-\x7e]/g, '.')
  return safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}...` : safe
}
