// Publishes the parts of a multipart body, each as soon as it is complete, for as long as the request lasts: a camera
// that pushes frames, a bridge from another bus. Reading parts is the codec's; this file says what they mean.

import { decodeChannel } from '../../channel.ts'
import { LenientOpening } from '../../codec/lenient-opening.ts'
import { boundaryOf, MultipartParser, type Part } from '../../codec/multipart-parser.ts'
import { MsgbusError } from '../../errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Intake } from '../../http/intake.ts'
import type { Message } from '../../message.ts'
import type { Awaitable } from '../../store/store.ts'
import { decodeOne } from './one-channel.ts'

export interface PartPublisherOptions {
  /** The path behind the prefix: one channel, or a name ending in `/` (or nothing) below which parts name their own. */
  readonly rest: string
  /** Content-Type of the request; empty when it has none. */
  readonly type: string
  readonly maxBodyBytes: number
  publish(channel: string, type: string, body: Uint8Array): Awaitable<Message>
  /** Called for each message once it is kept, in order. */
  onPublished(message: Message): void
}

const LOCATION_PREFIX = '/msgbus/'

// As Node's parser has it for request targets. Header lines are read as one character per byte: UTF-8 that is not
// percent-encoded would become another name.
const NOT_IN_A_PATH = /[^\x21-\x7e]|[?#]/

export class PartPublisher {
  readonly #options: PartPublisherOptions
  readonly #parser: MultipartParser
  readonly #channel: string | null
  // What the names of parts must begin with, where the URL names no channel.
  readonly #tree: string | null = ''
  #last: Message | undefined
  #count = 0
  readonly #waiting = new Waiting()
  // Since when something is due: the first boundary, or the rest of a part.
  #dueSinceMs: number | null = performance.now()

  constructor(options: PartPublisherOptions) {
    this.#options = options
    const { rest, maxBodyBytes } = options
    if (rest !== '') this.#tree = rest.endsWith('/') ? `${decodeOne(rest.slice(0, -1))}/` : null
    this.#channel = rest === '' || rest.endsWith('/') ? null : decodeOne(rest)
    // Without a boundary in the type, the first line of the body is it.
    this.#parser = new MultipartParser({
      boundary: new LenientOpening(boundaryOf(options.type)),
      maxBodyBytes,
      onPart: part => {
        this.#publish(part)
      },
    })
  }

  /** How many were published. */
  get count(): number {
    return this.#count
  }

  get last(): Message | undefined {
    return this.#last
  }

  /**
   * Publishes part by part until the request ends.
   * @throws {MsgbusError} as {@link Intake.stream}, and for the first part that cannot be published. What was published
   *   before it stays published, and the error says how much that was.
   */
  async take(exchange: Exchange, intake: Intake): Promise<void> {
    try {
      await intake.stream(exchange, Infinity, {
        onBytes: bytes => {
          this.#parser.push(bytes)
          if (this.#parser.hasBegun && !this.#parser.isInsidePart) this.#dueSinceMs = null
          else this.#dueSinceMs ??= performance.now()
        },
        held: () =>
          this.#dueSinceMs === null
            ? null
            : { startedMs: this.#dueSinceMs, byteCount: this.#parser.bufferedByteCount },
      })
      this.#parser.end()
      await this.#waiting.all()
    } catch (error) {
      if (!(error instanceof MsgbusError) || this.#count === 0) throw error
      const parts = this.#count === 1 ? '1 part before it was' : `${this.#count} parts before it were`
      throw new MsgbusError(error.code, `${error.message}; ${parts} published`, { cause: error })
    }
  }

  #publish({ headers, body }: Part): void {
    this.#dueSinceMs = null
    this.#waiting.check()
    if (headers.has('content-encoding')) {
      throw new MsgbusError('MSGBUS_CONTENT_ENCODING', 'Cannot publish an encoded part: send it as it is')
    }
    const channel = this.#channel ?? this.#channelOf(headers.get('content-location'))
    const kept = this.#options.publish(channel, headers.get('content-type') ?? '', body)
    if (kept instanceof Promise) this.#waiting.add(kept.then(this.#note))
    else this.#note(kept)
  }

  readonly #note = (message: Message): void => {
    this.#last = message
    this.#count++
    this.#options.onPublished(message)
  }

  #channelOf(location: string | undefined): string {
    if (location?.startsWith(LOCATION_PREFIX) !== true || NOT_IN_A_PATH.test(location)) {
      const text = `Cannot publish this part: its Content-Location must be a path that begins with ${LOCATION_PREFIX}, since the URL names no channel`
      throw new MsgbusError('MSGBUS_CHANNEL_NAME', text)
    }
    const channel = decodeChannel(location.slice(LOCATION_PREFIX.length))
    if (!channel.startsWith(this.#tree ?? '')) {
      throw new MsgbusError(
        'MSGBUS_CHANNEL_NAME',
        'Cannot publish this part: its Content-Location is not below the channel of the URL',
      )
    }
    return channel
  }
}

/** Promises whose first failure is to be thrown by whoever looks next, and by nobody else. */
class Waiting {
  readonly #promises = new Set<Promise<void>>()
  #fault: { readonly error: unknown } | null = null

  add(promise: Promise<void>): void {
    const settled = promise
      .catch((error: unknown) => {
        this.#fault ??= { error }
      })
      .finally(() => this.#promises.delete(settled))
    this.#promises.add(settled)
  }

  check(): void {
    if (this.#fault !== null) throw this.#fault.error
  }

  async all(): Promise<void> {
    await Promise.all(this.#promises)
    this.check()
  }
}
