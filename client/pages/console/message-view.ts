// One message in the page: what is known about it, and its body by its type.

import type { ReceivedMessage } from '../../index.ts'
import type { Rendering } from '../../render.ts'
import { renderDetails } from '../../render-details.ts'
import { make } from './elements.ts'
import { formatBytes, formatTime } from './format.ts'

export interface MessageViewOptions {
  readonly now: Date
  /** True when messages of several channels are shown, so that each says its own. */
  readonly isWide: boolean
  readonly onChannel: (name: string) => void
}

export class MessageView {
  readonly element: HTMLElement
  readonly byteCount: number
  readonly #rendering: Rendering

  constructor(message: ReceivedMessage, { now, isWide, onChannel }: MessageViewOptions) {
    const { channel, sender, time, type, id, lost } = message
    this.byteCount = message.byteLength
    const about = make('header', 'about')
    if (time !== null) about.append(make('time', '', formatTime(time, now)))
    if (isWide) about.append(channelButton(channel, onChannel))
    about.append(
      make('span', sender === null ? 'sender nobody' : 'sender', sender ?? 'no sender'),
      make('span', 'type', type),
      make('span', 'size', formatBytes(message.byteLength)),
      make('span', 'id', id),
    )
    this.#rendering = renderDetails(message, document)
    this.element = make('article', 'message')
    if (lost !== 0) this.element.append(make('p', 'note lost', `${lost ?? 'Some'} lost before this one`))
    this.element.append(about, make('div', 'body', this.#rendering.element))
    this.element.ariaLabel = `${type}, ${formatBytes(message.byteLength)}, ${sender ?? 'no sender'}`
  }

  /** Frees what the body holds, once it is out of the page. */
  release(): void {
    this.#rendering.release()
  }
}

function channelButton(name: string, onChannel: (name: string) => void): HTMLElement {
  const button = make('button', 'link', name)
  button.type = 'button'
  button.addEventListener('click', () => {
    onChannel(name)
  })
  return button
}
