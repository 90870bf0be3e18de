// Puts the pieces of a part into one buffer, as one HTTP chunk [RFC 9112 §7.1] or, for HTTP/1.0, as they are. Exactly
// one chunk per part: readers of the 2008 protocol take a chunk for a message.

/** ASCII text around bytes. */
export interface Pieces {
  readonly head: string
  readonly body: Uint8Array
  readonly tail: string
}

const NO_BYTES = new Uint8Array(0)

/** Ends a chunked answer. */
export const LAST_CHUNK = '0\r\n\r\n'

/**
 * What stands before the body of a part.
 * @param byteCount Of the whole part: head, body and tail.
 */
export function partStart(head: string, byteCount: number, isChunked: boolean): string {
  return isChunked ? `${byteCount.toString(16)}\r\n${head}` : head
}

/** What stands behind the body of a part. */
export function partEnd(tail: string, isChunked: boolean): string {
  return isChunked ? `${tail}\r\n` : tail
}

export function assemble({ head, body, tail }: Pieces, isChunked: boolean): Buffer {
  const start = partStart(head, head.length + body.length + tail.length, isChunked)
  const end = partEnd(tail, isChunked)
  const bytes = Buffer.allocUnsafe(start.length + body.length + end.length)
  bytes.write(start, 0, 'latin1')
  bytes.set(body, start.length)
  bytes.write(end, start.length + body.length, 'latin1')
  return bytes
}

/** No bytes for no text: an empty chunk would be the last one. */
export function assembleText(text: string, isChunked: boolean): Buffer {
  if (text === '') return Buffer.alloc(0)
  return assemble({ head: text, body: NO_BYTES, tail: '' }, isChunked)
}
