// The chat page: rooms that are shared by everybody who has them open, and by whatever else publishes to their channels.
//
// `rooms` follows the address; a `room` sends (`sending`, `outbox`), knows what was read (`reading`) and who is there
// (`presence`). Its `log-view` shows lines (`line-view`, `body-view`), and those on their way (`pending-view`). `content`
// and the client's `marks` say what a message means to the chat. The other files are what a person touches. This one joins them.

import { connect } from '../client/index.ts'
import { Composer } from './composer.ts'
import { NameForm } from './name-form.ts'
import { count, find } from './page.ts'
import { PeopleView } from './people-view.ts'
import { PictureDialog } from './picture-dialog.ts'
import { RoomList } from './room-list.ts'
import { Rooms } from './rooms.ts'
import { Settings } from './settings.ts'

class Chat {
  readonly #settings = new Settings()
  readonly #people = new PeopleView()
  readonly #newest = find('newest', HTMLButtonElement)
  readonly #composer: Composer
  readonly #rooms: Rooms
  readonly #roomList: RoomList
  #isStale = false

  constructor() {
    const pictures = new PictureDialog()
    this.#composer = new Composer({
      onText: text => this.#rooms.shown?.sendText(text),
      onFile: (file, fileName) => this.#rooms.shown?.sendFile(file, fileName),
    })
    this.#rooms = new Rooms({
      client: connect(),
      settings: this.#settings,
      place: find('logs', HTMLElement),
      onEnlarge: picture => {
        pictures.open(picture)
      },
      onShow: room => {
        this.#composer.switchTo(room.name)
      },
      onChange: () => {
        this.#change()
      },
    })
    this.#roomList = new RoomList(name => {
      this.#rooms.join(name)
      this.#composer.focus()
    })
  }

  open(): void {
    const nameForm = new NameForm({
      settings: this.#settings,
      onAnswer: () => {
        for (const room of this.#rooms.all) room.announce()
        this.#change()
        this.#composer.focus()
      },
    })
    nameForm.ask()
    this.#newest.addEventListener('click', () => {
      this.#rooms.shown?.log.goToEnd()
      this.#composer.focus()
    })
    this.#rooms.open()
    this.#followVisits()
  }

  /** Sees whether anybody looks, comes back or is about to leave something unsent. */
  #followVisits(): void {
    document.addEventListener('visibilitychange', () => this.#rooms.shown?.look())
    addEventListener('pageshow', event => {
      // The browser had kept the page.
      if (event.persisted) for (const room of this.#rooms.all) room.announce()
    })
    addEventListener('beforeunload', event => {
      if (this.#rooms.all.some(room => room.outbox.isUnsent)) event.preventDefault()
    })
  }

  /** Shows soon what has changed: often several things change at once. */
  #change(): void {
    if (this.#isStale) return
    this.#isStale = true
    queueMicrotask(() => {
      this.#isStale = false
      this.#show()
    })
  }

  #show(): void {
    const { all, shown } = this.#rooms
    if (shown === null) return
    const unreadCount = all.reduce((sum, room) => sum + room.unreadCount, 0)
    document.title = `${unreadCount === 0 ? '' : `(${unreadCount}) `}${shown.name} · msgbus chat`
    this.#roomList.update(this.#rooms)
    this.#people.update(this.#settings.name, shown.names)
    find('room', HTMLElement).textContent = shown.name
    const state = find('state', HTMLElement)
    state.dataset.state = shown.isOpen ? 'open' : 'closed'
    if (state.textContent !== shown.words) state.textContent = shown.words
    this.#newest.hidden = shown.log.isAtEnd
    const words = shown.unreadCount === 0 ? 'Newest lines' : count(shown.unreadCount, 'new line')
    this.#newest.textContent = `↓ ${words}`
  }
}

new Chat().open()
