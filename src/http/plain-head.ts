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
  /** Null for a body in chunks. */
  readonly bodyByteCount: number | null
}

// The whole of it at once, which is the fastest: a simple path, and header lines with one blank or none before a value of visible
// ASCII that does not end in a blank.
const SHAPE = /^(?:POST|PUT) (\/(?!\/)[\w.~/-]*) HTTP\/1\.1(?:\r\n[\w-]+: ?[!-~](?:[ -~]*[!-~])?)*$/

const LENGTH = /^(?:0|[1-9]\d{0,6})$/

/**
 * @param text The request line and the header lines of [RFC 9112], without the empty line behind them.
 * @returns null for a head that is not plain.
 */
export function parsePlainHead(text: string): PlainHead | null {
  const path = SHAPE.exec(text)?.[1]
  if (path === undefined) return null
  let host: string | undefined
  let type: string | undefined
  let length: string | undefined
  let isChunked = false
  const seen = new Set<string>()
  for (let lineEnd = text.indexOf('\r\n'); lineEnd >= 0;) {
    const colon = text.indexOf(':', lineEnd)
    const nextEnd = text.indexOf('\r\n', colon)
    const name = text.slice(lineEnd + 2, colon).toLowerCase()
    const value = text.slice(colon + 1, nextEnd < 0 ? text.length : nextEnd).trimStart()
    // One of each at most: HTTP says what becomes of two, and of too many.
    if (seen.has(name)) return null
    seen.add(name)
    switch (name) {
      case 'host':
        host = value
        break
      case 'content-type':
        type = value
        break
      case 'content-length':
        length = value
        break
      case 'transfer-encoding':
        if (value.toLowerCase() !== 'chunked') return null
        isChunked = true
        break
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') return null
        break
      // What clients send with everything, and what says nothing about a publish.
      case 'accept':
      case 'accept-encoding':
      case 'accept-language':
      case 'user-agent':
        break
      default:
        return null
    }
    lineEnd = nextEnd
  }
  if (host === undefined || type === undefined) return null
  // Both, or none of the two, is for HTTP to refuse.
  if (isChunked) return length === undefined ? { path, host, type, bodyByteCount: null } : null
  return length !== undefined && LENGTH.test(length)
    ? { path, host, type, bodyByteCount: Number(length) }
    : null
}
