// Finds requests to publish in what was read of a connection: as many as came together, each as a draft of its message. It reads
// and writes nothing itself, and leaves to others what is not plain.

import type { Socket } from 'node:net'
import type { Draft, Message } from '../message.ts'
import type { StreamConsumer } from './plain-stream.ts'
import { MAX_PLAIN_HEAD_BYTES, parsePlainHead, type PlainHead } from './plain-head.ts'

/** Where plain publishes go. */
export interface PlainPublisher {
  /**
   * Publishes messages that came together: all of them in this order, or none.
   * @returns What they have become, at once or when they are kept. What it throws has published nothing; what it rejects
   *   with may have.
   */
  publishAll(drafts: readonly Draft[], socket: Socket): readonly Message[] | Promise<readonly Message[]>
}

/** What is to be done with requests whose body is one message, all that have one head. */
export interface MessageRoute {
  readonly kind: 'message'
  readonly publisher: PlainPublisher
  /** Makes a message of a body that is nobody else's. */
  readonly draftOf: (body: Uint8Array) => Draft
  /** Makes a body of the bytes between `from` and `end`, which stay as they are. */
  readonly copyOf: (bytes: Buffer, from: number, end: number) => Uint8Array
}

/** What is to be done with a request whose body is a stream of messages. */
export interface StreamRoute {
  readonly kind: 'stream'
  readonly consumer: StreamConsumer
}

export type PlainRoute = MessageRoute | StreamRoute

/** A head that was read, which is very often the next one too. */
export interface Head {
  /** With the empty line behind it. */
  readonly bytes: Buffer
  readonly bodyByteCount: number
  readonly route: MessageRoute
}

/** A head behind which everything is one body. */
interface StreamHead {
  readonly byteCount: number
  readonly route: StreamRoute
}

/** Requests that came together. */
export interface Run {
  readonly publisher: PlainPublisher | null
  readonly drafts: readonly Draft[]
  /** Of the last one, in the bytes that they were taken from. */
  readonly end: number
  readonly next: Next
}

/** What comes behind a run. */
export type Next =
  /** Nothing, or not yet all of a request; its head, once that is whole. */
  | { readonly kind: 'unfinished'; readonly head: Head | null }
  /** What is not plain. */
  | { readonly kind: 'other' }
  /** Another run. */
  | { readonly kind: 'run' }
  /** A body that is a stream, so many bytes further on. */
  | { readonly kind: 'stream'; readonly headByteCount: number; readonly route: StreamRoute }

const OTHER: Next = { kind: 'other' }
const RUN: Next = { kind: 'run' }
const NOTHING_WHOLE: Next = { kind: 'unfinished', head: null }

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1')

/** The requests of one connection. */
export class PlainRuns {
  readonly #resolve: (head: PlainHead) => PlainRoute | null
  #head: Head | null = null

  /** @param resolve Finds what is to be done with all requests that have this head; null for what is left to others. */
  constructor(resolve: (head: PlainHead) => PlainRoute | null) {
    this.#resolve = resolve
  }

  /** Takes as many requests as there are, from the beginning. */
  take(bytes: Buffer): Run {
    const drafts: Draft[] = []
    let publisher: PlainPublisher | null = null
    let at = 0
    while (at < bytes.length) {
      const head = this.#headAt(bytes, at)
      if (head === null) return { publisher, drafts, end: at, next: OTHER }
      if (head === undefined) break
      if (!('bodyByteCount' in head)) {
        const { byteCount, route } = head
        return { publisher, drafts, end: at, next: { kind: 'stream', headByteCount: byteCount, route } }
      }
      const { bodyByteCount, route } = head
      const from = at + head.bytes.length
      const end = from + bodyByteCount
      if (end > bytes.length) return { publisher, drafts, end: at, next: { kind: 'unfinished', head } }
      publisher ??= route.publisher
      if (publisher !== route.publisher) return { publisher, drafts, end: at, next: RUN }
      drafts.push(route.draftOf(route.copyOf(bytes, from, end)))
      at = end
    }
    return { publisher, drafts, end: at, next: NOTHING_WHOLE }
  }

  /** @returns undefined for a head that is not whole, null for one that is not plain. */
  #headAt(bytes: Buffer, at: number): Head | StreamHead | null | undefined {
    const known = this.#head
    if (known !== null) {
      const end = at + known.bytes.length
      if (end <= bytes.length && bytes.compare(known.bytes, 0, known.bytes.length, at, end) === 0)
        return known
    }
    const end = bytes.indexOf(HEAD_END, at)
    const byteCount = (end < 0 ? bytes.length : end) - at
    if (byteCount > MAX_PLAIN_HEAD_BYTES) return null
    if (end < 0) return undefined
    const head = parsePlainHead(bytes.toString('latin1', at, end))
    const route = head === null ? null : this.#resolve(head)
    if (head === null || route === null) return null
    const { bodyByteCount } = head
    if (route.kind === 'stream') return { byteCount: byteCount + HEAD_END.length, route }
    if (bodyByteCount === null) return null
    const headBytes = Buffer.from(bytes.subarray(at, end + HEAD_END.length))
    this.#head = { bytes: headBytes, bodyByteCount, route }
    return this.#head
  }
}
