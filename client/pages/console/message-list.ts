// The messages of the shown channel, newest first: the last ones only, bounded in number and bytes. While it is paused what
// comes waits, bounded as well, and is counted.

import type { ReceivedMessage } from '../../index.ts'
import { drawing, find, make, put } from './elements.ts'
import { formatCount } from './format.ts'
import { MessageView } from './message-view.ts'

const MAX_MESSAGES = 200
const MAX_BYTES = 64 * 1024 * 1024

export class MessageList {
  readonly #list = find('messages', HTMLElement)
  readonly #pause = find('pause', HTMLButtonElement)
  readonly #onChannel: (name: string) => void
  readonly #draw = drawing(() => {
    this.#drawWaiting()
  })
  #shown: MessageView[] = []
  #shownBytes = 0
  #waiting: ReceivedMessage[] = []
  #waitingBytes = 0
  // What came and was not shown, because too much came or for too long.
  #passedCount = 0
  #isPaused = false
  #isWide = false

  /** @param onChannel Called with the name of a channel that somebody wants to see instead. */
  constructor(onChannel: (name: string) => void) {
    this.#onChannel = onChannel
    this.#pause.addEventListener('click', () => {
      this.#setPaused(!this.#isPaused)
    })
    this.clear(false)
  }

  /** Begins anew. @param isWide Whether messages of several channels will come. */
  clear(isWide: boolean): void {
    for (const view of this.#shown) view.release()
    this.#shown = []
    this.#shownBytes = 0
    this.#forget()
    this.#isWide = isWide
    this.#list.replaceChildren(make('p', 'note', 'No message yet.'))
    this.#setPaused(false)
  }

  add(message: ReceivedMessage): void {
    this.#waiting.push(message)
    this.#waitingBytes += message.byteLength
    while (
      this.#waiting.length > MAX_MESSAGES ||
      (this.#waitingBytes > MAX_BYTES && this.#waiting.length > 1)
    ) {
      this.#waitingBytes -= this.#waiting.shift()?.byteLength ?? 0
      this.#passedCount++
    }
    this.#draw()
  }

  #setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused
    this.#pause.ariaPressed = `${isPaused}`
    this.#draw()
  }

  #drawWaiting(): void {
    const count = this.#waiting.length + this.#passedCount
    if (this.#isPaused) {
      put(this.#pause, count === 0 ? 'Resume' : `Resume (${formatCount(count)} new)`)
      return
    }
    put(this.#pause, 'Pause')
    if (count === 0) return
    const now = new Date()
    const views = this.#waiting.map(
      message => new MessageView(message, { now, isWide: this.#isWide, onChannel: this.#onChannel }),
    )
    if (this.#shown.length === 0) this.#list.replaceChildren()
    if (this.#passedCount > 0)
      this.#list.prepend(make('p', 'note', `${formatCount(this.#passedCount)} not shown`))
    this.#list.prepend(...views.map(({ element }) => element).reverse())
    this.#shown.push(...views)
    this.#shownBytes += this.#waitingBytes
    this.#forget()
    this.#trim()
  }

  #trim(): void {
    while (this.#shown.length > MAX_MESSAGES || (this.#shownBytes > MAX_BYTES && this.#shown.length > 1)) {
      const oldest = this.#shown.shift()
      if (oldest === undefined) return
      this.#shownBytes -= oldest.byteCount
      oldest.release()
      // Notes about what is older go with it.
      while (this.#list.lastElementChild !== oldest.element) this.#list.lastElementChild?.remove()
      oldest.element.remove()
    }
  }

  #forget(): void {
    this.#waiting = []
    this.#waitingBytes = 0
    this.#passedCount = 0
  }
}
