// What travels over the bus, and what its metadata may be. A message is immutable and knows nothing of the protocol
// that brought it or of the readers that will get it. Runs in browsers.

import { MsgbusError } from './errors.ts'

const MAX_TYPE_LENGTH = 256
const MAX_SENDER_LENGTH = 1024

/** What a publisher hands in, before the bus has given it an id. */
export interface Draft {
  /** Canonical channel name (see `channel.ts`). */
  readonly channel: string
  /** Media type as the publisher wrote it, at most 256 characters of visible ASCII, blank and tab. */
  readonly type: string
  /**
   * Name the publisher gave, or null when it gave none. The empty string is a name: `sender=` filters apply to it.
   * It is an assertion, never proof. At most 1,024 characters, as for `type`.
   */
  readonly sender: string | null
  /** Any bytes. Not copied: whoever publishes must not change them afterwards. */
  readonly body: Uint8Array
}

/** A draft that the bus has accepted and put in order. */
export interface Message extends Draft {
  /** `epoch-seq`. The epoch names one unbroken sequence; seq is decimal, starts at 1 and grows with every message of the bus. */
  readonly id: string
  /** The number in its id. */
  readonly seq: number
  /** Milliseconds since 1970 by the store's clock. On one channel it never falls, though a clock may be set back. */
  readonly time: number
  /** How many messages of its channel came before it within the same second: with its second, its name on that channel. */
  readonly ordinal: number
}

// What may stand in a header line of a part. CR and LF would start a line of the publisher's own, a NUL ends the line
// for some readers, and bytes above 0x7E mean different letters to different ones.
const HEADER_TEXT = /^[\t\x20-\x7e]*$/

// [RFC 6838 §4.2] names of types, and one parameter [RFC 9110 §5.6.6] with what stands before it. Taken one by one: in
// one expression the blanks between two of them could be read in several ways, which costs time without bound.
const ESSENCE = /^[a-z0-9][\w!#$&^.+-]{0,126}\/[a-z0-9][\w!#$&^.+-]{0,126}/i
const PARAMETER = /^[ \t]*;[ \t]*(?:[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"(?:[^"\\]|\\.)*"))?/

function isMediaType(type: string): boolean {
  let found = ESSENCE.exec(type)
  if (found?.[0].length === type.length) return true
  let rest = type
  while (found !== null) {
    rest = rest.slice(found[0].length)
    found = PARAMETER.exec(rest)
  }
  return rest !== type && /^[ \t]*$/.test(rest)
}

/**
 * Checks the type of a message and returns the one it is to carry: the publisher's own words, or
 * `application/octet-stream` for words that are no media type and that a browser might guess about.
 * @throws {MsgbusError} `MSGBUS_TYPE` if it is empty, too long or could not stand in a header line.
 */
export function checkType(type: string): string {
  if (type === '') throw new MsgbusError('MSGBUS_TYPE', 'Cannot publish: a Content-Type is required')
  if (type.length > MAX_TYPE_LENGTH) {
    throw new MsgbusError(
      'MSGBUS_TYPE',
      `Cannot publish: Content-Type is ${type.length} characters, at most ${MAX_TYPE_LENGTH} allowed`,
    )
  }
  if (!HEADER_TEXT.test(type)) {
    throw new MsgbusError(
      'MSGBUS_TYPE',
      'Cannot publish: Content-Type holds characters other than visible ASCII',
    )
  }
  return isMediaType(type) ? type : 'application/octet-stream'
}

/**
 * Checks the name a publisher gave.
 * @throws {MsgbusError} `MSGBUS_SENDER` if it is too long or could not stand in a header line.
 */
export function checkSender(sender: string | null): string | null {
  if (sender === null) return null
  if (sender.length > MAX_SENDER_LENGTH) {
    throw new MsgbusError(
      'MSGBUS_SENDER',
      `Cannot publish: user name is ${sender.length} characters, at most ${MAX_SENDER_LENGTH} allowed`,
    )
  }
  if (!HEADER_TEXT.test(sender)) {
    throw new MsgbusError(
      'MSGBUS_SENDER',
      'Cannot publish: user name holds characters other than visible ASCII',
    )
  }
  return sender
}
