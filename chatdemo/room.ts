// One room: what it reads and sends, who is in it, and what of it was not read yet.

import { type Client, MsgbusError, type ReceivedMessage, type Subscription } from '../client/index.ts'
import { authorOf, readMarks } from '../client/marks.ts'
import { essenceOf } from '../client/message.ts'
import { contentOf } from './content.ts'
import { LogView } from './log-view.ts'
import { Outbox } from './outbox.ts'
import { Presence, PRESENCE_TYPE } from './presence.ts'
import { Reading } from './reading.ts'
import { Sending, writeFile, writeText, type Written } from './sending.ts'
import type { Settings } from './settings.ts'

const HISTORY_COUNT = 50
/** So long after a room was opened, what comes is taken for new and read out. */
const HISTORY_MS = 1_500

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
  readonly #reading: Reading
  readonly #presence: Presence | null
  readonly #subscription: Subscription | null
  #words = 'Connecting'
  #isOpen = false
  #isShown = false

  constructor(name: string, options: RoomOptions) {
    this.name = name
    this.#options = options
    this.#reading = new Reading(name, options.settings)
    this.log = new LogView({
      room: name,
      onEnlarge: options.onEnlarge,
      onScroll: () => {
        this.look()
        options.onChange(this)
      },
    })
    const sending = new Sending(options.client, name)
    this.outbox = new Outbox({
      publish: line => sending.publish(line),
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
    return this.#reading.unreadCount
  }

  /** Of the others who are here. */
  get names(): readonly string[] {
    return this.#presence?.names ?? []
  }

  sendText(text: string): void {
    this.#send(writeText(text, this.#name))
  }

  sendFile(file: Blob, fileName: string): void {
    this.#send(writeFile(file, fileName, this.#name))
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
    const { unreadCount } = this.#reading
    this.#reading.finish()
    if (unreadCount > 0) this.#options.onChange(this)
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

  /** Null for somebody without one. */
  get #name(): string | null {
    return this.#options.settings.name || null
  }

  #send({ line, content }: Written): void {
    this.#options.settings.addOwn(this.name, line.nonce)
    this.log.pending.add(line.nonce, this.#name, content)
    this.log.goToEnd()
    this.outbox.add(line)
  }

  #subscribe(): Subscription | null {
    try {
      const subscription = this.#options.client.subscribe([this.name], {
        since: `-${HISTORY_COUNT}`,
        onState: (state, error) => {
          this.#onState(state, error)
        },
      })
      void this.#read(subscription)
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
    if (state === 'waiting') {
      this.#words = 'Connection lost, trying again'
      this.outbox.doubt()
    }
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
    try {
      for await (const message of subscription) this.#take(message)
    } catch (error) {
      // Otherwise its state has told the reason.
      if (!(error instanceof MsgbusError)) throw error
    }
  }

  #take(message: ReceivedMessage): void {
    const { type, id, sender, lost, time } = message
    const { nonce, name } = readMarks(type)
    if (lost !== 0 && !this.log.isEmpty) this.log.addNotice('Lines may be missing here')
    if (essenceOf(type) === PRESENCE_TYPE) return
    if (nonce !== null) this.#settle(nonce)
    if (nonce !== null && !this.#reading.isFirst(nonce)) return
    const isOwn = nonce !== null && this.#options.settings.isOwn(this.name, nonce)
    this.log.add({
      author: authorOf(sender, name),
      isOwn,
      time: time ?? new Date(),
      content: contentOf(message),
    })
    this.#reading.add(id, isOwn)
    this.look()
    if (this.unreadCount > 0) this.#options.onChange(this)
  }

  #settle(nonce: string): void {
    this.outbox.remove(nonce)
    this.log.pending.remove(nonce)
  }
}
