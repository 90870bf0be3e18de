// The folded box with the commands for a shell, each with a button that copies it.

import { isTree } from '../../../src/matcher.ts'
import type { View } from './address.ts'
import { publishCommand, type Payload, type Server, subscribeCommand } from './curl.ts'
import { find, make, put } from './elements.ts'

const COPIED_MS = 2_000

export class Commands {
  readonly #server: Server
  readonly #box = find('commands', HTMLElement)
  readonly #button = find('curl', HTMLButtonElement)
  readonly #subscribe = make('code', '')
  readonly #publish = make('code', '')

  constructor(server: Server) {
    this.#server = server
    this.#box.append(commandOf('Subscribe', this.#subscribe), commandOf('Publish', this.#publish))
    this.#button.addEventListener('click', () => {
      this.#box.hidden = !this.#box.hidden
      this.#button.ariaExpanded = `${!this.#box.hidden}`
    })
  }

  /** @param payload What the publish command is to send. */
  update(view: View, payload: Payload): void {
    put(this.#subscribe, subscribeCommand(this.#server, view))
    const channel = isTree(view.channel) ? `${view.channel}NAME` : view.channel
    put(this.#publish, publishCommand(this.#server, channel, payload))
  }
}

function commandOf(name: string, code: HTMLElement): HTMLElement {
  const button = make('button', '', 'Copy')
  button.type = 'button'
  button.ariaLabel = `Copy the ${name.toLowerCase()} command`
  button.addEventListener('click', () => {
    void copy(code).then(isCopied => {
      put(button, isCopied ? 'Copied' : 'Selected')
      setTimeout(() => {
        put(button, 'Copy')
      }, COPIED_MS)
    })
  })
  code.tabIndex = 0
  return make('div', 'command', make('span', 'label', name), code, button)
}

/** Copies a text; where the browser does not let a page do so, selects it for the visitor. */
async function copy(code: HTMLElement): Promise<boolean> {
  getSelection()?.selectAllChildren(code)
  try {
    // Only pages that came over TLS or loopback have a clipboard.
    await navigator.clipboard.writeText(code.textContent)
    return true
  } catch {
    // The old way works over plain HTTP, too, and says itself whether it did.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    return document.execCommand('copy')
  }
}
