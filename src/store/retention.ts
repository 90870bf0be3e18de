// How much history a store keeps: by count, bytes of bodies and age, per channel and in total. Plain data.

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
