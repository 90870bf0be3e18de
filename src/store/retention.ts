// How much history a store keeps: by count, bytes and age, per channel and in total. Plain data.

/** Whatever limit is met first counts. The oldest messages go first. */
export interface Retention {
  /** Messages kept per channel; 0 keeps none. */
  readonly maxCount: number
  /** Bytes kept per channel: bodies, and an allowance for each message. */
  readonly maxBytes: number
  readonly maxAgeMs: number
  /** Messages kept over all channels. */
  readonly maxTotalCount: number
  readonly maxTotalBytes: number
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
  for (const [name, value] of Object.entries(retention)) {
    if (!(value >= 0))
      throw new RangeError(`Cannot set "${name}": current value is ${value}, 0 or more allowed`)
  }
  return retention
}
