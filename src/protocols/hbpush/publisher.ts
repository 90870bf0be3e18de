// Publishers: make channels, publish to them, ask about them and delete them. Every answer of success tells about the channel.

import type { Exchange } from '../../http/exchange.ts'
import { hasBody } from '../../http/exchange.ts'
import type { Intake } from '../../http/intake.ts'
import { checkEncoding } from '../../http/wire-rules.ts'
import type { Log } from '../../log.ts'
import type { Message } from '../../message.ts'
import { logPublish, peerOf } from '../publish-log.ts'
import { answerMethod, unknownChannel } from './answers.ts'
import { channelOf } from './channel-id.ts'
import { formatInfo } from './info.ts'
import type { PublisherLocation } from './location.ts'
import type { Realm } from './realm.ts'

const METHODS = 'GET, POST, PUT, DELETE'
const DEFAULT_TYPE = 'application/octet-stream'
const NO_BYTES = new Uint8Array(0)

export interface PublisherOptions {
  readonly intake: Intake
  readonly log: Log
  /** Bytes of one message. */
  readonly maxBodyBytes: number
}

/** A request to one channel. */
interface Request {
  readonly exchange: Exchange
  readonly realm: Realm
  readonly location: PublisherLocation
  readonly id: string
  readonly channel: string
}

export class Publisher {
  readonly #options: PublisherOptions

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** @throws {MsgbusError} before anything was answered. */
  async handle(exchange: Exchange, realm: Realm, location: PublisherLocation, id: string): Promise<void> {
    const request = (): Request => ({ exchange, realm, location, id, channel: channelOf(id) })
    switch (exchange.method) {
      case 'GET':
        return this.#describe(request())
      case 'PUT':
        return this.#create(request())
      case 'POST':
        return this.#publish(request())
      case 'DELETE':
        return this.#delete(request())
      default:
        answerMethod(exchange, METHODS)
    }
  }

  async #describe(request: Request): Promise<void> {
    const { realm, channel } = request
    const deletedSeq = await this.#check(request)
    answerInfo(request, 200, await realm.channels.newest(channel, deletedSeq))
  }

  async #create(request: Request): Promise<void> {
    const { exchange, realm, channel } = request
    await this.#readBody(exchange)
    await realm.channels.create(channel)
    const deletedSeq = await realm.channels.deletedSeq(channel)
    answerInfo(request, 200, await realm.channels.newest(channel, deletedSeq))
  }

  async #publish(request: Request): Promise<void> {
    const { exchange, realm, location, channel } = request
    const { bus, channels, waiters } = realm
    checkEncoding(exchange.req)
    const type = exchange.req.headers['content-type'] ?? DEFAULT_TYPE
    const draft = { channel, type, sender: exchange.credentials?.user ?? null }
    bus.check({ ...draft, body: NO_BYTES })
    if (!location.createsOnPost) await this.#check(request)
    const body = await this.#readBody(exchange)
    const message = await bus.publish({ ...draft, body })
    await channels.create(channel, message.seq)
    logPublish(this.#options.log, peerOf(exchange), message)
    // Those who wait are answered when the turn ends in which the bus has it.
    await turn()
    answerInfo(request, waiters.wereWaiting(message) ? 201 : 202, message, ['Msgbus-Id', message.id])
  }

  async #delete(request: Request): Promise<void> {
    const { exchange, realm, channel } = request
    const { channels } = realm
    await this.#readBody(exchange)
    const deletedSeq = await this.#check(request)
    const newest = await channels.newest(channel, deletedSeq)
    await channels.delete(channel, exchange.credentials?.user ?? null)
    // Those who wait are told first.
    await turn()
    answerInfo(request, 200, newest)
  }

  /** @throws {MsgbusError} `MSGBUS_NOT_FOUND`. */
  async #check({ realm: { channels }, channel }: Request): Promise<number> {
    await channels.catchUp(channel)
    const deletedSeq = await channels.deletedSeq(channel)
    if (!(await channels.exists(channel, deletedSeq))) throw unknownChannel()
    return deletedSeq
  }

  // A publish without a body is one of no bytes.
  async #readBody(exchange: Exchange): Promise<Uint8Array> {
    const { intake, maxBodyBytes } = this.#options
    return hasBody(exchange.req) ? intake.read(exchange, maxBodyBytes) : NO_BYTES
  }
}

function answerInfo(
  { exchange, realm, id, channel }: Request,
  status: number,
  last: Message | null,
  headers: readonly string[] = [],
): void {
  const waitingCount = realm.waiters.count(channel)
  const { type, body } = formatInfo({ id, last, waitingCount }, exchange.req.headers.accept)
  exchange.send(status, ['Content-Type', type, ...headers], Buffer.from(body))
}

function turn(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}
