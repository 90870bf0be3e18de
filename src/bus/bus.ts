// The bus: gives messages their order and their ids and hands each to every subscription that wants it. It knows no
// HTTP, no protocol and no wire format, and keeps no history: a message that nobody reads is gone.

import { randomBytes } from 'node:crypto'
import { checkChannel } from '../channel.ts'
import { MsgbusError } from '../errors.ts'
import { checkSender, checkType, type Draft, type Message } from '../message.ts'
import type { Filter } from './filter.ts'
import { Lane } from './lane.ts'
import type { Matcher } from './matcher.ts'
import type { Encoder, Sink } from './sink.ts'

/** Which messages go where, in which form. */
export interface SubscriptionRequest {
  readonly matcher: Matcher
  readonly filter: Filter
  readonly encoder: Encoder
  readonly sink: Sink
}

/** A reader's place on the bus, from the moment it was made until it is closed. */
export interface Subscription {
  /** Ends it: nothing more is written to the sink. Closing twice is allowed. */
  close(): void
}

export class Bus {
  /**
   * 32 random characters that no accepted body contains, so that any format may use them as a delimiter and one
   * encoded message serves all readers.
   */
  readonly boundary = randomBytes(16).toString('hex')
  readonly #boundaryBytes = Buffer.from(this.boundary, 'latin1')
  readonly #epoch = randomBytes(6).toString('hex')
  readonly #lanesOfPath = new Map<string, Set<Lane>>()
  readonly #lanesOfEncoder = new Map<Encoder, Map<string, Lane>>()
  readonly #onFault: (error: unknown) => void
  #waiting: Lane[] = []
  #seq = 0
  #treeCount = 0
  #isClosed = false

  /** @param onFault Told when an encoder or a sink throws, which neither may; by default it is thrown where nobody catches. */
  constructor({ onFault = throwLater }: { readonly onFault?: (error: unknown) => void } = {}) {
    this.#onFault = onFault
  }

  /**
   * Accepts a message and returns it with its id. Subscriptions get it before the turn of the event loop ends; this
   * call neither waits for them nor says whether there were any.
   * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME`, `MSGBUS_TYPE`, `MSGBUS_SENDER`, `MSGBUS_BODY_BOUNDARY` for a draft that
   *   cannot be carried; `MSGBUS_CLOSED` once `close()` was called.
   */
  publish(draft: Draft): Message {
    return this.#accept(draft, this.check(draft))
  }

  /**
   * Accepts several messages, in order, or none of them.
   * @throws {MsgbusError} as {@link publish}, for the first that cannot be carried.
   */
  publishAll(drafts: readonly Draft[]): readonly Message[] {
    const types = drafts.map(draft => this.check(draft))
    return drafts.map((draft, at) => this.#accept(draft, types[at] ?? draft.type))
  }

  /**
   * Throws what {@link publish} would throw, and publishes nothing.
   * @returns The type that the message will carry.
   */
  check(draft: Draft): string {
    if (this.#isClosed) throw new MsgbusError('MSGBUS_CLOSED', 'Cannot publish: the bus is shutting down')
    checkChannel(draft.channel)
    checkSender(draft.sender)
    // A body with the delimiter in it could forge messages on other channels, with other senders.
    if (asBuffer(draft.body).includes(this.#boundaryBytes)) {
      throw new MsgbusError(
        'MSGBUS_BODY_BOUNDARY',
        'Cannot publish: the body contains the boundary of this bus',
      )
    }
    return checkType(draft.type)
  }

  #accept({ channel, sender, body }: Draft, type: string): Message {
    const id = `${this.#epoch}-${++this.#seq}`
    const message: Message = { id, channel, time: Date.now(), type, sender, body }
    this.#offer(message, channel)
    if (this.#treeCount > 0) this.#offerToTrees(message)
    return message
  }

  /** Starts a subscription: the sink gets every matching message that is published from now on, in order. */
  subscribe({ matcher, filter, encoder, sink }: SubscriptionRequest): Subscription {
    const key = JSON.stringify([matcher.paths, filter.key])
    const lanes = getOrSet(this.#lanesOfEncoder, encoder, () => new Map<string, Lane>())
    const lane = getOrSet(lanes, key, () => this.#openLane(matcher, new Lane(filter, encoder)))
    lane.add(sink)
    return {
      close: () => {
        lane.delete(sink)
        if (!lane.isEmpty || lanes.get(key) !== lane) return
        this.#closeLane(matcher, lane)
        lanes.delete(key)
        if (lanes.size === 0) this.#lanesOfEncoder.delete(encoder)
      },
    }
  }

  /** Delivers what waits and refuses further messages. Subscriptions stay until their owners close them. */
  close(): void {
    this.#isClosed = true
    this.#flush()
  }

  #openLane(matcher: Matcher, lane: Lane): Lane {
    for (const path of matcher.paths) {
      getOrSet(this.#lanesOfPath, path, () => new Set<Lane>()).add(lane)
      if (isTree(path)) this.#treeCount++
    }
    return lane
  }

  #closeLane(matcher: Matcher, lane: Lane): void {
    for (const path of matcher.paths) {
      const lanes = this.#lanesOfPath.get(path)
      lanes?.delete(lane)
      if (lanes?.size === 0) this.#lanesOfPath.delete(path)
      if (isTree(path)) this.#treeCount--
    }
  }

  // The index is asked once per segment, whatever is subscribed: "", "a/" and "a/b/" for a message to a/b/c.
  #offerToTrees(message: Message): void {
    const { channel } = message
    this.#offer(message, '')
    for (let end = channel.indexOf('/') + 1; end > 0; end = channel.indexOf('/', end) + 1) {
      this.#offer(message, channel.slice(0, end))
    }
  }

  #offer(message: Message, path: string): void {
    const lanes = this.#lanesOfPath.get(path)
    if (lanes === undefined) return
    for (const lane of lanes) {
      if (!lane.offer(message, this.#seq)) continue
      if (this.#waiting.push(lane) === 1) setImmediate(this.#flush)
    }
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting
    this.#waiting = []
    for (const lane of waiting) {
      try {
        lane.flush()
      } catch (error) {
        // Somebody's encoder or sink: not the fault of the readers of other lanes, who get theirs all the same.
        this.#onFault(error)
      }
    }
  }
}

function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}

function isTree(path: string): boolean {
  return path === '' || path.endsWith('/')
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function getOrSet<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
