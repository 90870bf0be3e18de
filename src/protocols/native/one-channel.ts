// The channel a publish goes to, as the URL spells it.

import { decodeChannel } from '../../channel.ts'
import { MsgbusError } from '../../errors.ts'

/**
 * Decodes the name of exactly one channel.
 * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME`; also for a comma, which separates names for subscribers: publishing to
 *   several channels at once is not offered.
 */
export function decodeOne(spelling: string): string {
  if (spelling.includes(',')) {
    const text = 'Cannot publish to several channels at once: write a comma in a name as %2C'
    throw new MsgbusError('MSGBUS_CHANNEL_NAME', text)
  }
  return decodeChannel(spelling)
}
