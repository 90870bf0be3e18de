// A message as a subscriber gets it. Runs in browsers.

/** What a transport reads of one message. */
export interface Incoming {
  readonly id: string
  readonly channel: string
  readonly type: string
  readonly sender: string | null
  /** Milliseconds since 1970 by the server's clock, or null if it does not say. */
  readonly time: number | null
  readonly lost: number | null
  readonly body: Uint8Array<ArrayBuffer>
}

/** Immutable, except for the bytes of the body: leave them as they are, another subscription may share them. */
export class ReceivedMessage {
  /** `epoch-seq`: a place to continue from. */
  declare readonly id: string
  /** Decoded. */
  declare readonly channel: string
  /** Media type in the publisher's own words. */
  declare readonly type: string
  /** The name that the publisher gave; a claim, not proof. */
  declare readonly sender: string | null
  /** When the server took it in; null if the server does not say. */
  declare readonly time: Date | null
  /** Messages that this reader lost right before this one: 0 normally, null for some of which nobody knows how many. */
  declare readonly lost: number | null
  declare readonly body: Uint8Array<ArrayBuffer>

  constructor(message: Incoming, lost: number | null) {
    const time = new Date(message.time ?? NaN)
    // A server that is none of ours may send anything.
    Object.assign(this, message, { time: isNaN(+time) ? null : time, lost })
  }

  get byteLength(): number {
    return this.body.length
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.body
  }

  /** Decoded by the charset of its type; UTF-8 if it names none, or one that is unknown. */
  text(): string {
    const charset = /;\s*charset="?([^";\s]+)/i.exec(this.type)?.[1]
    try {
      return new TextDecoder(charset).decode(this.body)
    } catch {
      return new TextDecoder().decode(this.body)
    }
  }

  /** @throws {SyntaxError} If the body is no JSON. */
  json(): unknown {
    return JSON.parse(this.text())
  }

  blob(): Blob {
    return new Blob([this.body], { type: this.type })
  }
}

/** The media type alone, in lower case: `text/plain` of `Text/Plain; charset=utf-8`. */
export function essenceOf(type: string): string {
  return /^[^;\s]*/.exec(type)?.[0].toLowerCase() ?? ''
}
