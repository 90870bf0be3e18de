// The rooms that are open, which of them is shown, and the address of the page that names them all.

import { readRooms, writeRooms } from './address.ts'
import { Room, type RoomOptions } from './room.ts'

export interface RoomsOptions extends Omit<RoomOptions, 'onChange'> {
  /** Where the logs go. */
  readonly place: HTMLElement
  /** Called when anything has changed that stands outside of the logs. */
  readonly onChange: () => void
  /** Called when another room is shown. */
  readonly onShow: (room: Room) => void
}

export class Rooms {
  readonly #options: RoomsOptions
  readonly #rooms = new Map<string, Room>()
  #shown: Room | null = null

  constructor(options: RoomsOptions) {
    this.#options = options
  }

  /** Opens the rooms of the address, and follows it from then on. */
  open(): void {
    this.#followAddress()
    addEventListener('hashchange', () => {
      this.#followAddress()
    })
  }

  /** In the order of the address. */
  get all(): readonly Room[] {
    return [...this.#rooms.values()]
  }

  get shown(): Room | null {
    return this.#shown
  }

  show(room: Room): void {
    if (room === this.#shown) return
    this.#shown?.hide()
    this.#shown = room
    // A reload comes back to it.
    history.replaceState(room.name, '')
    room.show()
    this.#options.onShow(room)
    this.#options.onChange()
  }

  /** Opens one more, or the one that is open, and shows it. */
  join(name: string): void {
    const names = [...this.#rooms.keys()]
    if (!names.includes(name)) this.#goTo([...names, name])
    const room = this.#rooms.get(name)
    if (room !== undefined) this.show(room)
  }

  leave(room: Room): void {
    this.#goTo([...this.#rooms.keys()].filter(name => name !== room.name))
  }

  #goTo(names: readonly string[]): void {
    history.pushState(null, '', writeRooms(names))
    this.#followAddress()
  }

  #followAddress(): void {
    const names = readRooms(location.hash)
    const open = new Map(this.#rooms)
    this.#rooms.clear()
    for (const name of names) this.#rooms.set(name, open.get(name) ?? this.#open(name))
    for (const [name, room] of open) if (!this.#rooms.has(name)) room.close()
    const wanted = names.find(name => name === history.state)
    const shown =
      this.#shown !== null && this.#rooms.get(this.#shown.name) === this.#shown ? this.#shown : null
    const room = shown ?? this.#rooms.get(wanted ?? names[0] ?? '')
    if (room !== undefined) this.show(room)
    this.#options.onChange()
  }

  #open(name: string): Room {
    const room = new Room(name, this.#options)
    this.#options.place.append(room.log.element)
    return room
  }
}
