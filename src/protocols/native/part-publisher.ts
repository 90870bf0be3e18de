// Publishes the parts of a multipart body, each as soon as it is complete, for as long as the request lasts: a camera
// that pushes frames, a bridge from another bus. Reading parts is the codec's; this file says what they mean.

import { decodeChannel } from '../../channel.ts'
import { LenientOpening } from '../../codec/lenient-opening.ts'
import { boundaryOf, MultipartParser, type Part } from '../../codec/multipart-parser.ts'
import { MsgbusError } from '../../errors.ts'
import type { Progress } from '../../http/intake.ts'
import type { StreamConsumer } from '../../http/plain-stream.ts'
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

// Parts that are published and not kept yet, with what each costs besides its body.
const MAX_WAITING_BYTES = 1024 * 1024
const PROMISE_BYTES = 1024

const LOCATION_PREFIX = '/msgbus/'

// As Node's parser has it for request targets. Header lines are read as one character per byte: UTF-8 that is not
// percent-encoded would become another name.
const NOT_IN_A_PATH = /[^\x21-\x7e]|[?#]/

export class PartPublisher implements StreamConsumer {
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

  onBytes(bytes: Uint8Array): void {
    this.#parser.push(bytes)
    if (this.#parser.hasBegun && !this.#parser.isInsidePart) this.#dueSinceMs = null
    else this.#dueSinceMs ??= performance.now()
  }

  get heldByteCount(): number {
    return this.#parser.bufferedByteCount
  }

  progress(): Progress | null {
    if (this.#dueSinceMs === null || this.#waiting.isMuch) return null
    return { startedMs: this.#dueSinceMs, byteCount: this.heldByteCount }
  }

  /** A publisher is no faster than what keeps its messages. */
  ready(): Promise<void> | null {
    return this.#waiting.isMuch ? this.#waiting.all() : null
  }

  /**
   * Says that the body is over, and waits until all of it is kept.
   * @returns Headers that say what was published.
   * @throws {MsgbusError} for the first part that cannot be published.
   */
  async end(): Promise<readonly string[]> {
    this.#parser.end()
    await this.#waiting.all()
    return countHeaders(this.#count, this.#last)
  }

  /** What was published before the first part that could not be stays published, and the error says how much that was. */
  explain(error: unknown): unknown {
    if (!(error instanceof MsgbusError) || this.#count === 0) return error
    const parts = this.#count === 1 ? '1 part before it was' : `${this.#count} parts before it were`
    return new MsgbusError(error.code, `${error.message}; ${parts} published`, { cause: error })
  }

  #publish({ headers, body }: Part): void {
    this.#dueSinceMs = null
    this.#waiting.check()
    if (headers.has('content-encoding')) {
      throw new MsgbusError('MSGBUS_CONTENT_ENCODING', 'Cannot publish an encoded part: send it as it is')
    }
    const channel = this.#channel ?? this.#channelOf(headers.get('content-location'))
    const kept = this.#options.publish(channel, headers.get('content-type') ?? '', body)
    if (kept instanceof Promise) this.#waiting.add(kept.then(this.#note), body.length)
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

/** What the answer says of several messages, name and value in turn. */
export function countHeaders(count: number, last: Message | undefined): readonly string[] {
  const headers = ['Msgbus-Count', `${count}`]
  return last === undefined ? headers : ['Msgbus-Id', last.id, ...headers]
}

/** Promises whose first failure is to be thrown by whoever looks next, and by nobody else. */
class Waiting {
  readonly #promises = new Set<Promise<void>>()
  #byteCount = 0
  #fault: { readonly error: unknown } | null = null

  /** @param byteCount What it keeps in memory. */
  add(promise: Promise<void>, byteCount: number): void {
    this.#byteCount += byteCount + PROMISE_BYTES
    const settled = promise
      .catch((error: unknown) => {
        this.#fault ??= { error }
      })
      .finally(() => {
        this.#promises.delete(settled)
        this.#byteCount -= byteCount + PROMISE_BYTES
      })
    this.#promises.add(settled)
  }

  get isMuch(): boolean {
    return this.#byteCount > MAX_WAITING_BYTES
  }

  check(): void {
    if (this.#fault !== null) throw this.#fault.error
  }

  async all(): Promise<void> {
    await Promise.all(this.#promises)
    this.check()
  }
}
