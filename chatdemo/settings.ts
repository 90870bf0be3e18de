// What the chat remembers in this browser: the name, which lines were sent from here, and how far each room was read.
// Where nothing can be kept, it is remembered until the page is closed.

const PREFIX = 'msgbus-chat-'
const MAX_OWN_LINES = 500

export class Settings {
  readonly #storage: Storage | null = openStorage()
  readonly #values = new Map<string, string>()

  /** Empty for somebody without one. */
  get name(): string {
    return this.#get('name') ?? ''
  }

  set name(name: string) {
    this.#set('name', name)
  }

  /** Whether somebody has said under which name to write, or that none is wanted. */
  get isNamed(): boolean {
    return this.#get('name') !== null
  }

  /** Notes that a line was sent from here; the oldest ones are forgotten. */
  addOwn(room: string, nonce: string): void {
    this.#set('own', [...this.#own(), `${nonce} ${room}`].slice(-MAX_OWN_LINES).join('\n'))
  }

  isOwn(room: string, nonce: string): boolean {
    return this.#own().includes(`${nonce} ${room}`)
  }

  /** Id of the last message of a room that was in view; null if none ever was. */
  lastRead(room: string): string | null {
    return this.#get(`read-${room}`)
  }

  setLastRead(room: string, id: string): void {
    this.#set(`read-${room}`, id)
  }

  #own(): readonly string[] {
    return (this.#get('own') ?? '').split('\n')
  }

  #get(key: string): string | null {
    return this.#values.get(key) ?? this.#storage?.getItem(PREFIX + key) ?? null
  }

  #set(key: string, value: string): void {
    try {
      if (this.#storage === null) this.#values.set(key, value)
      else this.#storage.setItem(PREFIX + key, value)
    } catch {
      // Full, or forbidden by now.
      this.#values.set(key, value)
    }
  }
}

function openStorage(): Storage | null {
  try {
    return localStorage
  } catch {
    // [WHATWG HTML §12.2.3] a person may forbid it.
    return null
  }
}
