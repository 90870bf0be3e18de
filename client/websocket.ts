// A stream as frames of a WebSocket. A socket shows neither the head of the answer nor why it was refused, so its place
// is asked for by a request before it. Runs in browsers.

import type { Access } from './access.ts'
import { EnvelopeReader } from './envelope.ts'
import type { Incoming } from './message.ts'
import type { Stream } from './stream.ts'
import type { OpenWith, Tools } from './tools.ts'

/** As much of a WebSocket as is used; browsers, Node and the package `ws` have it. */
interface Socket {
  addEventListener(type: string, listener: (event: { data?: unknown; code?: number }) => void): void
  send(text: string): void
  close(): void
}

type SocketClass = new (url: string, options?: { headers: Record<string, string> }) => Socket

// The server is going away, or has nothing more to say.
const GOOD_CODES: readonly unknown[] = [1000, 1001]

/** @see OpenStream */
export const openWebSocket: OpenWith = async (tools, access, request, controller) => {
  const since = request.since ?? '-0'
  const missed = await tools.openMultipart(access, { ...request, since }, controller, 'as=multipart&poll')
  const queue: Incoming[] = []
  for await (const batch of missed.batches) queue.push(...batch)
  // Of what comes at once, each message says where it stands.
  const position = queue.length === 0 ? missed.position : null
  const url = tools.streamUrl(access, { ...request, since: missed.position }, 'envelope=json')
  const frames = await openSocket(tools, access, url, controller)
  return { position, lost: missed.lost, retryMs: 0, batches: readFrames() } satisfies Stream

  async function* readFrames(): AsyncGenerator<readonly Incoming[]> {
    yield queue
    const envelopes = new EnvelopeReader()
    for await (const texts of frames.batches) yield texts.flatMap(text => envelopes.read(text) ?? [])
  }
}

/** Opens a socket, and resolves when the server has. */
export async function openSocket(tools: Tools, access: Access, url: string, controller: AbortController) {
  const { signal } = controller
  const Class = (access.WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket) as
    SocketClass | undefined
  if (Class === undefined)
    throw new TypeError('Cannot find a WebSocket: hand one to connect(), as of the package "ws"')
  // Only a browser cannot be told; it knows by itself who is asking.
  const headers = tools.identify(access)
  const isPlain = tools.pageUrl() !== undefined || access.user === null
  const socketUrl = url.replace(/^http/, 'ws')
  const socket = isPlain ? new Class(socketUrl) : new Class(socketUrl, { headers })
  let texts: string[] = []
  let wake: () => void = () => undefined
  let end: { readonly error: Error | null } | null = null
  signal.addEventListener('abort', () => {
    socket.close()
  })
  socket.addEventListener('message', ({ data }) => {
    texts.push(String(data))
    wake()
  })
  const opened = new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => {
      resolve()
    })
    // Always followed by the end.
    socket.addEventListener('error', () => undefined)
    socket.addEventListener('close', ({ code }) => {
      const text = `the WebSocket was closed with ${code ?? 'no code'}`
      end = { error: GOOD_CODES.includes(code) ? null : tools.cut(text) }
      wake()
      reject(new tools.MsgbusError('MSGBUS_UNREACHABLE', `Cannot reach ${url}: ${text}`))
    })
  })
  try {
    await tools.inTime(opened, controller)
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
  return { socket, batches: readTexts() }

  async function* readTexts(): AsyncGenerator<readonly string[]> {
    for (;;) {
      signal.throwIfAborted()
      if (texts.length > 0) {
        const batch = texts
        texts = []
        yield batch
      } else if (end !== null) {
        if (end.error !== null) throw end.error
        return
      } else {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  }
}
