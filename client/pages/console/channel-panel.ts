// The channel that is shown: reads it with the client library, from its last messages on, for as long as it is shown, and
// with the filters that are set. One connection at a time.

import { isTree } from '../../../src/matcher.ts'
import type { Client, Subscription } from '../../index.ts'
import type { View } from './address.ts'
import { find, put } from './elements.ts'
import { formatError } from './format.ts'
import { MessageList } from './message-list.ts'

const HISTORY = '-20'

// A filter is applied to what is read: fewer than so many may be left.
const FILTERED_HISTORY = '-200'

const TYPING_MS = 400

export class ChannelPanel {
  readonly #client: Client
  readonly #go: (view: View | null) => void
  readonly #messages: MessageList
  readonly #section = find('channel', HTMLElement)
  readonly #welcome = find('welcome', HTMLElement)
  readonly #name = find('name', HTMLElement)
  readonly #state = find('reading', HTMLElement)
  readonly #type = find('type-filter', HTMLInputElement)
  readonly #sender = find('sender-filter', HTMLInputElement)
  #subscription: Subscription | null = null
  #view: View | null = null
  #typing: ReturnType<typeof setTimeout> | undefined

  /** @param go Called with what is to be shown instead; null for nothing. */
  constructor(client: Client, go: (view: View | null) => void) {
    this.#client = client
    this.#go = go
    this.#messages = new MessageList(channel => {
      go({ channel, type: '', sender: '' })
    })
    find('back', HTMLButtonElement).addEventListener('click', () => {
      go(null)
    })
    const form = find('filters', HTMLFormElement)
    form.addEventListener('submit', event => {
      event.preventDefault()
      this.#filter()
    })
    form.addEventListener('input', () => {
      clearTimeout(this.#typing)
      this.#typing = setTimeout(() => {
        this.#filter()
      }, TYPING_MS)
    })
  }

  show(view: View | null): void {
    clearTimeout(this.#typing)
    this.#subscription?.close()
    this.#subscription = null
    this.#view = view
    this.#section.hidden = view === null
    this.#welcome.hidden = view !== null
    document.body.classList.toggle('open', view !== null)
    if (view === null) return
    put(this.#name, view.channel === '' ? 'The whole bus' : view.channel)
    // Not while somebody types there: what stands there is what is shown.
    if (this.#type.value.trim() !== view.type) this.#type.value = view.type
    if (this.#sender.value.trim() !== view.sender) this.#sender.value = view.sender
    this.#messages.clear(isTree(view.channel))
    void this.#read(view)
  }

  #filter(): void {
    clearTimeout(this.#typing)
    const view = this.#view
    if (view === null) return
    const type = this.#type.value.trim()
    const sender = this.#sender.value.trim()
    if (type !== view.type || sender !== view.sender) this.#go({ channel: view.channel, type, sender })
  }

  async #read({ channel, type, sender }: View): Promise<void> {
    const isFiltered = type !== '' || sender !== ''
    let subscription: Subscription | undefined
    const say = (words: string, isGood: boolean): void => {
      // One that was closed for the next one has nothing to say any more.
      if (this.#subscription !== (subscription ?? null)) return
      put(this.#state, words)
      this.#state.classList.toggle('good', isGood)
    }
    say('connecting', false)
    try {
      subscription = this.#client.subscribe([channel], {
        since: isFiltered ? FILTERED_HISTORY : HISTORY,
        ...(type === '' ? {} : { type }),
        ...(sender === '' ? {} : { sender }),
        onState: state => {
          if (state === 'open') say(isFiltered ? 'live, filtered' : 'live', true)
          if (state === 'waiting') say('disconnected, trying again', false)
        },
      })
      this.#subscription = subscription
      for await (const message of subscription) {
        // One message may have been on its way here when it was closed.
        if (this.#subscription !== subscription) return
        this.#messages.add(message)
      }
    } catch (error) {
      say(formatError(error), false)
    }
  }
}
