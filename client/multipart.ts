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
  let isEmpty = true
  for await (const bytes of readBody(response, controller)) {
    isEmpty = false
    try {
      parser.push(bytes)
    } catch (error) {
      throw parser.hasBegun ? error : notMsgbus(url, 'no parts')
    } finally {
      // What came whole before a fault counts, and so does a delimiter alone: a msgbus begins with it.
      if (parser.hasBegun) yield batch
      batch = []
    }
  }
  if (!isEmpty && !parser.hasBegun) throw notMsgbus(url, 'no parts')
  if (parser.isInsidePart) throw cut('the stream ended in the middle of a part')
  // Node takes a connection that broke for one that was closed. The first msgbus had no closing delimiter.
  if (!parser.isClosed && boundary !== BOUNDARY_2008) throw cut('the stream ended too early')
}

function toIncoming({ headers, body }: Part, onlyPath: string | undefined, url: string): Incoming {
  const channel = readChannel(headers.get('content-location')) ?? onlyPath
  if (channel === undefined) throw notMsgbus(url, 'no channel')
  const time = headers.get('msgbus-time')
  const lost = Number(headers.get('msgbus-skipped') ?? 0)
  return {
    id: headers.get('msgbus-id') ?? '',
    channel,
    type: headers.get('content-type') ?? 'application/octet-stream',
    sender: headers.get('from') ?? null,
    time: time === undefined ? null : Number(time),
    lost: lost >= 0 ? lost : null,
    body,
  }
}

function readChannel(location = ''): string | undefined {
  const [, name] = /^\/msgbus\/(.+)/.exec(location) ?? []
  try {
    return name && decodeURIComponent(name)
  } catch {
    return undefined
  }
}
