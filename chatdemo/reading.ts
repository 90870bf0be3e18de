// What of a room was read, in this browser, and what came twice: a line is sent again when the answer to the first time
// got lost. Knows nothing of the page.

import type { Settings } from './settings.ts'

/** Nonces that are remembered. */
const MAX_NONCES = 2_000

export class Reading {
  readonly #room: string
  readonly #settings: Settings
  readonly #nonces = new Set<string>()
  #lastId: string | null = null
  #unreadCount = 0

  constructor(room: string, settings: Settings) {
    this.#room = room
    this.#settings = settings
  }

  get unreadCount(): number {
    return this.#unreadCount
  }

  /** Notes the nonce of a line; false if it came before. */
  isFirst(nonce: string): boolean {
    if (this.#nonces.has(nonce)) return false
    this.#nonces.add(nonce)
    const [oldest] = this.#nonces
    if (this.#nonces.size > MAX_NONCES && oldest !== undefined) this.#nonces.delete(oldest)
    return true
  }

  /** Takes a line that is unread, unless it was read before the page was opened. Nobody reads what they wrote. */
  add(id: string, isOwn: boolean): void {
    const lastRead = this.#settings.lastRead(this.#room)
    this.#lastId = id
    if (!isOwn && (lastRead === null || isAfter(id, lastRead))) this.#unreadCount++
  }

  /** Everything was in view. */
  finish(): void {
    this.#unreadCount = 0
    if (this.#lastId !== null) this.#settings.setLastRead(this.#room, this.#lastId)
  }
}

/** Whether a message is newer than one of those before it; if that cannot be told, it is. */
function isAfter(id: string, other: string): boolean {
  const [, epoch, seq] = /^(.+)-(\d+)$/.exec(id) ?? []
  const [, otherEpoch, otherSeq] = /^(.+)-(\d+)$/.exec(other) ?? []
  return epoch !== otherEpoch || Number(seq) > Number(otherSeq)
}
