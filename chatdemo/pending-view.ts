// Lines that were written here and did not come back over the bus yet, with what becomes of each in words.

import type { Content } from './content.ts'
import { type LineView, showLine } from './line-view.ts'
import { make } from './page.ts'
import type { SendState } from './outbox.ts'

const WORDS: Readonly<Record<SendState, string>> = {
  sending: 'sending',
  waiting: 'not sent, trying again',
  accepted: 'sent',
  refused: 'not sent',
}

interface Entry {
  readonly view: LineView
  readonly status: HTMLElement
}

/** What a person can do about a line that was refused. */
export interface PendingActions {
  readonly onRetry: () => void
  readonly onDiscard: () => void
}

export class PendingView {
  readonly element = make('div', { className: 'pending' })
  readonly #onEnlarge: (picture: HTMLImageElement) => void
  readonly #entries = new Map<string, Entry>()

  constructor(onEnlarge: (picture: HTMLImageElement) => void) {
    this.#onEnlarge = onEnlarge
  }

  add(nonce: string, author: string | null, content: Content): void {
    const view = showLine({ author, isOwn: true, time: new Date(), content }, this.#onEnlarge)
    const status = make('p', { className: 'status' })
    view.element.append(status)
    this.element.append(view.element)
    this.#entries.set(nonce, { view, status })
  }

  /** @param reason Why it was refused. */
  setState(nonce: string, state: SendState, reason: string, { onRetry, onDiscard }: PendingActions): void {
    const entry = this.#entries.get(nonce)
    if (entry === undefined) return
    entry.view.element.dataset.state = state
    entry.status.replaceChildren(WORDS[state])
    if (state !== 'refused') return
    const retry = make('button', { type: 'button' }, 'Send again')
    const discard = make('button', { type: 'button' }, 'Discard')
    retry.addEventListener('click', onRetry)
    discard.addEventListener('click', onDiscard)
    entry.status.append(`: ${reason} `, retry, ' ', discard)
  }

  remove(nonce: string): void {
    const entry = this.#entries.get(nonce)
    entry?.view.element.remove()
    entry?.view.release()
    this.#entries.delete(nonce)
  }

  close(): void {
    for (const nonce of [...this.#entries.keys()]) this.remove(nonce)
  }
}
