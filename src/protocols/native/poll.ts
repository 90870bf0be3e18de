// Answers that have an end: what is there behind a place, or the first that comes within a while. Each says where the next
// one has to begin, so that nothing is lost between two of them.

import { setMaxListeners } from 'node:events'
import type { Batch, Pace, Sink } from '../../bus/sink.ts'
import { MsgbusError } from '../../errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Place } from '../../store/store.ts'
import { Forms, noticeOf, openingOf, type StreamReader } from './forms.ts'
import type { NativeOptions } from './options.ts'
import type { PartEncoder } from './part-encoder.ts'
import { placeHeaders } from './position.ts'
import type { Reader } from './reader.ts'
import type { Reading } from './reading.ts'

// One answer is held in memory as a whole; who wants more asks again.
const MAX_ANSWER_BYTES = 1024 * 1024

/** Batches, and how far they go. */
interface Found {
  readonly batches: readonly Batch[]
  readonly seq: number
}

export class Poller {
  readonly #options: NativeOptions
  readonly #forms: Forms

  constructor(options: NativeOptions, forms: Forms) {
    this.#options = options
    this.#forms = forms
    setMaxListeners(0, options.streams.closing)
  }

  /**
   * Answers 200 with messages, or 204.
   * @param waitMs How long to wait if nothing is there; 0 not to.
   * @throws {MsgbusError} `MSGBUS_QUERY` for a form that has no end.
   */
  async answer(exchange: Exchange, reading: Reading, waitMs: number): Promise<void> {
    const { bus } = this.#options
    const { matcher } = reading
    const reader = finiteReader(reading.reader)
    const encoder = this.#forms.encoder(reader, matcher.isWide, false)
    const start = reading.start ?? { kind: waitMs > 0 ? 'now' : 'all' }
    const place = await bus.locate(matcher, start)
    const { batches, seq } = await this.#find(exchange, reading, encoder, place, waitMs)
    const notice = noticeOf(encoder.format, place)
    const headers = placeHeaders(bus.position.epoch, { ...place, seq }, reading.start)
    if (batches.length === 0 && notice === '') {
      exchange.answer(204, headers)
      return
    }
    const { format } = encoder
    const text = Buffer.from(`${openingOf(reader, format)}${notice}`, 'latin1')
    const body = Buffer.concat([text, ...withEnd(batches, format)])
    exchange.send(200, [...headers, 'Content-Type', format.contentType], body)
  }

  async #find(
    { res }: Exchange,
    { matcher, filter }: Reading,
    encoder: PartEncoder,
    place: Place,
    waitMs: number,
  ): Promise<Found> {
    const { bus, streams } = this.#options
    const gathering = new Gathering(place.seq, waitMs)
    const { giveUp } = gathering
    streams.closing.addEventListener('abort', giveUp, { once: true })
    res.once('close', giveUp)
    if (streams.closing.aborted || res.destroyed) giveUp()
    const subscription = bus.subscribe({
      ...{ matcher, filter, encoder, sink: gathering, afterSeq: place.seq, mark: place.mark },
      onCaughtUp: () => {
        gathering.goLive(bus.position.seq)
      },
      onFault: gathering.fail,
    })
    try {
      return await gathering.found
    } finally {
      subscription.close()
      streams.closing.removeEventListener('abort', giveUp)
      res.off('close', giveUp)
    }
  }
}

/** Takes batches until there are enough. */
class Gathering implements Sink, Pace {
  readonly found: Promise<Found>
  readonly #batches: Batch[] = []
  readonly #waitMs: number
  #resolve: (found: Found) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined
  #timer: NodeJS.Timeout | undefined
  #seq: number
  #byteCount = 0
  #isLive = false
  #isOver = false

  constructor(afterSeq: number, waitMs: number) {
    this.#seq = afterSeq
    this.#waitMs = waitMs
    this.found = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get pace(): Pace {
    return this
  }

  get isBusy(): boolean {
    return this.#byteCount >= MAX_ANSWER_BYTES
  }

  // It is never ready again: what is here is the answer.
  onceReady(): void {
    this.giveUp()
  }

  // What is here is in one piece up to its position; the next answer begins there and tells what has gone behind it.
  skip(): void {
    this.giveUp()
  }

  write(batch: Batch): void {
    if (this.#isOver) return
    this.#batches.push(batch)
    this.#byteCount += batch.bytes.length
    this.#seq = batch.messages.at(-1)?.seq ?? this.#seq
    if (this.#isLive) this.giveUp()
  }

  /** @param seq Of the newest message of the bus: up to there everything is here. */
  goLive(seq: number): void {
    if (this.#isOver) return
    this.#isLive = true
    this.#seq = seq
    if (this.#batches.length > 0 || this.#waitMs === 0) this.giveUp()
    else this.#timer = setTimeout(this.giveUp, this.#waitMs)
  }

  /** Ends it with what is here. */
  readonly giveUp = (): void => {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#resolve({ batches: this.#batches, seq: this.#seq })
  }

  readonly fail = (error: unknown): void => {
    clearTimeout(this.#timer)
    this.#reject(error)
  }
}

/**
 * The form of an answer that has an end: those for programs alone, since what browsers show part by part has none.
 * @throws {MsgbusError} `MSGBUS_QUERY` for a form that has no end.
 */
export function finiteReader(reader: Reader): StreamReader {
  switch (reader) {
    case 'program':
    case 'document':
    case 'page':
      return 'mixed'
    case 'mixed':
    case 'lines':
    case 'events':
    case 'envelope events':
      return reader
    case 'picture':
    case 'frames':
    case 'envelope frames':
    case '2008':
      throw new MsgbusError(
        'MSGBUS_QUERY',
        'Cannot end an answer in this form: ask with as=mixed, ndjson or sse',
      )
  }
}

function withEnd(
  batches: readonly Batch[],
  { tail, lastTail }: PartEncoder['format'],
): readonly Uint8Array[] {
  const last = batches.at(-1)
  if (last === undefined) return []
  const withoutTail = last.bytes.subarray(0, last.bytes.length - tail.length)
  return [...batches.slice(0, -1).map(({ bytes }) => bytes), withoutTail, Buffer.from(lastTail, 'latin1')]
}
