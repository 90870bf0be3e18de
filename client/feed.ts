// A connection that is kept up for its subscriptions, one or many: opened again when it ends or breaks, later and later,
// from where they were. When what they want together changes, the next one is open before this one is closed.
// Runs in browsers.

import { MsgbusError } from '../src/errors.ts'
import type { Access, Refusal } from './access.ts'
import { openMultipart } from './multipart.ts'
import { isBehind, type OpenStream, type Stream, type StreamRequest, streamUrl } from './stream.ts'
import type { Queue } from './subscription.ts'

// What trying again cannot mend; of a message that is too long, it would only bring the next copy.
const FINAL_STATUSES: readonly unknown[] = [400, 401, 403, 404, 405, 413, 414, 421]

/** A server cannot send its readers away for longer. */
const MAX_RETRY_AFTER_MS = 5 * 60_000

export interface FeedOptions {
  readonly access: Access
  readonly open: OpenStream
  readonly minDelayMs: number
  readonly maxDelayMs: number
  /** Called with a subscription that may have been refused because of another one: it needs a feed of its own. */
  readonly onSplit: (member: Queue) => void
  /** Called when the last subscription has left. */
  readonly onEmpty: () => void
}

export interface Feed {
  /** Takes in a subscription, until that is closed. */
  add(member: Queue): void
}

/** One stream and whom it serves. */
interface Line {
  readonly stream: Stream
  /** What is asked for, without a place. */
  readonly url: string
  readonly members: readonly Queue[]
  readonly controller: AbortController
  /** True if the stream itself begins where its members have to, so that nothing is to be read from before it. */
  readonly isResumed: boolean
}

export function createFeed({ access, open, minDelayMs, maxDelayMs, onSplit, onEmpty }: FeedOptions): Feed {
  const members = new Set<Queue>()
  let line: Line | null = null
  let next: Promise<Line | null> | null = null
  // Ends what is being opened, or the pause before it.
  let attempt = new AbortController()
  let delayMs = minDelayMs
  let hasBegun = false

  function add(member: Queue): void {
    members.add(member)
    member.onLeave = () => {
      members.delete(member)
      adapt()
      if (members.size > 0) return
      attempt.abort()
      line?.controller.abort()
      onEmpty()
    }
    if (members.size > 1) adapt()
    else void run()
  }

  async function run(): Promise<void> {
    try {
      while (members.size > 0) {
        next ??= connect()
        const opened = await next
        next = null
        if (opened !== null) await serve(opened)
      }
    } catch (error) {
      // No peer's doing: a fault in here, or in what is called from here.
      for (const member of members) member.finish(error)
    }
  }

  /** Opens another line if the present one is not what is wanted any more. */
  function adapt(): void {
    if (line === null || next !== null || isServed()) return
    next = connect().then(opened => {
      if (opened === null) next = null
      // Somebody may have come or gone in the last moment.
      adapt()
      return opened
    })
    // A fault in what is called from here: whoever serves the present line has to come and get it.
    next.catch(() => line?.controller.abort())
  }

  /** Whether the present line brings what all want, and no more. */
  function isServed(): boolean {
    const all = [...members]
    return all.every(isOnLine) && (all.length === 0 || line?.url === urlOf(merge(all, null)))
  }

  function isOnLine(member: Queue): boolean {
    return line?.members.includes(member) === true
  }

  function urlOf(request: StreamRequest): string {
    return streamUrl(access, { ...request, since: null }, '')
  }

  /** Opens a line for all who are there, if there is need of one. */
  async function connect(): Promise<Line | null> {
    for (;;) {
      // What is subscribed within one turn is asked for at once.
      await Promise.resolve()
      if (isServed()) return null
      const all = [...members]
      const waiting = all.filter(member => !isOnLine(member))
      try {
        for (const member of waiting) member.enter('connecting')
        return await openLine(all)
      } catch (error) {
        await rest(waiting, error, 0)
      }
    }
  }

  async function openLine(all: readonly Queue[]): Promise<Line> {
    const [since = null, ...others] = new Set(all.map(member => member.since))
    const old = line
    // Those who are on a line get what comes until the next one is open.
    const isResumed = old === null && others.length === 0
    const controller = new AbortController()
    attempt = controller
    const request = merge(all, isResumed ? since : null)
    const stream = await open(access, request, controller)
    old?.controller.abort()
    old?.members[0]?.goOn()
    return { stream, url: urlOf(request), members: all, controller, isResumed }
  }

  async function serve(opened: Line): Promise<void> {
    const { stream, members: served, controller } = opened
    const [first, ...others] = served
    const isShared = others.length > 0
    const startedMs = performance.now()
    let fault: unknown = null
    line = opened
    adapt()
    try {
      await begin(opened)
      for await (const batch of stream.batches) {
        hasBegun = true
        for (const message of batch) for (const member of served) member.offer(message, isShared)
        // One that is slow would hold up the others.
        if (!isShared) await first?.room()
      }
    } catch (error) {
      fault = error
    }
    controller.abort()
    line = null
    // Another line is open, or on its way.
    if (next !== null) return
    if (performance.now() - startedMs > maxDelayMs) delayMs = minDelayMs
    await rest([...members], fault, stream.retryMs)
  }

  /** Brings every member to the place where the stream starts. */
  async function begin({ stream, members: served, controller, isResumed }: Line): Promise<void> {
    const { position, lost } = stream
    for (const member of served) {
      let { since } = member
      if (isResumed) {
        since = position ?? since
        member.lose(lost)
      }
      while (since !== null && position !== null && isBehind(position, since)) {
        const missed = await openMultipart(
          access,
          { ...member.request, since },
          controller,
          'as=multipart&poll',
        )
        member.lose(missed.lost)
        for await (const batch of missed.batches) for (const message of batch) member.offer(message, false)
        since = missed.position
      }
      member.begin(since ?? position)
    }
  }

  /** After a failure, or an end in good order: ends those concerned if there is no use in trying again, else waits. */
  async function rest(concerned: readonly Queue[], error: unknown, retryMs: number): Promise<void> {
    const [first, ...others] = concerned
    if (first !== undefined && (!first.reconnects || isFinal(error))) {
      if (others.length === 0) first.finish(error)
      else
        for (const member of concerned) {
          member.onLeave()
          onSplit(member)
        }
      return
    }
    for (const member of concerned) member.enter('waiting', error as MsgbusError | null)
    const { retryAfterMs: wantedMs = retryMs } = (error ?? {}) as Refusal
    const ms = Math.max(delayMs * (0.5 + Math.random() / 2), Math.min(wantedMs, MAX_RETRY_AFTER_MS))
    delayMs = Math.min(delayMs * 2, maxDelayMs)
    attempt = new AbortController()
    if (members.size > 0) await pause(ms, attempt.signal)
  }

  function isFinal(error: unknown): boolean {
    if (!(error instanceof MsgbusError)) return error !== null
    // It may be a page that stands in the way for a while, once it has been a msgbus.
    if (error.code === 'MSGBUS_NOT_MSGBUS') return !hasBegun
    return error.code === 'MSGBUS_BODY_TOO_LARGE' || FINAL_STATUSES.includes(error.status)
  }

  return { add }
}

/** What one stream has to bring for all of them: all their channels, and their filters if they agree. */
function merge(members: readonly Queue[], since: string | null): StreamRequest {
  const requests = members.map(({ request }) => request)
  const paths = new Set(requests.flatMap(request => request.paths))
  const [first] = requests
  const isAlike = requests.every(({ type, sender }) => type === first?.type && sender === first?.sender)
  return { ...(isAlike ? first : {}), paths: paths.has('') ? [''] : [...paths].sort(), since }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    signal.onabort = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}
