// One room: what it reads and sends, who is in it, and what of it was not read yet.

import { type Client, MsgbusError, type ReceivedMessage, type Subscription } from '../client/index.ts'
import { contentOf, contentOfFile } from './content.ts'
import { LogView } from './log-view.ts'
import { authorOf, essenceOf, newNonce, readMarks, senderOf, typeOfFile, writeType } from './marks.ts'
import { Outbox, type OutgoingLine } from './outbox.ts'
import { Presence, PRESENCE_TYPE } from './presence.ts'
import type { Settings } from './settings.ts'

const HISTORY_COUNT = 50
/** So long after a room was opened, what comes is taken for new and read out. */
const HISTORY_MS = 1_500
/** Nonces that a room remembers. */
const MAX_NONCES = 2_000
/** An attempt to send may take this long, and a second for each so many bytes. */
const SEND_MS = 30_000
const SLOWEST_BYTES = 10_000

export interface RoomOptions {
  readonly client: Client
  readonly settings: Settings
  /** Called when anything that stands outside of the log has changed. */
  readonly onChange: (room: Room) => void
  readonly onEnlarge: (picture: HTMLImageElement) => void
}

export class Room {
  readonly name: string
  readonly log: LogView
  readonly outbox: Outbox
  readonly #options: RoomOptions
  readonly #nonces = new Set<string>()
  readonly #presence: Presence | null
  readonly #subscription: Subscription | null
  #words = 'Connecting'
  #isOpen = false
  #isShown = false
  /** A server with a password knows its visitors by the name they logged in with. */
  #isLoggedIn = false
  #unreadCount = 0
  #lastId: string | null = null

  constructor(name: string, options: RoomOptions) {
    this.name = name
    this.#options = options
    this.log = new LogView({
      room: name,
      onEnlarge: options.onEnlarge,
      onScroll: () => {
        this.look()
        options.onChange(this)
      },
    })
    this.outbox = new Outbox({
      publish: line => this.#publish(line),
      onState: (line, state, reason) => {
        this.log.pending.setState(line.nonce, state, reason, {
          onRetry: () => {
            this.outbox.retry(line.nonce)
          },
          onDiscard: () => {
            this.#settle(line.nonce)
          },
        })
      },
    })
    this.#subscription = this.#subscribe()
    this.#presence = this.#enter()
  }

  /** How the connection is, in words. */
  get words(): string {
    return this.#words
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get unreadCount(): number {
    return this.#unreadCount
  }

  /** Of the others who are here. */
  get names(): readonly string[] {
    return this.#presence?.names ?? []
  }

  /** Sends a text or a file. */
  send(body: string | Blob, fileName: string | null = null): void {
    const { settings } = this.#options
    const name = settings.name || null
    const nonce = newNonce()
    const essence = typeof body === 'string' ? 'text/plain' : typeOfFile(body)
    const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : essence
    settings.addOwn(this.name, nonce)
    const content =
      typeof body === 'string'
        ? { kind: 'text' as const, text: body }
        : contentOfFile(body, essence, fileName)
    this.log.pending.add(nonce, name, content)
    this.log.goToEnd()
    this.outbox.add({
      nonce,
      type: writeType(type, { nonce, name, fileName }),
      sender: senderOf(name ?? ''),
      body,
    })
  }

  show(): void {
    this.#isShown = true
    this.log.show()
    this.look()
  }

  hide(): void {
    this.#isShown = false
    this.log.hide()
  }

  /** Notes what is in view as read. */
  look(): void {
    if (!this.#isShown || document.hidden || !this.log.isAtEnd) return
    if (this.#lastId !== null) this.#options.settings.setLastRead(this.name, this.#lastId)
    if (this.#unreadCount === 0) return
    this.#unreadCount = 0
    this.#options.onChange(this)
  }

  /** Tells the others a new name. */
  announce(): void {
    this.#presence?.announce()
  }

  close(): void {
    this.#presence?.close()
    this.#subscription?.close()
    this.outbox.close()
    this.log.close()
  }

  #subscribe(): Subscription | null {
    try {
      const subscription = this.#options.client.subscribe([this.name], {
        since: `-${HISTORY_COUNT}`,
        onState: (state, error) => {
          this.#onState(state, error)
        },
      })
      // Its state has told the reason.
      this.#read(subscription).catch(() => undefined)
      return subscription
    } catch (error) {
      if (!(error instanceof MsgbusError)) throw error
      this.#words = error.message
      return null
    }
  }

  #enter(): Presence | null {
    if (this.#subscription === null) return null
    try {
      return new Presence({
        client: this.#options.client,
        room: this.name,
        name: () => this.#options.settings.name,
        onChange: () => {
          this.#options.onChange(this)
        },
      })
    } catch (error) {
      if (!(error instanceof MsgbusError)) throw error
      // Its name leaves no room for another one below it: nobody can be seen here.
      return null
    }
  }

  #onState(state: Subscription['state'], error: MsgbusError | null): void {
    const wasOpen = this.#isOpen
    this.#isOpen = state === 'open'
    if (state === 'open') this.#words = 'Connected'
    if (state === 'waiting') this.#words = 'Connection lost, trying again'
    if (state === 'closed') this.#words = error === null ? 'Not connected' : `Not connected: ${error.message}`
    if (this.#isOpen && !wasOpen) {
      this.outbox.wake()
      setTimeout(() => {
        this.log.startReading()
      }, HISTORY_MS)
    }
    this.#options.onChange(this)
  }

  async #read(subscription: Subscription): Promise<void> {
    for await (const message of subscription) this.#take(message)
  }

  #take(message: ReceivedMessage): void {
    const { type, id, sender, lost, time } = message
    const { nonce, name } = readMarks(type)
    if (lost !== 0 && !this.log.isEmpty) this.log.addNotice('Lines may be missing here')
    if (essenceOf(type) === PRESENCE_TYPE || this.#isRepeated(nonce)) return
    const isOwn = nonce !== null && this.#options.settings.isOwn(this.name, nonce)
    if (nonce !== null) this.#settle(nonce)
    this.log.add({
      author: authorOf(sender, name),
      isOwn,
      time: time ?? new Date(),
      content: contentOf(message),
    })
    this.#lastId = id
    const lastRead = this.#options.settings.lastRead(this.name)
    if (!isOwn && (lastRead === null || isAfter(id, lastRead))) this.#unreadCount++
    this.look()
    if (this.#unreadCount > 0) this.#options.onChange(this)
  }

  /** Whether a line came before: it was sent twice because the answer to the first time got lost. */
  #isRepeated(nonce: string | null): boolean {
    if (nonce === null) return false
    if (this.#nonces.has(nonce)) return true
    this.#nonces.add(nonce)
    const [oldest] = this.#nonces
    if (this.#nonces.size > MAX_NONCES && oldest !== undefined) this.#nonces.delete(oldest)
    return false
  }

  #settle(nonce: string): void {
    this.outbox.remove(nonce)
    this.log.pending.remove(nonce)
  }

  async #publish({ body, type, sender }: OutgoingLine): Promise<void> {
    const { client } = this.#options
    const byteCount = typeof body === 'string' ? body.length : body.size
    const signal = AbortSignal.timeout(SEND_MS + (byteCount / SLOWEST_BYTES) * 1_000)
    try {
      await client.publish(this.name, body, { type, sender: this.#isLoggedIn ? undefined : sender, signal })
    } catch (error) {
      const isUnknown = error instanceof MsgbusError && error.status === 401
      if (!isUnknown || sender === undefined || this.#isLoggedIn) throw error
      await client.publish(this.name, body, { type, signal })
      this.#isLoggedIn = true
    }
  }
}

/** Whether a message is newer than one of those before it; if that cannot be told, it is. */
function isAfter(id: string, other: string): boolean {
  const [, epoch, seq] = /^(.+)-(\d+)$/.exec(id) ?? []
  const [, otherEpoch, otherSeq] = /^(.+)-(\d+)$/.exec(other) ?? []
  return epoch !== otherEpoch || Number(seq) > Number(otherSeq)
}
