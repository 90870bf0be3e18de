// Which channels a subscription reads: single names, everything below a name, or everything. Plain data that the bus
// puts into its index. Runs in browsers.

import { decodeChannel } from './channel.ts'
import { MsgbusError } from './errors.ts'

const MAX_PATHS = 64

/**
 * The parts of a matcher: `a/b` is that channel, `a/` everything below it (not `a` itself), the empty string everything.
 */
export interface Matcher {
  readonly paths: readonly string[]
  /** True when messages of more than one channel may arrive, so that each must carry its channel. */
  readonly isWide: boolean
}

/**
 * Reads a matcher from its spelling in a URL: names or subtrees separated by commas, nothing for everything.
 * A comma inside a name is written `%2C`.
 * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME` for a bad name or more than 64 of them.
 */
export function parseMatcher(spelling: string): Matcher {
  if (spelling === '') return { paths: [''], isWide: true }
  const spellings = spelling.split(',')
  if (spellings.length > MAX_PATHS) {
    throw new MsgbusError(
      'MSGBUS_CHANNEL_NAME',
      `Cannot read ${spellings.length} channels at once: at most ${MAX_PATHS} allowed`,
    )
  }
  const paths = [...new Set(spellings.map(parsePath))].sort()
  return { paths, isWide: paths.length > 1 || paths.some(path => path.endsWith('/')) }
}

function parsePath(spelling: string): string {
  return spelling.endsWith('/') ? `${decodeChannel(spelling.slice(0, -1))}/` : decodeChannel(spelling)
}

/** True when a matcher with these paths takes in the channel. */
export function matchesChannel(paths: readonly string[], channel: string): boolean {
  return paths.some(path =>
    isTree(path) ? channel.length > path.length && channel.startsWith(path) : channel === path,
  )
}

/** True for a path that stands for more than one channel. */
export function isTree(path: string): boolean {
  return path === '' || path.endsWith('/')
}
