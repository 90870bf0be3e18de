// Publishing over a WebSocket: one socket for all messages of a client, opened with the first one and again when it was
// closed. Each message is answered by its number. Runs in browsers.

import type { Access } from './access.ts'
import type { ErrorCode, MsgbusError } from '../src/errors.ts'
import { statusOf } from '../src/statuses.ts'
import type { Payload, Publish, Published } from './publish.ts'
import { type OpenSocket, openSocket } from './socket.ts'
import type { Tools } from './tools.ts'

// Everything may be published to, and of everything nothing is read: no type matches the empty list.
const REQUEST = { paths: [''], type: '', since: null } as const

interface Waiting {
  readonly resolve: (published: Published) => void
  readonly reject: (error: unknown) => void
}

/** @param closing Closes the socket when aborted. */
export function createPublisher(tools: Tools, access: Access, closing: AbortSignal): Publish {
  const url = tools.streamUrl(access, REQUEST, 'envelope=json')
  const waiting = new Map<number, Waiting>()
  let socket: Promise<OpenSocket> | null = null
  let lastRef = 0

  return async (channel, content, { type, signal }) => {
    tools.encodePath(channel)
    const payload = await tools.toPayload(content)
    const body = await toFields(payload)
    // Aborted before the socket is there to hear of it, it would open one that nobody closes.
    signal.throwIfAborted()
    const opening = (socket ??= open())
    const opened = await opening
    signal.throwIfAborted()
    if (socket !== opening) throw lost()
    const ref = ++lastRef
    return new Promise<Published>((resolve, reject) => {
      waiting.set(ref, { resolve, reject })
      signal.addEventListener('abort', () => {
        waiting.delete(ref)
        reject(signal.reason as Error)
      })
      opened.send(JSON.stringify({ channel, type: type ?? payload.type, ...body, ref }))
    })
  }

  async function open(): Promise<OpenSocket> {
    const controller = new AbortController()
    closing.addEventListener('abort', () => {
      controller.abort(closing.reason)
    })
    try {
      const opened = await openSocket(tools, access, url, controller, text => {
        try {
          take(text)
        } catch {
          // Nobody waits for what may never answer, nor for its farewell.
          end(tools.notMsgbus(url, 'a frame that is no answer'))
          controller.abort()
        }
      })
      const onEnd = (): void => {
        // Another one may be in use by now.
        if (!controller.signal.aborted || closing.aborted) end(lost())
      }
      opened.ended.then(onEnd, onEnd)
      return opened
    } catch (error) {
      socket = null
      // Who was refused is told why by a request.
      await tools.openMultipart(access, { ...REQUEST, since: '-0' }, controller, 'as=multipart&poll')
      throw error
    }
  }

  function take(text: string): void {
    const { ref, published, error, text: words } = JSON.parse(text) as Record<string, unknown>
    const given = waiting.get(ref as number)
    if (given === undefined) return
    if (typeof published === 'string') given.resolve({ id: published })
    else if (typeof error === 'string') given.reject(refusal(error as ErrorCode, String(words)))
    else throw new SyntaxError('Cannot read an answer: found no id and no error')
    waiting.delete(ref as number)
  }

  function refusal(code: ErrorCode, text: string): MsgbusError {
    return new tools.MsgbusError(code, text, { status: statusOf(code) })
  }

  function end(error: MsgbusError): void {
    socket = null
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }

  function lost(): MsgbusError {
    const text = `Cannot reach ${url}: the connection ended before the answer`
    return new tools.MsgbusError('MSGBUS_UNREACHABLE', text)
  }
}

async function toFields({ body }: Payload): Promise<Record<string, string>> {
  if (typeof body === 'string') return { body }
  const bytes = new Uint8Array(await new Response(body).arrayBuffer())
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return { base64: btoa(binary) }
}
