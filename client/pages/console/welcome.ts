// What stands where messages will be, until a channel is chosen: what to do, and on an empty bus how to fill it.

import type { BusState } from './bus-state.ts'
import { type Payload, publishCommand, type Server } from './curl.ts'
import { find, put } from './elements.ts'

export class Welcome {
  readonly #bus: BusState
  readonly #server: Server
  readonly #hint = find('hint', HTMLElement)
  readonly #example = find('example', HTMLElement)

  constructor(bus: BusState, server: Server) {
    this.#bus = bus
    this.#server = server
  }

  /** @param payload What the example is to publish. */
  update(payload: Payload): void {
    if (this.#bus.line === null) return
    const isEmpty = this.#bus.channels.size === 0
    put(
      this.#hint,
      isEmpty
        ? 'No channel is open yet. Publish something, here or in a shell:'
        : 'Choose a channel to see its messages as they arrive.',
    )
    put(this.#example, publishCommand(this.#server, 'news', payload))
    this.#example.hidden = !isEmpty
  }
}
