// One subscription: for its owner an async iterable, for the connection that fills it a queue with a bound.
// Runs in browsers.

import type { MsgbusError } from '../src/errors.ts'
import { matchesChannel } from '../src/matcher.ts'
import { matchesPatterns, parsePatterns } from '../src/pattern.ts'
import { type Incoming, ReceivedMessage } from './message.ts'
import { isBehind, type StreamRequest } from './stream.ts'

/** What may wait for the owner, bodies and a little for each message. One batch more may be taken. */
const MAX_QUEUE_BYTES = 1024 * 1024
const MESSAGE_BYTES = 256

/** `waiting` is between two attempts to connect. */
export type SubscriptionState = 'connecting' | 'open' | 'waiting' | 'closed'

/** Messages of a subscription. Leaving a `for await` loop closes it. */
export interface Subscription extends AsyncIterable<ReceivedMessage> {
  readonly state: SubscriptionState
  /**
   * A place to continue from with `since`: the id of the last message that was handed out, or where the stream began.
   * Null as long as neither is known.
   */
  readonly lastId: string | null
  /** Ends it; what was not handed out is dropped. Twice is allowed. */
  readonly close: () => void
  [Symbol.asyncIterator](): AsyncIterator<ReceivedMessage, undefined>
}

export interface QueueOptions {
  readonly request: StreamRequest
  readonly reconnects: boolean
  /** Called with each new state; with the reason if it is `waiting`, or `closed` by an error. */
  readonly onState: (state: SubscriptionState, error: MsgbusError | null) => void
  /** Called once, when it is over. */
  readonly onClose: () => void
}

/** A subscription as a connection sees it. */
export interface Queue extends Subscription {
  readonly request: StreamRequest
  readonly reconnects: boolean
  /** What a connection has to continue from. Messages up to there are not taken again. */
  readonly since: string | null
  /** Takes it off the connection that fills it. */
  onLeave: () => void
  /** Says that it is being connected, or why it is not. */
  enter(state: 'connecting' | 'waiting', error?: MsgbusError | null): void
  /** Says that it is connected, and from where on; null if the server does not say. */
  begin(position: string | null): void
  /**
   * Takes a message, if it is meant for this subscription and was not taken before.
   * @param isShared Whether the connection brings what others want, too. It does not wait for room then, and what is too
   *   much is lost.
   */
  offer(message: Incoming, isShared: boolean): void
  /** Tells the owner, with the next message, of some that were lost; null for nobody knows how many. */
  lose(count: number | null): void
  /** Ends it for good, with an error or null; the owner gets what is queued first. */
  finish(error: unknown): void
  /** Resolves when there is room again, or nobody left who waits for messages. */
  room(): Promise<void>
  /** Does as if there were room again. */
  goOn(): void
}

export function createQueue({ request, reconnects, onState, onClose }: QueueOptions): Queue {
  const nothing = (): void => undefined
  let { since } = request
  let state: SubscriptionState = 'connecting'
  let lastId: string | null = null
  let messages: ReceivedMessage[] = []
  let queuedBytes = 0
  let lostCount: number | null = 0
  let failure: Error | null = null
  let wakes: (() => void)[] = []
  let onRoom = nothing

  function enter(entered: SubscriptionState, error: MsgbusError | null = null): void {
    if (state === 'closed' || (state === entered && error === null)) return
    state = entered
    onState(entered, error)
  }

  function lose(count: number | null): void {
    lostCount = lostCount === null || count === null ? null : lostCount + count
  }

  function wake(): void {
    for (const resolve of wakes) resolve()
    wakes = []
  }

  function checkRoom(): void {
    if (queuedBytes <= MAX_QUEUE_BYTES || state === 'closed') onRoom()
  }

  function finish(error: unknown): void {
    if (state === 'closed') return
    failure = error as Error | null
    queue.onLeave()
    onClose()
    wake()
    enter('closed', error as MsgbusError | null)
    checkRoom()
  }

  function offer(message: Incoming, isShared: boolean): void {
    if (state === 'closed' || (since !== null && !isBehind(message.id, since))) return
    since = message.id || null
    // Of what a shared connection lost, nobody knows whose it was.
    lose(isShared && message.lost !== 0 ? null : message.lost)
    if (isShared && !isWanted(message, request)) return
    if (isShared && queuedBytes > MAX_QUEUE_BYTES) {
      lose(1)
      return
    }
    messages.push(new ReceivedMessage(message, lostCount))
    queuedBytes += message.body.length + MESSAGE_BYTES
    lostCount = 0
    wake()
  }

  async function take(): Promise<IteratorResult<ReceivedMessage, undefined>> {
    for (;;) {
      const message = messages.shift()
      if (message !== undefined) {
        queuedBytes -= message.byteLength + MESSAGE_BYTES
        lastId = message.id
        checkRoom()
        return { done: false, value: message }
      }
      if (state === 'closed') {
        const error = failure
        failure = null
        if (error !== null) throw error
        return { done: true, value: undefined }
      }
      await new Promise<void>(resolve => wakes.push(resolve))
    }
  }

  const queue: Queue = {
    request,
    reconnects,
    get state() {
      return state
    },
    get since() {
      return since
    },
    get lastId() {
      return lastId
    },
    onLeave: nothing,
    enter,
    lose,
    finish,
    offer,
    begin(position) {
      since = position
      lastId ??= position
      enter('open')
    },
    room() {
      return new Promise(resolve => {
        onRoom = resolve
        checkRoom()
      })
    },
    goOn() {
      onRoom()
    },
    close() {
      messages = []
      finish(null)
    },
    [Symbol.asyncIterator]: () => ({
      next: take,
      return: () => {
        queue.close()
        return take()
      },
    }),
  }
  return queue
}

/** What the server does for a connection that brings nothing else. */
function isWanted({ channel, type, sender }: Incoming, request: StreamRequest): boolean {
  return (
    matchesChannel(request.paths, channel) &&
    passes(request.type, type) &&
    // A message without a sender passes every filter of senders.
    (sender === null || passes(request.sender, sender))
  )
}

function passes(list: string | undefined, value: string): boolean {
  return list === undefined || list === '*' || matchesPatterns(parsePatterns(list), value)
}
