// The server's part of a WebSocket, played word by word: finite answers say where to begin, and frames are what a test
// makes them. Not a test.

import { EventEmitter, once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'

const TIMEOUT_MS = 20_000

export interface SocketServerOptions {
  /** Answers the requests that come before a socket; by default the history is empty and ends at `e1-1`. */
  readonly poll?: (res: ServerResponse, target: string) => void
  /** Called with each socket, and how many there were before. */
  readonly open: (socket: WebSocket, at: number) => void
  /** True to refuse all sockets with 404. */
  readonly isClosed?: boolean
}

export interface SocketServer {
  readonly url: string
  /** Targets of requests, sockets among them as `WS /…`. */
  readonly targets: readonly string[]
  /** Frames that came in on any socket. */
  readonly frames: readonly string[]
  /** Waits until so many frames have come. */
  received(count: number): Promise<void>
  /** The Authorization of the last socket. */
  authorization(): string | undefined
}

export async function openSocketServer(
  t: Test,
  { poll = answerEmpty, open, isClosed = false }: SocketServerOptions,
): Promise<SocketServer> {
  const targets: string[] = []
  const frames: string[] = []
  const news = new EventEmitter()
  let authorization: string | undefined
  const server = createServer((req, res) => {
    targets.push(req.url ?? '')
    poll(res, req.url ?? '')
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (req, connection, behind) => {
    targets.push(`WS ${req.url ?? ''}`)
    authorization = req.headers.authorization
    if (isClosed) {
      connection.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
      return
    }
    sockets.handleUpgrade(req, connection, behind, socket => {
      socket.on('message', (data: Buffer) => {
        frames.push(data.toString())
        news.emit('news')
      })
      open(socket, targets.filter(target => target.startsWith('WS')).length - 1)
    })
  })
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets,
    frames,
    received: async count => {
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      while (frames.length < count) await once(news, 'news', { signal })
    },
    authorization: () => authorization,
  }
}

function answerEmpty(res: ServerResponse): void {
  res.writeHead(204, { 'Msgbus-Position': 'e1-1', 'Msgbus-Resume': 'ok' }).end()
}
