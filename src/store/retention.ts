// How much history a store keeps: by count, bytes and age, per channel and in total, and where a channel has limits of its
// own. Plain data; what has to go is decided elsewhere.

/** What is kept of one channel. Whatever limit is met first counts. The oldest messages go first. */
export interface ChannelRetention {
  /** Messages kept per channel; 0 keeps none. */
  readonly maxCount: number
  /** Bytes kept per channel: bodies, and an allowance for each message. */
  readonly maxBytes: number
  readonly maxAgeMs: number
}

/** Limits of some channels; what is not named is as for all channels of the store. */
export interface RetentionRule extends Partial<ChannelRetention> {
  /** As in a matcher: `a/b` is that channel, `a/` everything below it, the empty string everything. */
  readonly paths: readonly string[]
}

export interface Retention extends ChannelRetention {
  /** Messages kept over all channels. */
  readonly maxTotalCount: number
  readonly maxTotalBytes: number
  /** The one with the longest path that fits a channel counts for it; of two with the same path, the later one. */
  readonly rules?: readonly RetentionRule[]
}

export const DEFAULT_RETENTION: Retention = {
  maxCount: 100,
  maxBytes: 16 * 2 ** 20,
  maxAgeMs: 3_600_000,
  maxTotalCount: 200_000,
  maxTotalBytes: 64 * 2 ** 20,
}

/**
 * Completes limits that code gives; `Infinity` is none.
 * @throws {RangeError} for one that is negative or no number.
 */
export function completeRetention(given: Partial<Retention>): Retention {
  const retention = { ...DEFAULT_RETENTION, ...given }
  for (const limits of [retention, ...(retention.rules ?? [])]) {
    for (const [name, value] of Object.entries(limits) as [string, unknown][]) {
      if (name === 'rules' || name === 'paths') continue
      if (typeof value === 'number' && value >= 0) continue
      throw new RangeError(`Cannot set "${name}": current value is ${String(value)}, 0 or more allowed`)
    }
  }
  return retention
}

/** Prepares the look-up of what is kept of a channel. */
export function limitsByChannel(retention: Retention): (channel: string) => ChannelRetention {
  const { maxCount, maxBytes, maxAgeMs, rules = [] } = retention
  const limits = { maxCount, maxBytes, maxAgeMs }
  const limitsOf = new Map(
    rules.flatMap(({ paths, ...own }) => paths.map(path => [path, { ...limits, ...own }] as const)),
  )
  return channel => {
    const own = limitsOf.get(channel)
    if (own !== undefined) return own
    let end = channel.length
    while (end > 0) {
      end = channel.lastIndexOf('/', end - 1)
      const below = limitsOf.get(channel.slice(0, end + 1))
      if (below !== undefined) return below
    }
    return limits
  }
}
