// Subscribing: from a GET to a stream of parts in the form its reader needs. How a stream behaves once it runs is
// `http/streams.ts`, what a part looks like `codec/multipart.ts`.

import { Filter } from '../../filter.ts'
import { parseMatcher } from '../../matcher.ts'
import {
  documentFormat,
  format2008,
  type PartFormat,
  pictureFormat,
  standardFormat,
} from '../../codec/multipart.ts'
import { MsgbusError } from '../../errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import { SLOW_POLICIES, type SlowPolicy } from '../../http/stream-sink.ts'
import { isChunked } from '../../http/streams.ts'
import { parseQuery } from '../../http/target.ts'
import type { NativeOptions } from './options.ts'
import { PartEncoder } from './part-encoder.ts'
import { chooseReader, type Reader } from './reader.ts'
import { loadViewer, type Viewer } from './viewer.ts'

type StreamReader = Exclude<Reader, 'page'>

export class Subscriber {
  readonly #options: NativeOptions
  readonly #viewer: Viewer
  // Shared by all streams that are written alike: this is what makes a message be encoded once.
  readonly #encoders = new Map<string, PartEncoder>()

  constructor(options: NativeOptions) {
    this.#options = options
    this.#viewer = loadViewer()
  }

  /** @throws {MsgbusError} before anything is answered. */
  async subscribe(exchange: Exchange, rest: string): Promise<void> {
    const { bus, streams, log } = this.#options
    const { matcher, filter, reader, slow } = this.#read(exchange, rest)
    if (reader === 'page') {
      exchange.page(this.#viewer.html, this.#viewer.contentSecurityPolicy)
      return
    }
    const encoder = this.#encoder(reader, matcher.isWide, isChunked(exchange))
    const fields = {
      peer: exchange.req.socket.remoteAddress ?? '',
      user: exchange.credentials?.user ?? null,
      channel: rest,
      filter: exchange.target.query,
    }
    await streams.open({
      exchange,
      ...encoder.format,
      slow,
      encoder,
      subscribe: sink => {
        log.write('info', 'sub', fields)
        return bus.subscribe({ matcher, filter, encoder, sink })
      },
      onClose: () => {
        log.write('info', 'unsub', fields)
      },
    })
  }

  /**
   * Answers HEAD: the headers of the stream, without it.
   * @throws {MsgbusError} as {@link subscribe}.
   */
  describe(exchange: Exchange, rest: string): void {
    const { reader } = this.#read(exchange, rest)
    if (reader === 'page') {
      exchange.page(this.#viewer.html, this.#viewer.contentSecurityPolicy)
      return
    }
    const { contentType } = this.#encoder(reader, false, isChunked(exchange)).format
    exchange.answer(200, ['Content-Type', contentType])
  }

  #read(exchange: Exchange, rest: string) {
    const query = parseQuery(exchange.target.query)
    const reader = chooseReader(exchange.req.headers, query, this.#options.framing)
    return {
      matcher: parseMatcher(rest),
      filter: new Filter({ type: query.get('type'), sender: query.get('sender') }),
      reader,
      slow: slowPolicy(query.get('slow'), reader),
    }
  }

  #encoder(reader: StreamReader, isWide: boolean, isChunkedStream: boolean): PartEncoder {
    const key = `${reader} ${isWide} ${isChunkedStream}`
    const known = this.#encoders.get(key)
    if (known !== undefined) return known
    const format = this.#format(reader, isChunkedStream)
    const encoder = new PartEncoder({ format, isWide, isChunked: isChunkedStream })
    this.#encoders.set(key, encoder)
    return encoder
  }

  #format(reader: StreamReader, isChunkedStream: boolean): PartFormat {
    const { boundary } = this.#options.bus
    switch (reader) {
      case 'program':
        return standardFormat(boundary)
      case 'document':
        return documentFormat(boundary)
      case 'picture':
        return pictureFormat(boundary)
      case '2008':
        return format2008(!isChunkedStream)
    }
  }
}

// Of a picture only the newest counts. Anything else is worth keeping in order, and a loss is told with the next part.
function slowPolicy(text: string | undefined, reader: Reader): SlowPolicy {
  if (text === undefined) return reader === 'picture' ? 'latest' : 'drop'
  const policy = SLOW_POLICIES.find(known => known === text)
  if (policy === undefined)
    throw new MsgbusError('MSGBUS_QUERY', `Cannot read "slow" in the query: expected drop, latest or close`)
  return policy
}
