// Channels over a WebSocket [RFC 6455]: the stream goes out as frames, and what the peer sends is published. Reading frames is
// the package's; frames that go out are shared by all readers and written like any other stream.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { MsgbusError } from '../../errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Conversation } from '../../http/conversation.ts'
import type { Draft, Message } from '../../message.ts'

const MAX_FRAGMENTS = 128
const MAX_BUFFERED_CHUNKS = 1_024
const CLOSE_TIMEOUT_MS = 5_000
// [RFC 6455 §5.5] A close frame has 125 bytes, two of them for the code.
const MAX_REASON_BYTES = 123

const CODE = { goingAway: 1001, policy: 1008, tooBig: 1009 } as const

/** True for a request that asks to go on as a WebSocket; HTTP/1.0 knows no upgrade. */
export function asksForWebSocket({ method, headers, httpVersionMinor }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && httpVersionMinor > 0
}

/** What one peer may do, and how it is told what came of it. */
export interface Peer {
  /** `raw`: a frame is a body. `envelope`: a frame is JSON, and is answered. */
  readonly content: 'raw' | 'envelope'
  /** Null when frames have to name their channel. */
  readonly channel: string | null
  /** From the credentials of the request; without any, an envelope may name one. */
  readonly sender: string | null
  readonly maxBodyBytes: number
  readonly publish: (draft: Draft) => Promise<Message>
  /** Told what the peer did wrong. */
  readonly onFault: (code: string) => void
}

/** Opens the conversations of all peers. */
export class WebSockets {
  readonly #server: WebSocketServer

  constructor(maxBodyBytes: number) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // Base64 in an envelope is a third longer than the body.
      maxPayload: Math.ceil(maxBodyBytes * 1.4) + 4_096,
      ...{
        maxFragments: MAX_FRAGMENTS,
        maxBufferedChunks: MAX_BUFFERED_CHUNKS,
        closeTimeout: CLOSE_TIMEOUT_MS,
      },
    })
  }

  /** @throws {MsgbusError} `MSGBUS_UPGRADE` for a handshake that cannot be answered. */
  open({ req }: Exchange, opening: string, peer: Peer): Conversation {
    checkHandshake(req.headers)
    return new SocketConversation(this.#server, req, opening, peer)
  }
}

class SocketConversation implements Conversation {
  readonly isChunked = false
  readonly #server: WebSocketServer
  readonly #peer: Peer
  // Let go of once it is answered: a stream keeps its conversation.
  #request: { readonly req: IncomingMessage; readonly opening: string } | null
  #webSocket: WebSocket | null = null

  constructor(server: WebSocketServer, req: IncomingMessage, opening: string, peer: Peer) {
    this.#server = server
    this.#peer = peer
    this.#request = { req, opening }
  }

  begin(socket: Socket): void {
    if (this.#request === null) return
    const { req, opening } = this.#request
    this.#request = null
    this.#server.handleUpgrade(req, socket, Buffer.alloc(0), webSocket => {
      this.#webSocket = webSocket
      listen(webSocket, this.#peer)
      socket.write(opening, 'latin1')
    })
  }

  end(): void {
    this.#webSocket?.close(CODE.goingAway)
  }
}

function checkHandshake(headers: Exchange['req']['headers']): void {
  const key = headers['sec-websocket-key'] ?? ''
  if (headers['sec-websocket-version'] !== '13' || !/^[+/0-9A-Za-z]{22}==$/.test(key)) {
    throw new MsgbusError('MSGBUS_UPGRADE', 'Cannot open a WebSocket: version 13 and a key are needed')
  }
}

function listen(webSocket: WebSocket, peer: Peer): void {
  webSocket.on('message', (data, isBinary) => {
    void (peer.content === 'raw'
      ? publishRaw(webSocket, peer, toBytes(data), isBinary)
      : publishEnvelope(webSocket, peer, toBytes(data)))
  })
  // It has told the peer already, with the code that fits, and closes.
  webSocket.on('error', error => {
    peer.onFault('code' in error ? String(error.code) : error.message)
  })
}

async function publishRaw(
  webSocket: WebSocket,
  peer: Peer,
  body: Uint8Array,
  isBinary: boolean,
): Promise<void> {
  const type = isBinary ? 'application/octet-stream' : 'text/plain; charset=utf-8'
  try {
    checkLength(body, peer)
    await peer.publish({ channel: channelOf(peer, undefined), type, sender: peer.sender, body })
  } catch (error) {
    const { code, message } = told(error, peer)
    const isTooBig = code === 'MSGBUS_BODY_TOO_LARGE'
    webSocket.close(isTooBig ? CODE.tooBig : CODE.policy, cut(`${code}: ${message}`))
  }
}

async function publishEnvelope(webSocket: WebSocket, peer: Peer, bytes: Uint8Array): Promise<void> {
  let ref: Ref
  try {
    const fields = parseObject(bytes)
    // Before anything else can be wrong with it, so that every answer names its frame.
    ref = readRef(fields)
    const entry = readEntry(fields)
    checkLength(entry.body, peer)
    const { id } = await peer.publish({
      channel: channelOf(peer, entry.channel),
      type: entry.type,
      sender: peer.sender ?? entry.sender,
      body: entry.body,
    })
    webSocket.send(JSON.stringify({ published: id, ref }))
  } catch (error) {
    const { code, message } = told(error, peer)
    webSocket.send(JSON.stringify({ error: code, text: message, ref }))
  }
}

/** What a peer calls a frame of its own, to know the answer by. */
type Ref = string | number | undefined

interface Entry {
  readonly channel: string | undefined
  readonly type: string
  readonly sender: string | null
  readonly body: Uint8Array
}

type Fields = Readonly<Record<string, unknown>>

function readRef({ ref }: Fields): Ref {
  if (typeof ref === 'undefined' || typeof ref === 'string' || typeof ref === 'number') return ref
  throw bad('"ref" is neither a string nor a number')
}

function readEntry({ channel, type, sender = null, body, base64 }: Fields): Entry {
  if (typeof channel !== 'undefined' && typeof channel !== 'string') throw bad('"channel" is not a string')
  if (typeof type !== 'undefined' && typeof type !== 'string') throw bad('"type" is not a string')
  if (sender !== null && typeof sender !== 'string') throw bad('"sender" is not a string')
  const content = { channel, sender }
  if (typeof body === 'string' && base64 === undefined)
    return { ...content, type: type ?? 'text/plain; charset=utf-8', body: Buffer.from(body) }
  if (typeof base64 !== 'string' || body !== undefined || !/^[+/0-9A-Za-z]*={0,2}$/.test(base64))
    throw bad('one of "body", a string, and "base64" is needed')
  return { ...content, type: type ?? 'application/octet-stream', body: Buffer.from(base64, 'base64') }
}

function parseObject(bytes: Uint8Array): Fields {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString())
  } catch (cause) {
    throw new MsgbusError('MSGBUS_ENVELOPE', 'Cannot publish: the frame is no JSON', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('it is not an object')
  return value as Fields
}

function bad(fault: string): MsgbusError {
  return new MsgbusError('MSGBUS_ENVELOPE', `Cannot publish this frame: ${fault}`)
}

function checkLength(body: Uint8Array, { maxBodyBytes }: Peer): void {
  if (body.length <= maxBodyBytes) return
  throw new MsgbusError(
    'MSGBUS_BODY_TOO_LARGE',
    `Cannot publish: the body is ${body.length} bytes, at most ${maxBodyBytes} allowed`,
  )
}

function channelOf({ channel }: Peer, named: string | undefined): string {
  const found = named ?? channel
  if (found === null) {
    throw new MsgbusError(
      'MSGBUS_CHANNEL_NAME',
      'Cannot publish: neither the URL nor the frame names one channel',
    )
  }
  return found
}

/** What the peer is told of a fault; of one of ours, only that there was one. */
function told(error: unknown, peer: Peer): { readonly code: string; readonly message: string } {
  if (error instanceof MsgbusError) {
    peer.onFault(error.code)
    return error
  }
  peer.onFault('fault')
  return { code: 'MSGBUS_FAULT', message: 'The server failed to publish this' }
}

function toBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}

function cut(reason: string): string {
  return Buffer.from(reason).subarray(0, MAX_REASON_BYTES).toString('latin1')
}
