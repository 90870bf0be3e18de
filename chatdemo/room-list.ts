// The list of rooms at the side, with what was not read in each, and the field to join one more.

import { tidyRoom } from './address.ts'
import { count, find, make } from './page.ts'
import type { Room } from './room.ts'
import type { Rooms } from './rooms.ts'

/** A number that is longer is shown as this one and a plus. */
const MAX_SHOWN_COUNT = 99

export class RoomList {
  readonly #list = find('rooms', HTMLElement)
  readonly #items = new Map<Room, RoomItem>()

  constructor(join: (name: string) => void) {
    const field = find('join-name', HTMLInputElement)
    find('join', HTMLFormElement).addEventListener('submit', event => {
      event.preventDefault()
      const name = tidyRoom(field.value)
      field.value = ''
      if (name !== '') join(name)
    })
  }

  update(rooms: Rooms): void {
    const { all, shown } = rooms
    for (const room of this.#items.keys()) if (!all.includes(room)) this.#items.delete(room)
    const elements = all.map(room => {
      const item = this.#items.get(room) ?? new RoomItem(room, rooms)
      this.#items.set(room, item)
      item.update(room === shown, all.length > 1)
      return item.element
    })
    // What is moved loses the focus.
    const isSame =
      elements.length === this.#list.childElementCount &&
      elements.every((element, at) => element === this.#list.children[at])
    if (!isSame) this.#list.replaceChildren(...elements)
  }
}

class RoomItem {
  readonly element: HTMLElement
  readonly #room: Room
  readonly #open: HTMLButtonElement
  readonly #leave: HTMLButtonElement
  readonly #badge = make('span', { className: 'badge' })
  #wasShown = false

  constructor(room: Room, rooms: Rooms) {
    this.#room = room
    this.#open = make(
      'button',
      { type: 'button', className: 'room' },
      make('bdi', {}, room.name),
      this.#badge,
    )
    this.#leave = make('button', { type: 'button', className: 'leave', ariaLabel: `Leave ${room.name}` }, '×')
    this.#open.addEventListener('click', () => {
      rooms.show(room)
    })
    this.#leave.addEventListener('click', () => {
      if (!room.outbox.isUnsent || confirm(`Some lines in ${room.name} were not sent yet. Leave anyway?`))
        rooms.leave(room)
    })
    this.element = make('li', {}, this.#open, this.#leave)
  }

  update(isShown: boolean, canLeave: boolean): void {
    const { unreadCount } = this.#room
    const shownCount = unreadCount > MAX_SHOWN_COUNT ? `${MAX_SHOWN_COUNT}+` : `${unreadCount}`
    this.#open.ariaCurrent = isShown ? 'true' : null
    this.#badge.hidden = unreadCount === 0
    const words = make(
      'span',
      { className: 'spoken' },
      ` ${count(unreadCount, 'unread line').replace(/^\d+ /, '')}`,
    )
    this.#badge.replaceChildren(shownCount, words)
    this.#leave.hidden = !canLeave
    if (isShown && !this.#wasShown) this.element.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    this.#wasShown = isShown
  }
}
