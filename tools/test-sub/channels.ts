// Which stream each subscriber asks for.

import { encodeChannel } from '../../src/channel.ts'
import { UsageError } from '../run-error.ts'
import { channelNames, pathOf, type Target } from '../target.ts'

/** One stream to ask for. */
export interface StreamName {
  readonly path: string
  /** The one channel of it, or null if there may be several. */
  readonly channel: string | null
}

/**
 * The streams that are to be read, each by as many subscribers as it takes.
 * @param channel A name, a list of them, a name with a slash at the end, or nothing.
 * @throws {UsageError} for what is none of these.
 */
export function streamNames(target: Target, channel: string, count: number): readonly StreamName[] {
  const isWide = channel === '' || channel.endsWith('/') || channel.includes(',')
  if (!isWide) {
    return channelNames(channel, count).map(name => ({ path: pathOf(target, name), channel: name }))
  }
  if (count > 1) {
    throw new UsageError(
      'command line: "channels": expected a single name in "channel" beside it, found several',
    )
  }
  return [{ path: `${target.prefix}${channel.split(',').map(encodeChannel).join(',')}`, channel: null }]
}
