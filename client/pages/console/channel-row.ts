// One line of the list: a channel with its rate, its subscribers, its bytes, its last message and its minute. The whole bus
// on top is shown the same way.

import { essenceOf } from '../../message.ts'
import type { BusState, Channel } from './bus-state.ts'
import { make, put } from './elements.ts'
import { formatAge, formatBytes, formatCount, formatRate } from './format.ts'
import { Graph } from './graph.ts'

export class ChannelRow {
  readonly element: HTMLElement
  readonly #graph = new Graph()
  readonly #rate = make('span', 'rate')
  readonly #last = make('span', 'last')
  readonly #subscribers = make('span', 'subscribers')
  readonly #bytes = make('span', 'bytes')

  /** @param element What becomes the row. */
  constructor(element: HTMLElement, name: string) {
    this.element = element
    const title = make('span', 'name', name)
    title.title = name
    element.append(title, this.#graph.element, this.#rate, this.#last, this.#subscribers, this.#bytes)
  }

  /** @param nowMs By the server's clock. */
  draw(channel: Channel, bus: BusState, nowMs: number): void {
    const { messages, bytes, subscribers, last } = channel
    this.#graph.draw(messages.values)
    put(this.#rate, `${formatRate(messages.rate)}/s`)
    this.#rate.classList.toggle('busy', messages.rate > 0)
    put(this.#bytes, formatBytes(bytes.count))
    this.#bytes.title = `${formatCount(messages.count)} messages`
    if (channel === bus.everything) {
      put(this.#subscribers, readers(subscribers))
      put(this.#last, `${formatCount(messages.count)} messages, ${formatBytes(bytes.rate)}/s`)
      return
    }
    const wide = bus.wideSubscribers(channel.name)
    put(this.#subscribers, readers(subscribers + wide))
    this.#subscribers.title = `${subscribers} of this channel, ${wide} of more than this channel`
    const words =
      last === null
        ? ['no message kept']
        : [
            formatAge(nowMs - last.time),
            essenceOf(last.type),
            formatBytes(last.size),
            ...(last.sender === null || last.sender === '' ? [] : [last.sender]),
          ]
    put(this.#last, words.join(' · '))
    this.#last.title = last === null ? '' : `${last.id}: ${last.type}`
  }
}

function readers(count: number): string {
  return count === 1 ? '1 reader' : `${formatCount(count)} readers`
}
