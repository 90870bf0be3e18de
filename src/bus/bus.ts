// The bus: checks what is published, has the store keep it, and hands it to every subscription that wants it, history
// first where that was asked for. It knows no HTTP, no protocol and no wire format.

import { randomBytes } from 'node:crypto'
import { checkChannel } from '../channel.ts'
import { ByteSearch, latin1Bytes } from '../codec/bytes.ts'
import type { Cursor } from '../cursor.ts'
import { MsgbusError } from '../errors.ts'
import type { Filter } from '../filter.ts'
import { isTree, type Matcher } from '../matcher.ts'
import { checkSender, checkType, type Draft, type Message } from '../message.ts'
import { MemoryStore } from '../store/memory.ts'
import type {
  Awaitable,
  ChannelRecord,
  Notes,
  Page,
  PageRequest,
  Place,
  Start,
  Store,
} from '../store/store.ts'
import { Lane } from './lane.ts'
import { Replay } from './replay.ts'
import type { Encoder, Sink } from './sink.ts'

const BOUNDARY = /^[0-9a-f]{32}$/

/** A new boundary for a bus, which nobody can guess. */
export function makeBoundary(): string {
  return randomBytes(16).toString('hex')
}

/** Which messages go where, in which form. */
export interface SubscriptionRequest {
  readonly matcher: Matcher
  readonly filter: Filter
  readonly encoder: Encoder
  readonly sink: Sink
  /** Number of the last message that the reader has; by default it has everything and gets what comes. */
  readonly afterSeq?: number
  /** The store's note of that place, so that whatever goes from then on is told. */
  readonly mark?: number
  /** Called once, when the sink has everything that was kept; what follows is live. */
  readonly onCaughtUp?: () => void
  /** Called once if history cannot be read. Nothing is written to the sink after that. */
  readonly onFault?: (error: unknown) => void
}

export interface BusOptions {
  /** Closed with the bus. By default one in memory. */
  readonly store?: Store
  /** See {@link Bus.boundary}; by default one of its own. Servers that carry the same messages have the same one. */
  readonly boundary?: string
  /** Told when an encoder or a sink throws, which neither may; by default it is thrown where nobody catches. */
  readonly onFault?: (error: unknown) => void
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
  readonly boundary: string
  readonly #boundarySearch: ByteSearch
  readonly #store: Store
  readonly #lanesOfPath = new Map<string, Set<Lane>>()
  readonly #lanesOfEncoder = new Map<Encoder, Map<string, Lane>>()
  readonly #onFault: (error: unknown) => void
  // Messages of one channel and of one type come in a row.
  #checkedChannel: string | null = null
  #checkedType: string | null = null
  #carriedType = ''
  #waiting: Lane[] = []
  #treeCount = 0
  #isClosed = false

  /** @throws {RangeError} for a boundary that is none. */
  constructor({
    store = new MemoryStore(),
    boundary = makeBoundary(),
    onFault = throwLater,
  }: BusOptions = {}) {
    if (!BOUNDARY.test(boundary)) {
      throw new RangeError(`Cannot set "boundary": current value is "${boundary}", 32 hex digits wanted`)
    }
    this.boundary = boundary
    this.#boundarySearch = new ByteSearch(latin1Bytes(boundary))
    this.#store = store
    this.#onFault = onFault
    store.follow(message => {
      this.#deliver(message)
    })
  }

  /** What `since` and `Last-Event-ID` are counted in. */
  get position(): Cursor {
    return { epoch: this.#store.epoch, seq: this.#store.lastSeq }
  }

  /**
   * Has a message kept and returns it with its id: at once, if the store keeps it at once, as the one in memory does.
   * Subscriptions get it before that turn of the event loop ends; this call neither waits for them nor says whether
   * there were any.
   * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME`, `MSGBUS_TYPE`, `MSGBUS_SENDER`, `MSGBUS_BODY_BOUNDARY` for a draft that
   *   cannot be carried; `MSGBUS_CLOSED` once `close()` was called; what the store throws.
   */
  publish(draft: Draft): Awaitable<Message> {
    const kept = this.#store.append([this.#checked(draft)])
    return kept instanceof Promise ? kept.then(only) : only(kept)
  }

  /**
   * Has several messages kept, in order, or none of them.
   * @throws {MsgbusError} as {@link publish}, for the first that cannot be carried.
   */
  publishAll(drafts: readonly Draft[]): Awaitable<readonly Message[]> {
    return this.#store.append(drafts.map(draft => this.#checked(draft)))
  }

  #checked(draft: Draft): Draft {
    const type = this.check(draft)
    return type === draft.type ? draft : { ...draft, type }
  }

  /**
   * Throws what {@link publish} would throw, and publishes nothing.
   * @returns The type that the message will carry.
   */
  check(draft: Draft): string {
    if (this.#isClosed) throw new MsgbusError('MSGBUS_CLOSED', 'Cannot publish: the bus is shutting down')
    if (draft.channel !== this.#checkedChannel) this.#checkedChannel = checkChannel(draft.channel)
    checkSender(draft.sender)
    // A body with the delimiter in it could forge messages on other channels, with other senders.
    if (this.#boundarySearch.indexIn(draft.body, 0, draft.body.length) !== -1) {
      throw new MsgbusError(
        'MSGBUS_BODY_BOUNDARY',
        'Cannot publish: the body contains the boundary of this bus',
      )
    }
    if (draft.type !== this.#checkedType) {
      this.#carriedType = checkType(draft.type)
      this.#checkedType = draft.type
    }
    return this.#carriedType
  }

  #deliver(message: Message): void {
    this.#offer(message, message.channel)
    if (this.#treeCount > 0) this.#offerToTrees(message)
  }

  /** Finds where a reader can begin that wants to begin there. */
  locate({ paths }: Matcher, start: Start): Awaitable<Place> {
    return this.#store.locate(paths, start)
  }

  /** Reads a page of what is kept of these channels, see `Store.read`. */
  read({ paths }: Matcher, place: Omit<PageRequest, 'paths'>): Awaitable<Page> {
    return this.#store.read({ paths, ...place })
  }

  /**
   * Starts a subscription: the sink gets every matching message behind `afterSeq`, in order, what is kept of the past
   * first and then what is published, without a hole or a repeat between the two.
   */
  subscribe(request: SubscriptionRequest): Subscription {
    const { matcher, filter, encoder, sink, mark, onFault = this.#onFault } = request
    const store = this.#store
    const { afterSeq = store.lastSeq } = request
    if (afterSeq >= store.lastSeq) return this.#goLive(request)
    let live: Subscription | null = null
    const replay = new Replay({
      ...{ store, paths: matcher.paths, filter, encoder, sink, afterSeq, mark, onFault },
      onCaughtUp: () => {
        live = this.#goLive(request)
      },
    })
    replay.start()
    return {
      close: () => {
        replay.close()
        live?.close()
      },
    }
  }

  #goLive(request: SubscriptionRequest): Subscription {
    const { matcher, filter, encoder, sink } = request
    const key = JSON.stringify([matcher.paths, filter.key])
    const lanes = getOrSet(this.#lanesOfEncoder, encoder, () => new Map<string, Lane>())
    const lane = getOrSet(lanes, key, () => this.#openLane(matcher, new Lane(filter, encoder)))
    // It sees what is published from now on: what already waits goes to the others first.
    this.#flushLane(lane)
    lane.add(sink)
    request.onCaughtUp?.()
    return {
      close: () => {
        lane.delete(sink)
        if (lane.sinkCount > 0 || lanes.get(key) !== lane) return
        this.#closeLane(matcher, lane)
        lanes.delete(key)
        if (lanes.size === 0) this.#lanesOfEncoder.delete(encoder)
      },
    }
  }

  /** See `Store.notes`. */
  get notes(): Notes | undefined {
    return this.#store.notes
  }

  /** Every channel that the store knows, in no order. */
  channels(): Awaitable<Iterable<ChannelRecord>> {
    return this.#store.channels()
  }

  /** How many live subscriptions read each path of a matcher: `a`, `a/`, or the empty string for everything. */
  subscriberCounts(): ReadonlyMap<string, number> {
    const countOf = ([path, lanes]: [string, ReadonlySet<Lane>]): [string, number] => [
      path,
      [...lanes].reduce((sum, lane) => sum + lane.sinkCount, 0),
    ]
    return new Map([...this.#lanesOfPath].map(countOf))
  }

  /** Delivers what waits, refuses further messages and closes the store. Subscriptions stay until their owners close them. */
  close(): Awaitable<void> {
    this.#isClosed = true
    this.#flush()
    return this.#store.close()
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
      if (!lane.offer(message)) continue
      if (this.#waiting.push(lane) === 1) setImmediate(this.#flush)
    }
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting
    this.#waiting = []
    for (const lane of waiting) this.#flushLane(lane)
  }

  #flushLane(lane: Lane): void {
    try {
      lane.flush()
    } catch (error) {
      // Somebody's encoder or sink: not the fault of the readers of other lanes, who get theirs all the same.
      this.#onFault(error)
    }
  }
}

function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}

function only(messages: readonly Message[]): Message {
  const [message] = messages
  if (message === undefined)
    throw new TypeError('Cannot publish: the store kept one message and returned none')
  return message
}

function getOrSet<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
