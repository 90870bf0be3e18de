// A store that another process has (`store-host.ts`), as one of this process: what is appended there is followed here, in
// order, and whatever is asked is asked there. It keeps nothing but the newest messages, and decides nothing.
//
// What an answer says is true of the moment in which it was sent. So messages behind an answer wait until all that wait for
// the answer have had their turn: then `lastSeq` is for them what it was there, and who has caught up can go on live.

import type { Socket } from 'node:net'
import { MsgbusError } from '../../errors.ts'
import type { Draft, Message } from '../../message.ts'
import type {
  Awaitable,
  Capability,
  ChannelRecord,
  Notes,
  Page,
  PageRequest,
  Place,
  Start,
  Store,
} from '../store.ts'
import { type Frame, FrameReader, jsonFrame, openFrame, Outbox } from './frames.ts'
import { Recent } from './recent.ts'
import { decodeMessage, draftBytes, encodeDraft, seqAt } from './records.ts'
import { lost, Requests } from './requests.ts'
import { ASKING, type Hello, KNOWN, type PageHead, type Question, type Refusal, TELLING } from './words.ts'

// More would only wait at the other end, where each is memory.
const MAX_READS = 4

// How often the other side is told how far this one has got.
const TAKEN_BYTES = 256 * 1024

/**
 * Begins to use the store at the other end of a socket.
 * @param onLost Called once, if the connection ends although nobody has closed the store.
 */
export function openRemoteStore(socket: Socket, onLost: () => void): Promise<RemoteStore> {
  const reader = new FrameReader()
  return new Promise((resolve, reject) => {
    const refuse = (): void => {
      reject(lost())
    }
    const begin = (piece: Buffer): void => {
      reader.push(piece)
      const frame = reader.next()
      if (frame === null) return
      // Until somebody follows.
      socket.pause()
      socket.off('data', begin)
      socket.off('close', refuse)
      resolve(new RemoteStore(socket, reader, parse(frame.content) as Hello, onLost))
    }
    socket.on('data', begin)
    socket.on('close', refuse)
    // Its close says the same.
    socket.on('error', () => undefined)
  })
}

/** See {@link openRemoteStore}. */
export class RemoteStore implements Store {
  readonly supports: ReadonlySet<Capability>
  readonly epoch: string
  readonly notes: Notes
  readonly #socket: Socket
  readonly #reader: FrameReader
  readonly #outbox: Outbox
  readonly #onLost: () => void
  readonly #recent = new Recent()
  readonly #requests = new Requests()
  readonly #waitingReads: (() => void)[] = []
  // The same page for many, as after a restart, is asked for once.
  readonly #pages = new Map<string, Promise<Page>>()
  #readCount = 0
  #lastSeq: number
  #mark = 0
  #untoldBytes = 0
  #isAnswering = false
  #heldMessage: Frame | null = null
  #closed: Promise<void> | null = null
  #onMessage: (message: Message) => void = () => undefined

  constructor(socket: Socket, reader: FrameReader, hello: Hello, onLost: () => void) {
    this.epoch = hello.epoch
    this.supports = new Set([...hello.supports, 'shared'])
    this.#lastSeq = hello.lastSeq
    this.#socket = socket
    this.#reader = reader
    this.#onLost = onLost
    this.#outbox = new Outbox(socket)
    this.notes = {
      get: async name => (await this.#ask<number | null>({ call: 'get note', name })) ?? undefined,
      set: async (name, value) => {
        await this.#ask({ call: 'set note', name, value })
      },
    }
    socket.on('close', this.#lose)
  }

  get lastSeq(): number {
    return this.#lastSeq
  }

  follow(onMessage: (message: Message) => void): void {
    this.#onMessage = onMessage
    this.#socket.on('data', (piece: Buffer) => {
      this.#reader.push(piece)
      this.#noteTaken(piece.length)
      if (this.#heldMessage === null) this.#readOn()
    })
    this.#socket.resume()
    this.#readOn()
  }

  append(drafts: readonly Draft[]): Promise<readonly Message[]> {
    this.#checkOpen('publish')
    if (drafts.length === 0) return Promise.resolve([])
    const byteCount = drafts.reduce((sum, draft) => sum + draftBytes(draft), 0)
    this.#requests.checkRoom(byteCount)
    return this.#requests.begin({ byteCount, neededSeq: this.#firstKnownSeq }, request => {
      this.#outbox.push(openFrame(ASKING.append, request, byteCount))
      for (const draft of drafts) this.#outbox.push(...encodeDraft(draft))
    })
  }

  async locate(paths: readonly string[], start: Start): Promise<Place> {
    this.#checkOpen('find this place')
    return this.#note(await this.#ask<Place>({ call: 'locate', paths, start }))
  }

  read(request: PageRequest): Awaitable<Page> {
    this.#checkOpen('read history')
    // Whatever comes behind it, its reader gets as it comes. The mark may be an old one: of what is told with it, nothing
    // can have been told before.
    if (request.afterSeq >= this.#lastSeq) {
      return { messages: [], seq: this.#lastSeq, lostCount: 0, mark: request.mark ?? this.#mark }
    }
    const key = JSON.stringify(request)
    const same = this.#pages.get(key)
    if (same !== undefined) return same
    const page = this.#read(request).finally(() => {
      this.#pages.delete(key)
    })
    this.#pages.set(key, page)
    return page
  }

  async #read(page: PageRequest): Promise<Page> {
    if (this.#readCount >= MAX_READS) await new Promise<void>(resolve => this.#waitingReads.push(resolve))
    else this.#readCount++
    try {
      const knownSeq = this.#firstKnownSeq
      return this.#note(await this.#ask<Page>({ call: 'read', page, knownSeq }))
    } finally {
      const next = this.#waitingReads.shift()
      if (next === undefined) this.#readCount--
      else next()
    }
  }

  #note<Told extends { readonly mark: number }>(told: Told): Told {
    this.#mark = Math.max(this.#mark, told.mark)
    return told
  }

  async channels(): Promise<Iterable<ChannelRecord>> {
    return this.#closed === null ? this.#ask<ChannelRecord[]>({ call: 'channels' }) : []
  }

  /** Waits for what was asked before. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#requests.idle()
    this.#socket.off('close', this.#lose)
    this.#socket.end()
  }

  #ask<Answer>(question: Question): Promise<Answer> {
    return this.#requests.begin({ byteCount: 0, neededSeq: this.#firstKnownSeq }, request => {
      this.#outbox.push(jsonFrame(ASKING.ask, request, question))
    })
  }

  get #firstKnownSeq(): number {
    return this.#recent.firstSeq(this.#lastSeq)
  }

  #readOn(): void {
    for (let frame = this.#heldMessage ?? this.#reader.next(); frame !== null; frame = this.#reader.next()) {
      this.#heldMessage = null
      if (frame.kind !== TELLING.message) {
        this.#takeAnswer(frame)
      } else if (this.#isAnswering) {
        this.#heldMessage = frame
        return
      } else {
        this.#takeMessage(decodeMessage(frame.content, 0, this.epoch).value)
      }
    }
  }

  // Behind an answer that tells a place, until those who asked have gone on from it.
  #holdMessages(): void {
    if (this.#isAnswering) return
    this.#isAnswering = true
    setImmediate(() => {
      this.#isAnswering = false
      if (this.#heldMessage !== null) this.#readOn()
    })
  }

  #takeMessage(message: Message): void {
    this.#recent.push(message, this.#requests.neededSeq)
    this.#lastSeq = message.seq
    this.#onMessage(message)
  }

  #takeAnswer({ kind, request, content }: Frame): void {
    switch (kind) {
      case TELLING.appended:
        this.#requests.resolve(request, this.#appended(content.readDoubleBE(0), content.readUInt32BE(8)))
        break
      case TELLING.page:
        this.#holdMessages()
        this.#requests.resolve(request, this.#page(content))
        break
      case TELLING.answer:
        this.#holdMessages()
        this.#requests.resolve(request, parse(content))
        break
      default:
        this.#requests.reject(request, errorOf(parse(content) as Refusal))
    }
  }

  #appended(firstSeq: number, count: number): readonly Message[] {
    return Array.from({ length: count }, (_, at) => this.#known(firstSeq + at))
  }

  #page(content: Buffer): Page {
    let start = 4 + content.readUInt32BE(0)
    const head = parse(content.subarray(4, start)) as PageHead
    const messages: Message[] = []
    while (start < content.length) {
      if (content.readUInt8(start) === KNOWN) {
        messages.push(this.#known(seqAt(content, start + 1)))
        start += 9
      } else {
        const { value, end } = decodeMessage(content, start + 1, this.epoch)
        messages.push(value)
        start = end
      }
    }
    return { ...head, messages }
  }

  #known(seq: number): Message {
    const message = this.#recent.get(seq)
    if (message === undefined) throw new TypeError(`Cannot find message ${seq}: it was not given`)
    return message
  }

  #noteTaken(byteCount: number): void {
    this.#untoldBytes += byteCount
    if (this.#untoldBytes < TAKEN_BYTES) return
    const frame = openFrame(ASKING.taken, 0, 4, 4)
    frame.writeUInt32BE(this.#untoldBytes, frame.length - 4)
    this.#outbox.push(frame)
    this.#untoldBytes = 0
  }

  readonly #lose = (): void => {
    this.#requests.lose()
    this.#onLost()
  }

  #checkOpen(action: string): void {
    if (this.#closed !== null) throw new MsgbusError('MSGBUS_CLOSED', `Cannot ${action}: the store is closed`)
  }
}

function errorOf({ code, message }: Refusal): Error {
  return code === null ? new Error(message) : new MsgbusError(code, message)
}

function parse(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString())
}
