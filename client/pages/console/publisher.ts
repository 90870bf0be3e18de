// Publishes what somebody types or drops: the text as one message, each file as one of its own type, in order.

import type { Client } from '../../index.ts'
import type { Payload } from './curl.ts'
import { find, put } from './elements.ts'
import { formatError } from './format.ts'

// For commands, while there is nothing to publish yet.
const SAMPLE = 'hello'

export class Publisher {
  readonly #client: Client
  readonly #onInput: () => void
  readonly #form = find('publisher', HTMLFormElement)
  readonly #channel = find('publish-channel', HTMLInputElement)
  readonly #type = find('publish-type', HTMLInputElement)
  readonly #text = find('publish-text', HTMLTextAreaElement)
  readonly #files = find('publish-files', HTMLInputElement)
  readonly #result = find('published', HTMLElement)
  #aim = ''

  /** @param onInput Called when something else would be published than before. */
  constructor(client: Client, onInput: () => void) {
    this.#client = client
    this.#onInput = onInput
    this.#form.addEventListener('submit', event => {
      event.preventDefault()
      void this.#publish()
    })
    this.#form.addEventListener('input', onInput)
    this.#text.addEventListener('keydown', event => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit()
    })
    // There is little room on a phone, and more to see than to say.
    if (matchMedia('(max-width: 52rem)').matches) find('publishing', HTMLDetailsElement).open = false
    const panel = find('panel', HTMLElement)
    panel.addEventListener('dragover', event => {
      event.preventDefault()
      panel.classList.add('target')
    })
    panel.addEventListener('dragleave', () => {
      panel.classList.remove('target')
    })
    // Anywhere else, the browser would leave this page for the file.
    document.addEventListener('dragover', event => {
      event.preventDefault()
    })
    document.addEventListener('drop', event => {
      event.preventDefault()
      panel.classList.remove('target')
      if (event.dataTransfer === null || event.dataTransfer.files.length === 0) return
      this.#files.files = event.dataTransfer.files
      onInput()
    })
  }

  /** The channel that somebody looks at is the one to publish to. */
  aim(channel: string): void {
    if (channel === this.#aim) return
    this.#aim = channel
    this.#channel.value = channel
    put(this.#result, '')
  }

  /** What would be published first. */
  get payload(): Payload {
    const [file] = this.#files.files ?? []
    if (this.#text.value === '' && file !== undefined) return { type: typeOf(file), fileName: file.name }
    return { type: this.#type.value, text: this.#text.value || SAMPLE }
  }

  async #publish(): Promise<void> {
    const channel = this.#channel.value.trim()
    const files = [...(this.#files.files ?? [])]
    const text = this.#text.value
    if (text === '' && files.length === 0) {
      this.#say('Nothing to publish: type some text or choose a file', false)
      return
    }
    this.#say('Publishing…', true)
    const ids: string[] = []
    try {
      if (text !== '') ids.push((await this.#client.publish(channel, text, { type: this.#type.value })).id)
      this.#text.value = ''
      for (const [at, file] of files.entries()) {
        ids.push((await this.#client.publish(channel, file, { type: typeOf(file) })).id)
        // Whoever tries again publishes the rest.
        this.#files.files = listOf(files.slice(at + 1))
      }
      this.#say(`Published ${ids.join(', ')}`, true)
    } catch (error) {
      const done = ids.length === 0 ? '' : `${ids.length} published, then `
      this.#say(`${done}not published: ${formatError(error)}`, false)
    }
    this.#onInput()
  }

  #say(words: string, isGood: boolean): void {
    put(this.#result, words)
    this.#result.classList.toggle('bad', !isGood)
  }
}

function listOf(files: readonly File[]): FileList {
  const transfer = new DataTransfer()
  for (const file of files) transfer.items.add(file)
  return transfer.files
}

function typeOf({ type }: File): string {
  return type === '' ? 'application/octet-stream' : type
}
