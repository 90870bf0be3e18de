// A picture of the log, as large as the window allows.

import { find } from './page.ts'

export class PictureDialog {
  readonly #dialog = find('picture-dialog', HTMLDialogElement)
  readonly #picture = find('large-picture', HTMLImageElement)

  constructor() {
    // A click anywhere, as everybody expects; Escape closes it by itself.
    this.#dialog.addEventListener('click', () => {
      this.#dialog.close()
    })
    this.#dialog.addEventListener('close', () => {
      this.#picture.removeAttribute('src')
    })
  }

  open({ src, alt }: HTMLImageElement): void {
    this.#picture.src = src
    this.#picture.alt = alt
    this.#dialog.showModal()
  }
}
