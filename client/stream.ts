// Reads a channel through fetch: one request, endless parts, messages out. It neither reconnects nor shows anything.
// Runs in browsers.

import { boundaryOf, MultipartParser, type Part } from '../src/codec/multipart-parser.ts'
import { MsgbusError } from '../src/errors.ts'

const MAX_BODY_BYTES = 64 * 1024 * 1024

/** A message as a subscriber sees it. */
export interface ReceivedMessage {
  readonly id: string
  /** Null when the subscription is of one channel. */
  readonly channel: string | null
  readonly type: string
  readonly sender: string | null
  readonly body: Uint8Array<ArrayBuffer>
  /** Messages that were lost right before this one because this reader was too slow. */
  readonly skippedCount: number
}

export interface ReadOptions {
  readonly signal?: AbortSignal
  /** Called once when the server has begun to answer. */
  readonly onOpen?: () => void
}

/**
 * Yields messages until the stream ends or the signal aborts.
 * @param url Of a channel, with filters as wanted.
 * @throws {MsgbusError} `MSGBUS_MULTIPART` if what comes is no stream of this bus or is cut in the middle of a part.
 * @throws {Error} What fetch throws.
 */
export async function* readStream(
  url: string,
  { signal, onOpen }: ReadOptions = {},
): AsyncGenerator<ReceivedMessage> {
  const response = await fetch(url, { cache: 'no-store', ...(signal === undefined ? {} : { signal }) })
  const type = response.headers.get('content-type') ?? ''
  const boundary = boundaryOf(type)
  if (!response.ok || !type.startsWith('multipart/') || boundary === null || response.body === null) {
    await response.body?.cancel()
    throw new MsgbusError(
      'MSGBUS_MULTIPART',
      `Cannot read ${url}: expected a multipart stream, found ${response.status} ${type}`,
    )
  }
  onOpen?.()
  const messages: ReceivedMessage[] = []
  const parser = new MultipartParser({
    boundary,
    maxBodyBytes: MAX_BODY_BYTES,
    onPart: part => {
      messages.push(toMessage(part))
    },
  })
  const reader = response.body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      parser.push(value)
      yield* messages.splice(0)
    }
    parser.end()
  } finally {
    // Whatever ended it: a browser has few connections per host, and this would keep one.
    await reader.cancel()
  }
}

const LOCATION_PREFIX = '/msgbus/'

function toMessage({ headers, body }: Part): ReceivedMessage {
  const location = headers.get('content-location')
  return {
    id: headers.get('msgbus-id') ?? '',
    channel:
      location?.startsWith(LOCATION_PREFIX) === true
        ? decodeURIComponent(location.slice(LOCATION_PREFIX.length))
        : null,
    type: headers.get('content-type') ?? 'application/octet-stream',
    sender: headers.get('from') ?? null,
    body,
    skippedCount: Number(headers.get('msgbus-skipped') ?? 0),
  }
}
