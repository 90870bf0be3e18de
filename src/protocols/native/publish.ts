// Publishing: from a request to drafts for the bus. A plain body is one message; forms and multipart bodies are taken
// apart in files of their own.

import type { Bus } from '../../bus/bus.ts'
import { MsgbusError } from '../../errors.ts'
import { BodyMemory } from '../../codec/body-memory.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { PlainHead } from '../../http/plain-head.ts'
import type { PlainPublisher, PlainRoute } from '../../http/plain-runs.ts'
import { checkEncoding } from '../../http/wire-rules.ts'
import type { Message } from '../../message.ts'
import { readForm } from './form.ts'
import { decodeOne } from './one-channel.ts'
import type { NativeOptions } from './options.ts'
import { countHeaders, PartPublisher } from './part-publisher.ts'
import { logPublish, type PeerFields, peerOf } from '../publish-log.ts'

export class Publisher {
  readonly #options: NativeOptions
  readonly #bus: Bus
  readonly #memory = new BodyMemory()
  readonly #plain: PlainPublisher = {
    publishAll: (drafts, { remoteAddress = '' }) => {
      const messages = this.#bus.publishAll(drafts)
      return messages instanceof Promise
        ? messages.then(kept => this.#noted(kept, remoteAddress))
        : this.#noted(messages, remoteAddress)
    },
  }

  constructor(options: NativeOptions) {
    this.#options = options
    this.#bus = options.bus
  }

  /**
   * Answers 204 with `Msgbus-Id`, the id of the last message, and `Msgbus-Count` where a request may hold several.
   * @throws {MsgbusError} before anything is answered.
   */
  async publish(exchange: Exchange, rest: string): Promise<void> {
    const { headers } = exchange.req
    checkEncoding(exchange.req)
    const type = headers['content-type'] ?? ''
    const essence = essenceOf(type)
    if (essence === 'multipart/form-data') {
      await this.#publishForm(exchange, decodePlainChannel(rest))
    } else if (isPartStream(essence, exchange)) {
      await this.#publishParts(exchange, rest, type)
    } else {
      await this.#publishBody(exchange, decodePlainChannel(rest), type)
    }
  }

  /**
   * Finds what is to be done with plain publishes of this head; null for what may be several messages or too large.
   * @throws {MsgbusError} as `publish`.
   */
  plain({ type, bodyByteCount }: PlainHead, rest: string, peer: string): PlainRoute | null {
    if (bodyByteCount === null) return this.#plainStream(type, rest, peer)
    if (essenceOf(type).startsWith('multipart/') || bodyByteCount > this.#options.maxBodyBytes) return null
    const channel = decodePlainChannel(rest)
    this.#bus.check({ channel, type, sender: null, body: NO_BYTES })
    return {
      kind: 'message',
      publisher: this.#plain,
      draftOf: body => ({ channel, type, sender: null, body }),
      copyOf: (bytes, from, end) => this.#memory.copy(bytes, from, end),
    }
  }

  #plainStream(type: string, rest: string, peer: string): PlainRoute | null {
    if (!STREAM_TYPES.has(essenceOf(type))) return null
    return { kind: 'stream', consumer: this.#openParts(rest, type, { peer, user: null }) }
  }

  #noted(messages: readonly Message[], peer: string): readonly Message[] {
    const { log } = this.#options
    if (log.isEnabled('trace')) {
      for (const message of messages) logPublish(log, { peer, user: null }, message)
    }
    return messages
  }

  async #publishBody(exchange: Exchange, channel: string, type: string): Promise<void> {
    const { intake, maxBodyBytes } = this.#options
    const sender = exchange.credentials?.user ?? null
    this.#bus.check({ channel, type, sender, body: NO_BYTES })
    const body = await intake.read(exchange, maxBodyBytes)
    const message = await this.#bus.publish({ channel, type, sender, body })
    logPublish(this.#options.log, peerOf(exchange), message)
    exchange.answer(204, ['Msgbus-Id', message.id])
  }

  async #publishForm(exchange: Exchange, channel: string): Promise<void> {
    const { intake, maxBodyBytes, maxFormBytes } = this.#options
    const sender = exchange.credentials?.user ?? null
    const drafts = (await readForm(exchange, intake, { maxBodyBytes, maxFormBytes })).map(entry => ({
      channel,
      sender,
      ...entry,
    }))
    // All or nothing: a form is one act of the person who sent it.
    const messages = await this.#bus.publishAll(drafts)
    for (const message of messages) logPublish(this.#options.log, peerOf(exchange), message)
    exchange.answer(204, countHeaders(messages.length, messages.at(-1)))
  }

  async #publishParts(exchange: Exchange, rest: string, type: string): Promise<void> {
    const parts = this.#openParts(rest, type, peerOf(exchange))
    try {
      await this.#options.intake.stream(exchange, Infinity, parts)
      exchange.answer(204, await parts.end())
    } catch (error) {
      throw parts.explain(error)
    }
  }

  #openParts(rest: string, type: string, peer: PeerFields): PartPublisher {
    const { maxBodyBytes, log } = this.#options
    return new PartPublisher({
      ...{ rest, type, maxBodyBytes },
      publish: (channel, partType, body) =>
        this.#bus.publish({ channel, type: partType, sender: peer.user, body }),
      onPublished: message => {
        logPublish(log, peer, message)
      },
    })
  }
}

const NO_BYTES = new Uint8Array(0)
const STREAM_TYPES: ReadonlySet<string> = new Set(['multipart/x-mixed-replace', 'multipart/mixed'])

function essenceOf(type: string): string {
  return /^[^;\s]*/.exec(type)?.[0].toLowerCase() ?? ''
}

// A request that names no type is refused, but for a chunked one: ffmpeg and curl send a stream of parts without a
// word, and the parts name their types themselves.
function isPartStream(essence: string, { req }: Exchange): boolean {
  if (STREAM_TYPES.has(essence)) return true
  return req.headers['content-type'] === undefined && req.headers['transfer-encoding'] !== undefined
}

function decodePlainChannel(rest: string): string {
  if (rest === '' || rest.endsWith('/')) {
    const text =
      'Cannot publish here: name one channel (only parts with a Content-Location go to a name that ends in "/")'
    throw new MsgbusError('MSGBUS_CHANNEL_NAME', text)
  }
  return decodeOne(rest)
}
