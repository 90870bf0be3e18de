// Which form of the stream a request gets. Programs get the plain one; what browsers need to show anything at all was
// measured (doc/architecture.md, "Browsers") and is told apart by the headers they send.

import type { IncomingHttpHeaders } from 'node:http'
import { MsgbusError } from '../../errors.ts'

/**
 * `program` every message, exact. `picture` an `<img>`: frames only. `document` a tab or frame that replaces its content
 * part by part. `page` a tab or frame that cannot, and gets a page that reads the stream for it. `2008` the old bytes.
 * `mixed`, `events`, `envelope events` and `lines` are every message in another form, `frames` and `envelope frames` in
 * those of a WebSocket.
 */
export type Reader =
  | 'program'
  | 'frames'
  | 'envelope frames'
  | 'mixed'
  | 'events'
  | 'envelope events'
  | 'lines'
  | 'picture'
  | 'document'
  | 'page'
  | '2008'

const READER_OF_AS: ReadonlyMap<string, Reader> = new Map([
  ['multipart', 'program'],
  ['mixed', 'mixed'],
  ['sse', 'events'],
  ['ndjson', 'lines'],
  ['image', 'picture'],
  ['page', 'page'],
])

const READER_OF_ACCEPT: ReadonlyMap<string, Reader> = new Map([
  ['multipart/mixed', 'mixed'],
  ['text/event-stream', 'events'],
  ['application/x-ndjson', 'lines'],
])

const NAVIGATIONS: ReadonlySet<string> = new Set(['document', 'iframe', 'frame', 'object', 'embed'])

/**
 * @param query `as=multipart|mixed|sse|ndjson|image|page` and `framing=standard|2008` decide, if given; `envelope=json`
 *   for whole messages in events.
 * @throws {MsgbusError} `MSGBUS_QUERY` for other values of these.
 */
export function chooseReader(
  headers: IncomingHttpHeaders,
  query: ReadonlyMap<string, string>,
  defaultFraming: 'standard' | '2008',
): Reader {
  const reader = chooseForm(headers, query, defaultFraming)
  const envelope = query.get('envelope')
  if (envelope !== undefined && envelope !== 'json')
    throw new MsgbusError('MSGBUS_QUERY', 'Cannot read "envelope" in the query: expected json')
  return reader === 'events' && envelope === 'json' ? 'envelope events' : reader
}

function chooseForm(
  headers: IncomingHttpHeaders,
  query: ReadonlyMap<string, string>,
  defaultFraming: 'standard' | '2008',
): Reader {
  const as = query.get('as')
  const reader = as === undefined ? undefined : READER_OF_AS.get(as)
  if (as !== undefined && reader === undefined) {
    throw new MsgbusError(
      'MSGBUS_QUERY',
      'Cannot read "as" in the query: expected multipart, mixed, sse, ndjson, image or page',
    )
  }
  const framing = query.get('framing')
  if (framing !== undefined && framing !== 'standard' && framing !== '2008') {
    throw new MsgbusError('MSGBUS_QUERY', 'Cannot read "framing" in the query: expected standard or 2008')
  }
  if (reader === 'program') return framing === '2008' ? '2008' : 'program'
  if (reader !== undefined) return reader
  const isLibrary = headers['user-agent']?.startsWith('libevmsg') === true
  const isOld = (framing ?? (isLibrary ? '2008' : defaultFraming)) === '2008'
  const named = /^[^,;\s]*/.exec(headers.accept ?? '')?.[0].toLowerCase() ?? ''
  return isOld ? '2008' : (READER_OF_ACCEPT.get(named) ?? readerOfBrowser(headers))
}

function readerOfBrowser(headers: IncomingHttpHeaders): Reader {
  const { accept = '' } = headers
  // Sec-Fetch-Dest is only sent over TLS and on loopback; Accept tells the same elsewhere.
  const destination = headers['sec-fetch-dest']
  if (destination === 'image') return 'picture'
  if (destination === undefined && accept.startsWith('image/')) return 'picture'
  const isNavigation =
    destination === undefined ? accept.startsWith('text/html') : NAVIGATIONS.has(destination)
  if (!isNavigation) return 'program'
  const isChromium =
    headers['sec-ch-ua'] !== undefined ||
    accept.includes('image/apng') ||
    accept.includes('application/signed-exchange')
  return isChromium ? 'page' : 'document'
}
