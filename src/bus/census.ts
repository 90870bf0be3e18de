// What one process has of a bus that several serve, and what all others of them have: numbers for statistics, at most a few
// seconds old.

/** What a process has, or several of them together. */
export interface Count {
  /** Live subscriptions of the main bus, by path. */
  readonly subscribers: ReadonlyMap<string, number>
  /** Requests that wait for one message, by {@link waitingKey}. */
  readonly waiting: ReadonlyMap<string, number>
  /** Processor time so far. */
  readonly cpuMs: number
  /** Memory. */
  readonly rssBytes: number
}

/** The whole of which this process is a part. */
export interface Census {
  /** When the server began, on this process's clock of `performance.now()`. */
  readonly startedMs: number
  /** What the other processes have. */
  readonly others: Count
}

const NOTHING: Count = { subscribers: new Map(), waiting: new Map(), cpuMs: 0, rssBytes: 0 }

/** Of a process that is alone. */
export function soloCensus(): Census {
  return { startedMs: performance.now(), others: NOTHING }
}

/** What this process costs. */
export function ownCosts(): Pick<Count, 'cpuMs' | 'rssBytes'> {
  const { user, system } = process.cpuUsage()
  return { cpuMs: Math.round((user + system) / 1000), rssBytes: process.memoryUsage.rss() }
}

/** Names a channel of a store. */
export function waitingKey(store: string, channel: string): string {
  // No name of a channel holds a line feed.
  return `${channel}\n${store}`
}

/** All of them together. */
export function sumOf(counts: readonly Count[]): Count {
  return {
    subscribers: mergeOf(counts.map(({ subscribers }) => subscribers)),
    waiting: mergeOf(counts.map(({ waiting }) => waiting)),
    cpuMs: counts.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    rssBytes: counts.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
  }
}

/** Numbers by name, added up. */
export function mergeOf(maps: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const [first, ...others] = maps.filter(({ size }) => size > 0)
  if (others.length === 0) return first ?? new Map<string, number>()
  const merged = new Map(first)
  for (const other of others) {
    for (const [name, count] of other) merged.set(name, (merged.get(name) ?? 0) + count)
  }
  return merged
}
