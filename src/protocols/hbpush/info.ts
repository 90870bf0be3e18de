// What a publisher is told about its channel, in text or JSON. Bodies only; it looks nothing up.

import { secondOf } from '../../cursor.ts'
import type { Message } from '../../message.ts'

export interface ChannelInfo {
  /** As it stands in the URL. */
  readonly id: string
  /** The newest message, null for none. */
  readonly last: Message | null
  /** Subscribers that are waiting. */
  readonly waitingCount: number
}

/** @param accept Of its types the first counts. */
export function formatInfo(info: ChannelInfo, accept = ''): { readonly type: string; readonly body: string } {
  const isJson = /^\s*(?:application|text)\/json\b/i.test(accept)
  return isJson
    ? { type: 'application/json', body: formatJson(info) }
    : { type: 'text/plain; charset=utf-8', body: formatText(info) }
}

// The first line is hbpush's own, the second one of nginx's push module.
function formatText({ id, last, waitingCount }: ChannelInfo): string {
  const token = last === null ? '0:-1' : `${secondOf(last.time)}:${last.ordinal}`
  return `Channel ${id} with last message ${token}::\nactive subscribers: ${waitingCount}\n`
}

function formatJson({ id, last, waitingCount }: ChannelInfo): string {
  const token = last === null ? null : { second: secondOf(last.time), etag: last.ordinal, id: last.id }
  return `${JSON.stringify({ channel: id, last: token, subscribers: waitingCount })}\n`
}
