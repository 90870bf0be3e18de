// Where lines are written: Enter sends, Shift and Enter begins a new line; pictures and files come by drop, paste or the
// button. What was begun in one room waits there while another one is shown.

import { find } from './page.ts'
import { fitPicture } from './picture-size.ts'

/** What readers take. */
const MAX_FILE_BYTES = 64 * 1024 * 1024
const MAX_HEIGHT_PIXELS = 160

export interface ComposerOptions {
  readonly onText: (text: string) => void
  readonly onFile: (file: Blob, fileName: string) => void
}

export class Composer {
  readonly #options: ComposerOptions
  readonly #form = find('composer', HTMLFormElement)
  readonly #text = find('text', HTMLTextAreaElement)
  readonly #label = find('text-label', HTMLElement)
  readonly #notice = find('notice', HTMLElement)
  readonly #drafts = new Map<string, string>()
  #room = ''

  constructor(options: ComposerOptions) {
    this.#options = options
    this.#form.addEventListener('submit', event => {
      event.preventDefault()
      this.#send()
    })
    this.#text.addEventListener('keydown', event => {
      // While an input method is open, Enter chooses a word.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
      event.preventDefault()
      this.#send()
    })
    this.#text.addEventListener('input', () => {
      this.#fit()
    })
    this.#text.addEventListener('paste', event => {
      const files = event.clipboardData?.files ?? []
      if (files.length === 0) return
      event.preventDefault()
      void this.#sendFiles(files)
    })
    const picker = find('files', HTMLInputElement)
    picker.addEventListener('change', () => {
      const files = [...(picker.files ?? [])]
      picker.value = ''
      void this.#sendFiles(files)
    })
    this.#takeDrops()
  }

  /** Writes for another room from now on. */
  switchTo(room: string): void {
    this.#drafts.set(this.#room, this.#text.value)
    this.#room = room
    this.#text.value = this.#drafts.get(room) ?? ''
    this.#text.placeholder = `Message ${room}`
    this.#label.textContent = `Message ${room}`
    this.#say('')
    this.#fit()
  }

  focus(): void {
    this.#text.focus()
  }

  #send(): void {
    const text = this.#text.value.trimEnd()
    if (text.trim() === '') return
    this.#text.value = ''
    this.#say('')
    this.#fit()
    this.#options.onText(text)
  }

  async #sendFiles(files: Iterable<File>): Promise<void> {
    this.#say('')
    for (const file of files) {
      try {
        // Read here: what the disk does not give would look like a server that cannot be reached.
        const whole = new Blob([await file.arrayBuffer()], { type: file.type })
        const { picture, fileName } = await fitPicture(whole, file.name)
        if (picture.size > MAX_FILE_BYTES) throw new RangeError('it is larger than 64 MB')
        this.#options.onFile(picture, fileName)
      } catch (error) {
        this.#say(`Cannot send ${file.name}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  #takeDrops(): void {
    document.addEventListener('dragover', event => {
      if (event.dataTransfer?.types.includes('Files') !== true) return
      event.preventDefault()
      document.body.classList.add('is-dropping')
    })
    document.addEventListener('dragleave', event => {
      if (event.relatedTarget === null) document.body.classList.remove('is-dropping')
    })
    document.addEventListener('drop', event => {
      document.body.classList.remove('is-dropping')
      const files = [...(event.dataTransfer?.files ?? [])]
      if (files.length === 0) return
      event.preventDefault()
      void this.#sendFiles(files)
    })
  }

  /** As high as its text, up to a point. */
  #fit(): void {
    this.#text.style.height = 'auto'
    const borders = this.#text.offsetHeight - this.#text.clientHeight
    this.#text.style.height = `${Math.min(this.#text.scrollHeight + borders, MAX_HEIGHT_PIXELS)}px`
  }

  #say(words: string): void {
    this.#notice.textContent = words
  }
}
