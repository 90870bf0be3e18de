// What of the client the transports use that are loaded on demand. They import none of it themselves, so that a page has
// it once and in one file. Runs in browsers.

import { MsgbusError } from '../src/errors.ts'
import { type Access, encodePath, identify, notMsgbus, pageUrl } from './access.ts'
import { openMultipart } from './multipart.ts'
import { toPayload } from './publish.ts'
import { cut, inTime, readBody } from './reading.ts'
import { get, type Stream, type StreamRequest, streamUrl } from './stream.ts'

export const tools = {
  MsgbusError,
  cut,
  encodePath,
  get,
  identify,
  inTime,
  notMsgbus,
  openMultipart,
  pageUrl,
  readBody,
  streamUrl,
  toPayload,
} as const

export type Tools = typeof tools

/** As `OpenStream`, with what it takes. */
export type OpenWith = (
  tools: Tools,
  access: Access,
  request: StreamRequest,
  controller: AbortController,
) => Promise<Stream>
