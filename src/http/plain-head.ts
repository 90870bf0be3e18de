// Reads the head of a publish that is as plain as can be: POST or PUT, a simple path, a type, a length, and no header that
// could change what it means. Strict on purpose: whatever it is not sure of is not plain, and is left to Node's HTTP parser, so
// that there is nothing that the two could understand differently.

/** Heads beyond this are not plain. */
export const MAX_PLAIN_HEAD_BYTES = 2048

export interface PlainHead {
  /** Begins with a slash. Letters, digits and `-._~/`: nothing that would have to be decoded. */
  readonly path: string
  /** The Host header. */
  readonly host: string
  /** The Content-Type header. */
  readonly type: string
  readonly bodyByteCount: number
}

const REQUEST_LINE = /^(?:POST|PUT) (\/(?!\/)[\w.~/-]*) HTTP\/1\.1$/

// One blank or none, visible ASCII, no blank at the end.
const HEADER_LINE = /^([\w-]+): ?([!-~](?:[ -~]*[!-~])?)$/

const LENGTH = /^(?:0|[1-9]\d{0,6})$/

// What clients send with everything, and what says nothing about a publish.
const IDLE_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'user-agent',
])

/**
 * @param text The request line and the header lines of [RFC 9112], without the empty line behind them.
 * @returns null for a head that is not plain.
 */
export function parsePlainHead(text: string): PlainHead | null {
  const [requestLine = '', ...headerLines] = text.split('\r\n')
  const path = REQUEST_LINE.exec(requestLine)?.[1]
  const values = new Map<string, string>()
  for (const line of headerLines) {
    const [, written = '', value = ''] = HEADER_LINE.exec(line) ?? []
    const name = written.toLowerCase()
    if (IDLE_HEADERS.has(name)) continue
    if (!isKnown(name, value) || values.has(name)) return null
    values.set(name, value)
  }
  const host = values.get('host')
  const type = values.get('content-type')
  const length = values.get('content-length')
  if (path === undefined || host === undefined || type === undefined || length === undefined) return null
  return { path, host, type, bodyByteCount: Number(length) }
}

function isKnown(name: string, value: string): boolean {
  switch (name) {
    case 'host':
    case 'content-type':
      return true
    case 'content-length':
      return LENGTH.test(value)
    case 'connection':
      return value.toLowerCase() === 'keep-alive'
    default:
      return false
  }
}
