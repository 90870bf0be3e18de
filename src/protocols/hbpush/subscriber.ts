// Subscribers: the first message behind a position, at once or when it comes. History is read here, one message at a time;
// who waits is looked after in `waiters.ts`.

import { MsgbusError } from '../../errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Matcher } from '../../matcher.ts'
import type { Message } from '../../message.ts'
import type { Place, Start } from '../../store/store.ts'
import { answerMethod, deletedChannel, unknownChannel } from './answers.ts'
import { channelOf } from './channel-id.ts'
import { isTombstone } from './channels.ts'
import type { SubscriberLocation } from './location.ts'
import { Progress } from './progress.ts'
import type { Realm } from './realm.ts'
import { isWanted, readId, readMoment, VARY } from './validators.ts'

const METHODS = 'GET'
const MAX_CHANNELS = 64

// Where several channels are read, what was deleted on one of them stands between the messages of the others.
const WIDE_PAGE_COUNT = 32

/** What a GET asks for. */
interface Reading {
  readonly matcher: Matcher
  readonly start: Start
  /** Whether it names further channels, in its query. */
  readonly isWide: boolean
}

/** @throws {MsgbusError} before anything was answered. */
export async function subscribe(
  exchange: Exchange,
  realm: Realm,
  { isLong, createsOnGet }: SubscriberLocation,
  id: string,
): Promise<void> {
  if (exchange.method !== 'GET') {
    answerMethod(exchange, METHODS)
    return
  }
  const reading = readRequest(exchange, id)
  const { matcher, start, isWide } = reading
  const { bus, channels, waiters } = realm
  // The place comes first: whatever is deleted behind it is then met in reading, and what was before it is known here.
  const place = await bus.locate(matcher, start)
  const deletedSeqs = new Map<string, number>()
  for (const name of matcher.paths) {
    const deletedSeq = await channels.deletedSeq(name)
    deletedSeqs.set(name, deletedSeq)
    if (await channels.exists(name, deletedSeq)) continue
    if (!createsOnGet) throw unknownChannel()
    await channels.create(name)
  }
  const progress = await openProgress(realm, reading, place, deletedSeqs)
  const message = await findNext(realm, reading, progress, deletedSeqs)
  if (message !== null) {
    exchange.send(200, progress.withResume(waiters.headersOf(message, isWide)), message.body)
  } else if (isLong) {
    waiters.add(exchange, { matcher, start, isWide, progress })
  } else {
    exchange.answer(304, progress.withResume(VARY))
  }
}

/** @throws {MsgbusError} `MSGBUS_CHANNEL_NAME`, `MSGBUS_CURSOR`. */
function readRequest({ target, req }: Exchange, id: string): Reading {
  const further = target.query.split('&').filter(piece => piece.startsWith('channel='))
  const ids = [id, ...further.map(piece => piece.slice('channel='.length))]
  if (ids.length > MAX_CHANNELS) {
    const text = `Cannot read ${ids.length} channels at once: at most ${MAX_CHANNELS} allowed`
    throw new MsgbusError('MSGBUS_CHANNEL_NAME', text)
  }
  const isWide = further.length > 0
  return {
    matcher: { paths: [...new Set(ids.map(channelOf))].sort(), isWide },
    start: isWide ? readId(req.headers) : readMoment(req.headers),
    isWide,
  }
}

async function openProgress(
  { bus }: Realm,
  { matcher }: Reading,
  place: Place,
  deletedSeqs: ReadonlyMap<string, number>,
): Promise<Progress> {
  const deletedSeq = Math.min(...deletedSeqs.values())
  if (deletedSeq === 0) return new Progress(place)
  const cursor = { epoch: bus.position.epoch, seq: deletedSeq }
  const behind = await bus.locate(matcher, { kind: 'after', cursor })
  // What was deleted is not missing: of two places, less is missing behind the later one.
  const isLater = place.isReset || (!behind.isReset && behind.missedCount < place.missedCount)
  return new Progress({ ...(isLater ? behind : place), seq: Math.max(place.seq, deletedSeq) })
}

/**
 * The first message behind a place, null if the reader has caught up.
 * @throws {MsgbusError} `MSGBUS_GONE` for a tombstone that came meanwhile.
 */
async function findNext(
  { bus }: Realm,
  { matcher, start }: Reading,
  progress: Progress,
  deletedSeqs: ReadonlyMap<string, number>,
): Promise<Message | null> {
  const maxCount = matcher.paths.length === 1 ? 1 : WIDE_PAGE_COUNT
  while (progress.seq < bus.position.seq) {
    const page = await bus.read(matcher, { afterSeq: progress.seq, maxCount, mark: progress.mark })
    progress.pass(page)
    for (const message of page.messages) {
      if (message.seq <= (deletedSeqs.get(message.channel) ?? 0)) continue
      if (isTombstone(message)) throw deletedChannel()
      if (isWanted(message, start)) return message
    }
  }
  return null
}
