// What a bus does at one moment, and the lines that tell it: all of it, or what has changed since another one
// (doc/protocol/statistics.md). It knows no readers and no clock.

import type { Bus } from '../../bus/bus.ts'
import { type Census, mergeOf, ownCosts } from '../../bus/census.ts'
import { isTree } from '../../matcher.ts'
import type { ChannelRecord } from '../../store/store.ts'

/** So many channels are listed, those with the newest messages. */
export const MAX_CHANNELS = 1_000

/** So many paths of wide subscriptions are listed, those with the most readers. */
export const MAX_WIDE = 100

/** One moment. Shared by all readers, so what they have in common is JSON already. */
export interface Snapshot {
  /** The beginning of a line, up to its channels. */
  readonly head: string
  /** JSON of each listed channel by its name, newest first. */
  readonly channels: ReadonlyMap<string, string>
}

/** @param census Of the other processes that serve the bus, and what is told is of all of them. */
export async function takeSnapshot(bus: Bus, { startedMs, others }: Census): Promise<Snapshot> {
  const subscribers = mergeOf([bus.subscriberCounts(), others.subscribers])
  const silent = new Map([...subscribers].filter(([path]) => !isTree(path)))
  const newest = new Newest()
  const totals = { messages: 0, bytes: 0, channels: 0, subscribers: sum(subscribers.values()) }
  for (const record of await bus.channels()) {
    totals.messages += record.messageCount
    totals.bytes += record.byteCount
    totals.channels++
    silent.delete(record.name)
    newest.add(record)
  }
  // Somebody waits there already.
  for (const name of silent.keys()) {
    totals.channels++
    newest.add({ name, messageCount: 0, byteCount: 0, keptCount: 0, newest: undefined })
  }
  const { cpuMs, rssBytes } = ownCosts()
  const head = {
    time: Date.now(),
    uptimeMs: Math.round(performance.now() - startedMs),
    totals,
    process: { cpuMs: cpuMs + others.cpuMs, rssBytes: rssBytes + others.rssBytes },
    wide: listWide(subscribers),
  }
  return {
    head: JSON.stringify(head).slice(0, -1),
    channels: new Map(
      newest.records.map(record => [record.name, describe(record, subscribers.get(record.name) ?? 0)]),
    ),
  }
}

/** All that is listed. */
export function wholeLine({ head, channels }: Snapshot): string {
  return toLine(head, [...channels.values()], [])
}

/** What is new or changed since another snapshot, and the names that are no longer listed. */
export function changesLine(before: Snapshot, { head, channels }: Snapshot): string {
  const changed = [...channels].filter(([name, text]) => before.channels.get(name) !== text)
  const gone = [...before.channels.keys()].filter(name => !channels.has(name))
  return toLine(
    head,
    changed.map(([, text]) => text),
    gone,
  )
}

function toLine(head: string, channels: readonly string[], gone: readonly string[]): string {
  return `${head},"channels":[${channels.join(',')}],"gone":${JSON.stringify(gone)}}`
}

function describe({ name, messageCount, byteCount, newest }: ChannelRecord, subscribers: number): string {
  const last = newest === undefined ? null : { ...pick(newest), size: newest.body.length }
  return JSON.stringify({ name, messageCount, byteCount, subscribers, last })
}

function pick({ id, time, type, sender }: NonNullable<ChannelRecord['newest']>) {
  return { id, time, type, sender }
}

function listWide(subscribers: ReadonlyMap<string, number>) {
  const wide = [...subscribers].filter(([path]) => isTree(path))
  return wide
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_WIDE)
    .map(([path, count]) => ({ path, subscribers: count }))
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0)
}

/** Picks the channels with the newest messages out of any number, and sorts only a few of them. */
class Newest {
  // 0 if the last message of a channel is gone, or there was none.
  #found: { readonly seq: number; readonly record: ChannelRecord }[] = []
  #minSeq = 0

  add(record: ChannelRecord): void {
    const seq = record.newest?.seq ?? 0
    if (seq < this.#minSeq) return
    this.#found.push({ seq, record })
    if (this.#found.length === 4 * MAX_CHANNELS) this.#cut()
  }

  get records(): readonly ChannelRecord[] {
    this.#cut()
    return this.#found.map(({ record }) => record)
  }

  #cut(): void {
    this.#found.sort((a, b) => b.seq - a.seq)
    this.#found = this.#found.slice(0, MAX_CHANNELS)
    this.#minSeq = this.#found[MAX_CHANNELS - 1]?.seq ?? 0
  }
}
