// The channel that an id stands for. An id is whatever stands in the URL, any bytes, percent-escaped or not; a channel name
// of the bus is decoded text with rules (`channel.ts`).

import { checkChannel, decodeChannel } from '../../channel.ts'
import { MsgbusError } from '../../errors.ts'

/**
 * Names the channel of an id.
 *
 * It is the decoded id where that is a channel name, so that all protocols call it the same. An id that no name can be
 * made of is a name as it stands, escapes and all; if it is not even that (empty and dot segments, too many of them),
 * with its slashes and dots escaped.
 * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME` for an id that is empty or longer than 255 bytes.
 */
export function channelOf(id: string): string {
  return attempt(decodeChannel, id) ?? attempt(checkChannel, id) ?? checkChannel(escape(id))
}

function attempt(read: (text: string) => string, text: string): string | null {
  try {
    return read(text)
  } catch (error) {
    if (error instanceof MsgbusError) return null
    throw error
  }
}

function escape(id: string): string {
  const segment = id.replaceAll('/', '%2F')
  return /^\.{1,2}$/.test(segment) ? segment.replaceAll('.', '%2E') : segment
}
