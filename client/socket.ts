// Opens a WebSocket and says how it ended. What goes over it is for others to know. Runs in browsers.

import type { Access } from './access.ts'
import type { Tools } from './tools.ts'

/** As much of a WebSocket as is used; browsers, Node and the package `ws` have it. */
interface Socket {
  addEventListener(type: string, listener: (event: { data?: unknown; code?: number }) => void): void
  send(text: string): void
  close(): void
}

type SocketClass = new (url: string, options?: { readonly headers: Record<string, string> }) => Socket

/** A socket that is open. */
export interface OpenSocket {
  send(text: string): void
  /** Resolves when the server has ended it in good order. @throws {MsgbusError} `MSGBUS_STREAM_CUT` otherwise. */
  readonly ended: Promise<void>
}

// There is nothing more to say, and the server is going away.
const GOOD_CODES: readonly unknown[] = [1000, 1001]

/**
 * Opens a socket, and resolves when the server has.
 * @param controller Closes it when aborted, and is aborted when the server does not answer in time.
 * @param onText Called with each frame, from the first one on.
 * @throws {MsgbusError} `MSGBUS_UNREACHABLE`: a socket does not tell why it was refused. What the controller was aborted with
 *   is thrown as it is.
 * @throws {TypeError} If there is no WebSocket here.
 */
export async function openSocket(
  tools: Tools,
  access: Access,
  url: string,
  controller: AbortController,
  onText: (text: string) => void,
): Promise<OpenSocket> {
  const { signal } = controller
  signal.throwIfAborted()
  const socket = createSocket(tools, access, url.replace(/^http/, 'ws'))
  signal.addEventListener('abort', () => {
    socket.close()
  })
  socket.addEventListener('message', ({ data }) => {
    onText(String(data))
  })
  // Always followed by a close.
  socket.addEventListener('error', () => undefined)
  const ended = new Promise<void>((resolve, reject) => {
    socket.addEventListener('close', ({ code }) => {
      if (GOOD_CODES.includes(code)) resolve()
      else reject(tools.cut(`the WebSocket was closed with ${code ?? 'no code'}`))
    })
  })
  const opened = new Promise<void>(resolve => {
    socket.addEventListener('open', () => {
      resolve()
    })
  })
  const refused = ended
    .catch(() => undefined)
    .then(() => {
      signal.throwIfAborted()
      throw new tools.MsgbusError('MSGBUS_UNREACHABLE', `Cannot reach ${url}: there is no WebSocket`)
    })
  await tools.inTime(Promise.race([opened, refused]), controller)
  refused.catch(() => undefined)
  return {
    ended,
    send: text => {
      socket.send(text)
    },
  }
}

function createSocket({ identify, pageUrl }: Tools, access: Access, url: string): Socket {
  const given = access.WebSocket ?? (globalThis as { readonly WebSocket?: unknown }).WebSocket
  if (given === undefined)
    throw new TypeError('Cannot find a WebSocket: hand one to connect(), as of the package "ws"')
  const Class = given as SocketClass
  // A browser cannot be told who is asking, and takes a second argument for something else.
  if (access.user === null || pageUrl() !== undefined) return new Class(url)
  return new Class(url, { headers: identify(access) })
}
