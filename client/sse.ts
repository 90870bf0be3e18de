// A stream as server-sent events, over fetch: unlike EventSource it can name a user, it says why it was refused, and when
// to connect again is the client's to decide. Runs in browsers.

import { EnvelopeReader } from './envelope.ts'
import type { Incoming } from './message.ts'
import type { Stream } from './stream.ts'
import type { OpenWith } from './tools.ts'

/** @see OpenStream */
export const openSse: OpenWith = async (tools, access, request, controller) => {
  const { get, notMsgbus, readBody, streamUrl } = tools
  const url = streamUrl(access, request, 'as=sse&envelope=json')
  const response = await get(access, url, controller)
  const type = response.headers.get('content-type') ?? ''
  if (!type.startsWith('text/event-stream')) {
    controller.abort()
    throw notMsgbus(url, type)
  }
  const envelopes = new EnvelopeReader(() => notMsgbus(url, 'an event that is no message'))
  const position = response.headers.get('msgbus-position')
  // What is lost before the first message comes as an event, too.
  const stream: Stream = { position, lost: 0, retryMs: 0, batches: readEvents() }
  return stream

  async function* readEvents(): AsyncGenerator<readonly Incoming[]> {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    let rest = ''
    // Nothing need come for long, but only a msgbus says where it is.
    if (position !== null) yield []
    let fields: Record<string, string> = {}
    for await (const bytes of readBody(response, controller)) {
      rest += decoder.decode(bytes, { stream: true })
      checkLength(rest)
      const lines = rest.split(/\r?\n/)
      rest = lines.pop() ?? ''
      const batch: Incoming[] = []
      for (const line of lines) {
        const [, name = '', value = ''] = /^(\w*):? ?(.*)/.exec(line) ?? []
        if (line !== '') fields[name] = value
        else {
          const message = readEvent(fields)
          if (message !== null) batch.push(message)
          fields = {}
        }
      }
      yield batch
    }
    // Events have no last one, so an end that was meant looks like one that was not.
    throw tools.cut('the stream ended')
  }

  function readEvent({ event, data, retry }: Record<string, string>): Incoming | null {
    if (retry !== undefined) stream.retryMs = Number(retry) || 0
    if (data === undefined) return null
    return envelopes.read(event === undefined ? data : `{${JSON.stringify(event)}:${data}}`)
  }

  function checkLength(text: string): void {
    // As base64 it is a third longer, and what escapes need is anybody's guess.
    if (text.length <= access.maxBodyBytes * 2 + 16 * 1024) return
    throw new tools.MsgbusError(
      'MSGBUS_BODY_TOO_LARGE',
      `Cannot read on: a message is longer than the ${access.maxBodyBytes} bytes allowed`,
    )
  }
}
