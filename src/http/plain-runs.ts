// Finds requests to publish in what was read of a connection: as many as came together, each as a draft of its message. It reads
// and writes nothing itself, and leaves to others what is not plain.

import type { Socket } from 'node:net'
import type { Draft, Message } from '../message.ts'
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

/** What is to be done with all requests that have one head. */
export interface PlainRoute {
  readonly publisher: PlainPublisher
  /** Makes a message of a body that is nobody else's. */
  readonly draftOf: (body: Uint8Array) => Draft
  /** Makes a body of the bytes between `from` and `end`, which stay as they are. */
  readonly copyOf: (bytes: Buffer, from: number, end: number) => Uint8Array
}

/** A head that was read, which is very often the next one too. */
export interface Head {
  /** With the empty line behind it. */
  readonly bytes: Buffer
  readonly bodyByteCount: number
  readonly route: PlainRoute
}

/** Requests that came together. */
export interface Run {
  readonly publisher: PlainPublisher | null
  readonly drafts: readonly Draft[]
  /** Of the last one, in the bytes that they were taken from. */
  readonly end: number
  /** Of what comes behind: not whole yet, not plain, or plain for somebody else. */
  readonly next: 'unfinished' | 'other' | 'plain'
  /** Of what is unfinished; null as long as the head is not whole. */
  readonly head: Head | null
}

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
      if (head === null) return { publisher, drafts, end: at, next: 'other', head }
      if (head === undefined) break
      const { bodyByteCount, route } = head
      const from = at + head.bytes.length
      const end = from + bodyByteCount
      if (end > bytes.length) return { publisher, drafts, end: at, next: 'unfinished', head }
      publisher ??= route.publisher
      if (publisher !== route.publisher) return { publisher, drafts, end: at, next: 'plain', head }
      drafts.push(route.draftOf(route.copyOf(bytes, from, end)))
      at = end
    }
    return { publisher, drafts, end: at, next: 'unfinished', head: null }
  }

  /** @returns undefined for a head that is not whole, null for one that is not plain. */
  #headAt(bytes: Buffer, at: number): Head | null | undefined {
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
    const headBytes = Buffer.from(bytes.subarray(at, end + HEAD_END.length))
    this.#head = { bytes: headBytes, bodyByteCount: head.bodyByteCount, route }
    return this.#head
  }
}
