// Subscribing: from a GET to a stream in the form its reader needs, or to a finite answer. How a stream behaves once it
// runs is `http/streams.ts`, what a message looks like `codec/`.

import { MsgbusError } from '../../errors.ts'
import { type Exchange, isChunked } from '../../http/exchange.ts'
import type { StreamRequest } from '../../http/stream.ts'
import { describeFault, type LogFields } from '../../log.ts'
import type { Place } from '../../store/store.ts'
import { Forms, noticeOf, openingOf, type StreamReader } from './forms.ts'
import type { NativeOptions } from './options.ts'
import { finiteReader, Poller } from './poll.ts'
import type { PartEncoder } from './part-encoder.ts'
import { placeHeaders } from './position.ts'
import { logPublish, peerOf } from '../publish-log.ts'
import { type Reading, readRequest } from './reading.ts'
import { loadViewer, type Viewer } from './viewer.ts'
import { asksForWebSocket, type Peer, WebSockets } from './websocket.ts'

export class Subscriber {
  readonly #options: NativeOptions
  readonly #viewer: Viewer
  readonly #forms: Forms
  readonly #poller: Poller
  readonly #webSockets: WebSockets

  constructor(options: NativeOptions) {
    this.#options = options
    this.#viewer = loadViewer()
    this.#forms = new Forms(options.bus.boundary)
    this.#poller = new Poller(options, this.#forms)
    this.#webSockets = new WebSockets(options.maxBodyBytes)
  }

  /** @throws {MsgbusError} before anything is answered. */
  async subscribe(exchange: Exchange, rest: string): Promise<void> {
    const reading = readRequest(exchange, rest, this.#options.framing)
    const { reader, waitMs } = reading
    if (waitMs !== null) await this.#poller.answer(exchange, reading, waitMs)
    else if (reader === 'page') exchange.page(this.#viewer.html, this.#viewer.contentSecurityPolicy)
    else await this.#stream(exchange, rest, reading, reader)
  }

  async #stream(exchange: Exchange, rest: string, reading: Reading, reader: StreamReader): Promise<void> {
    const { bus, streams } = this.#options
    const { matcher, start } = reading
    const isSocket = asksForWebSocket(exchange.req)
    const encoder = this.#forms.encoder(reader, matcher.isWide, !isSocket && isChunked(exchange))
    const { format } = encoder
    const fields = {
      ...peerOf(exchange),
      channel: rest,
      filter: exchange.target.query,
    }
    await streams.open(exchange, async () => {
      const place = await bus.locate(matcher, start ?? { kind: 'now' })
      const opening = `${openingOf(reader, format)}${noticeOf(format, place)}`
      const headers = placeHeaders(bus.position.epoch, place, start)
      const conversation = isSocket
        ? this.#webSockets.open(exchange, opening, this.#peer(exchange, rest, reading))
        : streams.answer(exchange, { ...format, headers, opening })
      return { conversation, ...this.#request(reading, place, encoder, fields) }
    })
  }

  // In a method of its own, because what its functions can see is kept for as long as the stream.
  #request(
    { matcher, filter, slow }: Reading,
    place: Place,
    encoder: PartEncoder,
    fields: LogFields,
  ): Omit<StreamRequest, 'conversation'> {
    const { bus, log } = this.#options
    const { format } = encoder
    return {
      slow,
      encoder,
      repeatsLast: format.repeatsLast,
      ping: count => format.ping(count),
      subscribe: sink => {
        log.write('info', 'sub', fields)
        const onFault = (error: unknown): void => {
          // It comes back to where it was, and is told then what is gone.
          sink.abandon()
          if (error instanceof MsgbusError) log.write('info', 'sub.slow', { ...fields, reason: 'history' })
          else log.write('error', 'history.fault', { error: describeFault(error) })
        }
        const { seq: afterSeq, mark } = place
        return bus.subscribe({ matcher, filter, encoder, sink, afterSeq, mark, onFault })
      },
      onClose: () => {
        log.write('info', 'unsub', fields)
      },
    }
  }

  #peer(exchange: Exchange, rest: string, { reader, matcher }: Reading): Peer {
    const { bus, log, maxBodyBytes } = this.#options
    const fields = peerOf(exchange)
    return {
      content: reader === 'frames' ? 'raw' : 'envelope',
      channel: matcher.isWide ? null : (matcher.paths[0] ?? null),
      sender: fields.user,
      maxBodyBytes,
      publish: async draft => {
        const message = await bus.publish(draft)
        logPublish(log, fields, message)
        return message
      },
      onFault: code => {
        log.write('info', 'socket.refused', { ...fields, channel: rest, code })
      },
    }
  }

  /**
   * Answers HEAD: the headers of the stream, without it.
   * @throws {MsgbusError} as {@link subscribe}.
   */
  describe(exchange: Exchange, rest: string): void {
    const { reader, waitMs } = readRequest(exchange, rest, this.#options.framing)
    const form = waitMs === null ? reader : finiteReader(reader)
    if (form === 'page') {
      exchange.page(this.#viewer.html, this.#viewer.contentSecurityPolicy)
      return
    }
    const { contentType } = this.#forms.encoder(form, false, isChunked(exchange)).format
    exchange.answer(200, ['Content-Type', contentType])
  }
}
