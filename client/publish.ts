// Publishing: one POST for one message, from whatever a program has in its hands. Runs in browsers.

import { type Access, ask, encodePath, giveUp, identify, notMsgbus, pageUrl } from './access.ts'

/**
 * What can be published: text, bytes, a Blob, a stream or async iterable of bytes, or else what JSON can say: an object,
 * an array, a number, a boolean, null.
 */
export type PublishBody =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | number
  | boolean
  | null
  | object

export interface PublishOptions {
  /** Media type; by default what fits the body. */
  readonly type?: string | undefined
  /** The name to publish under, in place of the user in the address. */
  readonly sender?: string | undefined
  /** Gives up; whether the server has the message then is not known. */
  readonly signal?: AbortSignal | undefined
}

/** What the server says of a message that it has accepted. */
export interface Published {
  readonly id: string
}

/** What a request carries for it. */
export interface Payload {
  readonly type: string
  readonly body: Blob | string | Uint8Array<ArrayBuffer>
}

/** Publishes a message somehow. @throws {MsgbusError} As `Client.publish`. */
export type Publish = (
  channel: string,
  content: PublishBody,
  options: PublishOptions & { readonly signal: AbortSignal },
) => Promise<Published>

/** @throws {MsgbusError} As `ask`; `MSGBUS_CHANNEL_NAME`. */
export async function post(
  access: Access,
  channel: string,
  content: PublishBody,
  { type, sender, signal }: PublishOptions & { readonly signal: AbortSignal },
): Promise<Published> {
  const url = access.url + encodePath(channel)
  const payload = await toPayload(content)
  // Made here, so that what cannot stand in a header is a TypeError and no unreachable server.
  const headers = new Headers({ ...identify(access, sender), 'Content-Type': type ?? payload.type })
  const response = await ask(access, url, {
    ...{ method: 'POST', headers, body: payload.body, duplex: 'half', signal },
  })
  giveUp(response)
  // Of a body of parts it is the last one's; there may have been none.
  const id = response.headers.get('msgbus-id') ?? (response.headers.has('msgbus-count') ? '' : null)
  if (id === null) throw notMsgbus(url, `an answer ${response.status} without an id`)
  return { id }
}

/** Says what is to be sent, and as which type unless another one is named. */
export async function toPayload(content: PublishBody): Promise<Payload> {
  const type = 'application/octet-stream'
  if (typeof content === 'string') return { type: 'text/plain; charset=utf-8', body: content }
  if (content instanceof Blob) return { type: content.type || type, body: content }
  if (content instanceof ArrayBuffer || content instanceof Uint8Array) {
    return { type, body: content as Uint8Array<ArrayBuffer> }
  }
  if (content !== null && typeof content === 'object' && Symbol.asyncIterator in content) {
    // Node sends it as it comes. Browsers do not over HTTP/1.1, or send words in its place.
    if (pageUrl() === undefined) return { type, body: content as unknown as Blob }
    const pieces: Uint8Array<ArrayBuffer>[] = []
    for await (const piece of content as AsyncIterable<Uint8Array<ArrayBuffer>>) pieces.push(piece)
    return { type, body: new Blob(pieces) }
  }
  const text = JSON.stringify(content) as string | undefined
  if (text === undefined) throw new TypeError(`Cannot publish: JSON has no ${typeof content}`)
  return { type: 'application/json', body: text }
}
