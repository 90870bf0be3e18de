// The native form of a stream, over fetch: endless for a subscription, finite for what was missed. Parsing is the
// codec's. Runs in browsers.

import { BOUNDARY_2008 } from '../src/codec/delimiter.ts'
import { boundaryOf, MultipartParser, type Part } from '../src/codec/multipart-parser.ts'
import { isTree } from '../src/matcher.ts'
import { type Access, notMsgbus } from './access.ts'
import type { Incoming } from './message.ts'
import { cut, readBody } from './reading.ts'
import { get, readPlace, type Stream, type StreamRequest, streamUrl } from './stream.ts'

/** @see OpenStream */
export async function openMultipart(
  access: Access,
  request: StreamRequest,
  controller: AbortController,
  form = 'as=multipart',
): Promise<Stream> {
  const url = streamUrl(access, request, form)
  const response = await get(access, url, controller)
  const type = response.headers.get('content-type') ?? ''
  const boundary = type.startsWith('multipart/') ? boundaryOf(type) : null
  if (response.status !== 204 && boundary === null) {
    controller.abort()
    throw notMsgbus(url, type)
  }
  const batches = readParts(response, boundary, access, request, controller)
  return { ...readPlace(response, request.since), retryMs: 0, batches }
}

async function* readParts(
  response: Response,
  boundary: string | null,
  { url, maxBodyBytes }: Access,
  { paths: [path = '', ...others] }: StreamRequest,
  controller: AbortController,
): AsyncGenerator<readonly Incoming[]> {
  // A finite answer without messages.
  if (boundary === null) return
  const onlyPath = others.length > 0 || isTree(path) ? undefined : path
  let batch: Incoming[] = []
  const parser = new MultipartParser({
    boundary,
    maxBodyBytes,
    onPart: part => {
      batch.push(toIncoming(part, onlyPath, url))
    },
  })
  for await (const bytes of readBody(response, controller)) {
    try {
      parser.push(bytes)
    } finally {
      // What came whole before a fault counts.
      yield batch
      batch = []
    }
  }
  if (parser.isInsidePart) throw cut('the stream ended in the middle of a part')
  parser.end()
  // Node takes a connection that broke for one that was closed. The first msgbus had no closing delimiter.
  if (!parser.isClosed && boundary !== BOUNDARY_2008) throw cut('the stream ended without saying so')
}

function toIncoming({ headers, body }: Part, onlyPath: string | undefined, url: string): Incoming {
  const [, location = onlyPath] = /^\/msgbus\/(.+)/.exec(headers.get('content-location') ?? '') ?? []
  if (location === undefined) throw notMsgbus(url, 'a part without a channel')
  const time = headers.get('msgbus-time')
  const lost = Number(headers.get('msgbus-skipped') ?? 0)
  return {
    id: headers.get('msgbus-id') ?? '',
    channel: location === onlyPath ? location : decode(location, url),
    type: headers.get('content-type') ?? 'application/octet-stream',
    sender: headers.get('from') ?? null,
    time: time === undefined ? null : Number(time),
    lost: lost >= 0 ? lost : null,
    body,
  }
}

function decode(location: string, url: string): string {
  try {
    return decodeURIComponent(location)
  } catch {
    throw notMsgbus(url, 'a channel that is not percent-encoded')
  }
}
