// The statistics stream: one line of JSON a second, made once for all who read, by a clock that runs only while somebody
// does. What is in a line is made in `snapshot.ts`.

import type { Bus } from '../../bus/bus.ts'
import type { Census } from '../../bus/census.ts'
import type { Batch, Encoder, Sink } from '../../bus/sink.ts'
import { assemble } from '../../http/chunk.ts'
import { type Exchange, isChunked } from '../../http/exchange.ts'
import type { Streams } from '../../http/streams.ts'
import { hasWord } from '../../http/target.ts'
import type { Message } from '../../message.ts'
import { changesLine, type Snapshot, takeSnapshot, wholeLine } from './snapshot.ts'

export interface StatisticsOptions {
  readonly bus: Bus
  readonly streams: Streams
  /** Of the other processes that serve this bus. */
  readonly census: () => Census
}

const PERIOD_MS = 1_000
const CONTENT_TYPE = 'application/x-ndjson'

export class Statistics {
  readonly #options: StatisticsOptions
  // Lines differ only by how they are cut into chunks.
  readonly #groups = [new Group(false), new Group(true)] as const
  #clock: NodeJS.Timeout | undefined
  #last: Snapshot | null = null

  constructor(options: StatisticsOptions) {
    this.#options = options
  }

  /** @throws {MsgbusError} as {@link Streams.open}. */
  async answer(exchange: Exchange): Promise<void> {
    if (exchange.method === 'HEAD') {
      exchange.answer(200, ['Content-Type', CONTENT_TYPE])
    } else if (hasWord(exchange.target.query, 'poll')) {
      const line = wholeLine(await this.#take())
      exchange.send(200, ['Content-Type', CONTENT_TYPE], Buffer.from(`${line}\n`))
    } else {
      await this.#stream(exchange)
    }
  }

  async #stream(exchange: Exchange): Promise<void> {
    const { streams } = this.#options
    const group = this.#groups[isChunked(exchange) ? 1 : 0]
    const now = this.#last ?? (await this.#take())
    await streams.open(exchange, () => ({
      conversation: streams.answer(exchange, {
        contentType: CONTENT_TYPE,
        headers: [],
        opening: '',
        closing: '',
      }),
      // A line tells what has changed since the one before: a reader that loses one has to begin anew.
      slow: 'close',
      encoder: group,
      repeatsLast: false,
      // There is a line every second.
      ping: () => null,
      subscribe: sink => this.#subscribe(group, sink, now),
      onClose: () => undefined,
    }))
  }

  #subscribe(group: Group, sink: Sink, now: Snapshot): { close(): void } {
    // The one that the next line is compared with, though it may be almost a second old.
    this.#last ??= now
    sink.write(group.batch(wholeLine(this.#last)))
    group.sinks.add(sink)
    this.#clock ??= setInterval(() => {
      // A store that does not answer is told about by whoever has it; here the next line may be there again.
      this.#tick().catch(() => undefined)
    }, PERIOD_MS)
    return {
      close: () => {
        group.sinks.delete(sink)
        if (this.#groups.every(({ sinks }) => sinks.size === 0)) this.#stop()
      },
    }
  }

  async #tick(): Promise<void> {
    const clock = this.#clock
    const now = await this.#take()
    // Everybody has left meanwhile.
    if (this.#clock !== clock) return
    const line = changesLine(this.#last ?? now, now)
    this.#last = now
    for (const group of this.#groups) group.write(line)
  }

  #stop(): void {
    clearInterval(this.#clock)
    this.#clock = undefined
    this.#last = null
  }

  #take(): Promise<Snapshot> {
    const { bus, census } = this.#options
    return takeSnapshot(bus, census())
  }
}

/** Readers that get the same bytes. */
class Group implements Encoder {
  readonly sinks = new Set<Sink>()
  readonly #isChunked: boolean

  constructor(isChunked: boolean) {
    this.#isChunked = isChunked
  }

  write(line: string): void {
    if (this.sinks.size === 0) return
    const batch = this.batch(line)
    for (const sink of this.sinks) sink.write(batch)
  }

  /** To a sink, a line is a message like any other. */
  batch(line: string): Batch {
    const message: Message = {
      ...{ id: '', seq: 0, channel: '', time: 0, ordinal: 0, type: CONTENT_TYPE, sender: null },
      body: Buffer.from(line),
    }
    const bytes = this.encode(message)
    return { messages: [message], bytes, firstByteCount: bytes.length }
  }

  encode({ body }: Message): Uint8Array {
    return assemble({ head: '', body, tail: '\n' }, this.#isChunked)
  }
}
