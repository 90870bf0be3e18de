// Lends a store of this process to others (`remote-store.ts`): each is told every message, once and in order, and asks for
// the rest. Hot path: a message is encoded once for all of them, and what comes within a turn of the event loop leaves in
// one write.
//
// Publishers wait for those that take what they are given but lag. They do not wait for one that takes nothing at all: it
// is given up when too much waits for it.

import type { Socket } from 'node:net'
import { MsgbusError } from '../../errors.ts'
import type { Draft, Message } from '../../message.ts'
import type { Awaitable, ChannelRecord, Page, Store } from '../store.ts'
import { type Frame, HEAD_BYTES, jsonFrame, openFrame, writeHead } from './frames.ts'
import { Link } from './link.ts'
import { decodeDraft, encodeMessage, messageBytes } from './records.ts'
import {
  ASKING,
  type Hello,
  KNOWN,
  type PageHead,
  type Question,
  type Refusal,
  TELLING,
  WHOLE,
} from './words.ts'

// Of one page, at least one message.
const PAGE_BYTES = 4 * 2 ** 20

// One that takes nothing for so long is not waited for.
const STALL_MS = 1_000

const MAX_NOTES = 100_000

export interface HostOptions {
  /** What may wait for one that takes nothing before it is given up. Default 64 MiB. */
  readonly maxWaitingBytes?: number
}

/** Lends one store, whose follower it becomes. Whoever opened the store closes it. */
export class StoreHost {
  readonly #store: Store
  readonly #maxWaitingBytes: number
  readonly #links = new Set<Link>()
  readonly #heldAppends: (() => void)[] = []
  readonly #notes = new Map<string, number>()
  #stallTimer: NodeJS.Timeout | undefined

  constructor(store: Store, { maxWaitingBytes = 64 * 2 ** 20 }: HostOptions = {}) {
    this.#store = store
    this.#maxWaitingBytes = maxWaitingBytes
    store.follow(message => {
      this.#tell(message)
    })
  }

  /**
   * Serves whoever is at the other end of a socket, until it ends.
   * @param onStuck Called once if it takes nothing although too much waits for it; its socket is destroyed.
   */
  add(socket: Socket, onStuck: () => void): void {
    const { epoch, lastSeq, supports } = this.#store
    const link = new Link(socket, {
      onFrame: frame => {
        this.#take(link, frame)
      },
      onFlushed: () => {
        if (!link.isStalled || socket.writableLength <= this.#maxWaitingBytes) return
        socket.destroy()
        onStuck()
      },
      onTaken: () => {
        this.#goOn()
      },
      onEnd: () => {
        this.#links.delete(link)
        this.#goOn()
      },
    })
    const hello: Hello = { epoch, lastSeq, supports: [...supports] }
    link.send(jsonFrame(TELLING.hello, 0, hello))
    this.#links.add(link)
  }

  #tell(message: Message): void {
    const pieces = encodeMessage(message, HEAD_BYTES, bytes => {
      writeHead(bytes, TELLING.message, 0, messageBytes(message))
    })
    for (const link of this.#links) link.send(...pieces)
  }

  #take(link: Link, { kind, request, content }: Frame): void {
    if (kind === ASKING.append) {
      const append = (): void => {
        this.#append(link, request, content)
      }
      if (this.#heldAppends.length > 0 || this.#isLagging()) this.#hold(append)
      else append()
      return
    }
    const question = JSON.parse(content.toString()) as Question
    this.#answer(link, request, () => this.#find(question))
  }

  #append(link: Link, request: number, content: Buffer): void {
    const drafts: Draft[] = []
    for (let start = 0; start < content.length;) {
      const { value, end } = decodeDraft(content, start)
      drafts.push({ ...value, body: ownBytes(value.body) })
      start = end
    }
    this.#answer(link, request, () => {
      const kept = this.#store.append(drafts)
      return kept instanceof Promise ? kept.then(toAppended) : toAppended(kept)
    })
  }

  #answer(link: Link, request: number, find: () => Awaitable<Answer>): void {
    const send = ({ kind, pieces, byteCount }: Answer): void => {
      link.send(openFrame(kind, request, byteCount), ...pieces)
    }
    const refuse = (error: unknown): void => {
      link.send(jsonFrame(TELLING.refused, request, toRefusal(error)))
    }
    try {
      const answer = find()
      if (answer instanceof Promise) answer.then(send).catch(refuse)
      else send(answer)
    } catch (error) {
      refuse(error)
    }
  }

  async #find(question: Question): Promise<Answer> {
    switch (question.call) {
      case 'locate':
        return toAnswer(await this.#store.locate(question.paths, question.start))
      case 'read':
        return toPage(await this.#store.read(question.page), question.knownSeq)
      case 'channels':
        return toAnswer([...(await this.#store.channels())].map(toRecord))
      case 'get note':
        return toAnswer(this.#notes.get(question.name) ?? null)
      case 'set note':
        this.#setNote(question.name, question.value)
        return toAnswer(null)
    }
  }

  #setNote(name: string, value: number): void {
    this.#notes.delete(name)
    this.#notes.set(name, value)
    if (this.#notes.size <= MAX_NOTES) return
    for (const oldest of this.#notes.keys()) {
      this.#notes.delete(oldest)
      return
    }
  }

  #isLagging(): boolean {
    for (const link of this.#links) if (link.isLagging && !link.isStalled) return true
    return false
  }

  #hold(append: () => void): void {
    this.#heldAppends.push(append)
    this.#stallTimer ??= setInterval(() => {
      for (const link of this.#links) link.checkStall()
      this.#goOn()
    }, STALL_MS)
  }

  #goOn(): void {
    while (this.#heldAppends.length > 0 && !this.#isLagging()) this.#heldAppends.shift()?.()
    if (this.#heldAppends.length > 0) return
    clearInterval(this.#stallTimer)
    this.#stallTimer = undefined
  }
}

interface Answer {
  readonly kind: number
  readonly pieces: readonly Uint8Array[]
  readonly byteCount: number
}

function toAnswer(value: unknown): Answer {
  const content = Buffer.from(JSON.stringify(value))
  return { kind: TELLING.answer, pieces: [content], byteCount: content.length }
}

function toAppended(messages: readonly Message[]): Answer {
  const content = Buffer.allocUnsafe(12)
  content.writeDoubleBE(messages[0]?.seq ?? 0, 0)
  content.writeUInt32BE(messages.length, 8)
  return { kind: TELLING.appended, pieces: [content], byteCount: content.length }
}

function toPage(whole: Page, knownSeq: number): Answer {
  const { messages, seq, lostCount, mark } = cut(whole)
  const headBytes = Buffer.from(JSON.stringify({ seq, lostCount, mark } satisfies PageHead))
  const lengthBytes = Buffer.allocUnsafe(4)
  lengthBytes.writeUInt32BE(headBytes.length, 0)
  const pieces = [
    lengthBytes,
    headBytes,
    ...messages.flatMap(message => {
      if (message.seq < knownSeq) {
        return encodeMessage(message, 1, bytes => {
          bytes.writeUInt8(WHOLE, 0)
        })
      }
      const known = Buffer.allocUnsafe(9)
      known.writeUInt8(KNOWN, 0)
      known.writeDoubleBE(message.seq, 1)
      return [known]
    }),
  ]
  return { kind: TELLING.page, pieces, byteCount: pieces.reduce((sum, { length }) => sum + length, 0) }
}

// So much of a page as may wait for a reader.
function cut(page: Page): Page {
  let byteCount = 0
  const end = page.messages.findIndex(({ body }, at) => {
    byteCount += body.length
    return at > 0 && byteCount > PAGE_BYTES
  })
  if (end === -1) return page
  const messages = page.messages.slice(0, end)
  return { ...page, messages, seq: messages.at(-1)?.seq ?? page.seq }
}

// Of a message, the length of its body alone.
function toRecord({ name, messageCount, byteCount, keptCount, newest }: ChannelRecord): ChannelRecord {
  return {
    ...{ name, messageCount, byteCount, keptCount },
    newest: newest === undefined ? undefined : { ...newest, body: { length: newest.body.length } },
  }
}

// What is kept must not keep everything that came with it.
function ownBytes(body: Uint8Array): Uint8Array {
  if (body.buffer.byteLength <= 2 * body.length) return body
  const own = Buffer.allocUnsafeSlow(body.length)
  own.set(body)
  return own
}

function toRefusal(error: unknown): Refusal {
  const message = error instanceof Error ? error.message : String(error)
  return { code: error instanceof MsgbusError ? error.code : null, message }
}
