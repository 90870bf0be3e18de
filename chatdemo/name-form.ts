// Asks for a name, once and politely: nobody has to give one, and everybody can change it later.

import { tidyName } from '../client/marks.ts'
import { find } from './page.ts'
import type { Settings } from './settings.ts'

export interface NameFormOptions {
  readonly settings: Settings
  /** Called when the question is answered, with whatever name. */
  readonly onAnswer: () => void
}

export class NameForm {
  readonly #options: NameFormOptions
  readonly #form = find('name-form', HTMLFormElement)
  readonly #field = find('name', HTMLInputElement)
  readonly #change = find('change-name', HTMLButtonElement)

  constructor(options: NameFormOptions) {
    const { settings } = options
    this.#options = options
    this.#form.addEventListener('submit', event => {
      event.preventDefault()
      this.#answer(tidyName(this.#field.value))
    })
    find('stay', HTMLButtonElement).addEventListener('click', () => {
      this.#answer(settings.name)
    })
    this.#change.addEventListener('click', () => {
      this.#form.hidden = false
      this.#field.value = settings.name
      this.#field.select()
    })
  }

  /** Shows the name, or the question if it was not answered yet. */
  ask(): void {
    this.#form.hidden = this.#options.settings.isNamed
    this.#show()
  }

  #answer(name: string): void {
    this.#options.settings.name = name
    this.#form.hidden = true
    this.#show()
    this.#options.onAnswer()
  }

  #show(): void {
    const { name } = this.#options.settings
    find('own-name', HTMLElement).textContent = name || 'anonymous'
    find('stay', HTMLButtonElement).textContent = name === '' ? 'Stay anonymous' : 'Keep it'
    this.#change.textContent = name === '' ? 'Take a name' : 'Change'
  }
}
