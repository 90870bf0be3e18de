// Who is in a room: every page says so on a channel beside it when it comes, every half minute and when it leaves. Who
// has been silent for too long is taken to be gone. Claims, as names are. Knows nothing of the page.

import { type Client, MsgbusError, type Subscription } from '../client/index.ts'
import { newNonce, tidyName } from '../client/marks.ts'

/** Messages of this type are no lines, in whatever channel they come. */
export const PRESENCE_TYPE = 'application/x-msgbus-presence+json'

const ANNOUNCE_MS = 30_000
const SILENCE_MS = 75_000
/** More are not counted. */
const MAX_VISITORS = 500

/** One open page. */
interface Visitor {
  readonly name: string
  readonly seenMs: number
}

interface Announcement {
  readonly visitor: string
  readonly name: string
  readonly isHere: boolean
}

export interface PresenceOptions {
  readonly client: Client
  readonly room: string
  /** Name of this visitor, empty for none. */
  readonly name: () => string
  /** Called when somebody came, left or took another name. */
  readonly onChange: () => void
}

export class Presence {
  readonly #options: PresenceOptions
  readonly #channel: string
  readonly #visitor = newNonce()
  readonly #others = new Map<string, Visitor>()
  readonly #subscription: Subscription
  readonly #timer: ReturnType<typeof setInterval>
  /** Says that this visitor is gone. */
  readonly #leave: () => void

  /** @throws {MsgbusError} If there can be no channel beside that of the room. */
  constructor(options: PresenceOptions) {
    const { client, room } = options
    this.#options = options
    this.#channel = `${room}/presence`
    this.#subscription = client.subscribe([this.#channel], {
      type: PRESENCE_TYPE,
      since: `${SILENCE_MS / 1_000}s`,
      onState: state => {
        if (state === 'open') this.announce()
      },
    })
    this.#timer = setInterval(() => {
      this.announce()
      this.#forget()
    }, ANNOUNCE_MS)
    const url = `/msgbus/${this.#channel.split('/').map(encodeURIComponent).join('/')}`
    const farewell = new Blob([JSON.stringify(this.#announcement(false))], { type: PRESENCE_TYPE })
    // A page that goes is given hardly any time (Firefox stops a script that does more), and no answer.
    this.#leave = () => navigator.sendBeacon(url, farewell)
    addEventListener('pagehide', this.#leave)
    void this.#read()
  }

  /** Names of the others, one for each page that is open; empty for somebody without one. */
  get names(): readonly string[] {
    return Array.from(this.#others.values(), ({ name }) => name)
  }

  /** Says that this visitor is here, and under which name. */
  announce(): void {
    const options = { type: PRESENCE_TYPE }
    // The next one comes soon, and whether there is a connection is told elsewhere.
    this.#options.client.publish(this.#channel, this.#announcement(true), options).catch(() => undefined)
  }

  close(): void {
    this.#leave()
    removeEventListener('pagehide', this.#leave)
    clearInterval(this.#timer)
    this.#subscription.close()
  }

  #announcement(isHere: boolean): Announcement {
    return { visitor: this.#visitor, name: this.#options.name(), isHere }
  }

  async #read(): Promise<void> {
    try {
      for await (const message of this.#subscription) {
        const announcement = readAnnouncement(message.text())
        if (announcement !== null && announcement.visitor !== this.#visitor) this.#note(announcement)
      }
    } catch (error) {
      // Otherwise the room, which ends with it, tells of it.
      if (!(error instanceof MsgbusError)) throw error
    }
  }

  #note({ visitor, name, isHere }: Announcement): void {
    const known = this.#others.get(visitor)
    if (!isHere) this.#others.delete(visitor)
    else if (known !== undefined || this.#others.size < MAX_VISITORS)
      this.#others.set(visitor, { name, seenMs: performance.now() })
    if ((known !== undefined) !== isHere || known?.name !== name) this.#options.onChange()
  }

  #forget(): void {
    const silent = [...this.#others].filter(([, { seenMs }]) => performance.now() - seenMs > SILENCE_MS)
    for (const [visitor] of silent) this.#others.delete(visitor)
    if (silent.length > 0) this.#options.onChange()
  }
}

/** null for what is no announcement: anybody can publish anything. */
function readAnnouncement(text: string): Announcement | null {
  try {
    const { visitor, name, isHere } = (JSON.parse(text) ?? {}) as Readonly<Record<string, unknown>>
    if (typeof visitor !== 'string' || !/^\w{8,40}$/.test(visitor)) return null
    if (typeof name !== 'string' || typeof isHere !== 'boolean') return null
    return { visitor, name: tidyName(name), isHere }
  } catch {
    return null
  }
}
