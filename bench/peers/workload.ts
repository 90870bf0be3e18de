// What every server is put through. A workload says who reads what, and how it is published; it is over in seconds.

import type { Course } from './course.ts'
import type { Channel, Feed } from './feed.ts'
import type { Crowd } from './crowd.ts'

/** What a workload has to do with. */
export interface Stage {
  readonly channels: readonly Channel[]
  readonly crowd: Crowd
  readonly feed: Feed
}

export interface Workload {
  readonly key: string
  readonly title: string
  readonly bodyBytes: number
  readonly channelCount: number
  /** On each channel. */
  readonly readerCount: number
  /** On channels to which nothing is published. */
  readonly bystanderCount?: number
  /** Of the readers of the first channel, besides those that read. */
  readonly stalledCount?: number
  readonly isTls?: boolean
  /** True if only a server that takes a stream of messages can do it. */
  readonly needsStream?: boolean
  /** True if nothing is published: only what the connections cost is looked at. */
  readonly isIdle?: boolean
  /** True for one of two that say something about one server, not about several. */
  readonly isOwn?: boolean
  /** What is compared: deliveries or publishes per second of the server's time. */
  readonly unit: 'deliveries' | 'publishes'
  /** Goes before and is not counted; a second of messages one at a time by default. */
  readonly warmUp?: (stage: Stage) => Promise<void>
  readonly run: (stage: Stage) => Promise<void>
}

type Run = Workload['run']

// What runs for days is measured when it is warm.
const WARM_UP_MS = 1_000
// Until the kernel holds all that it takes for a reader that has stopped: some megabytes.
const STALL_MS = 10_000
const FLOOD_MS = 4_000
const FLOOD_WINDOW = 64
const STREAM_WINDOW = 1_000
const CLOSED_COUNT = 400

const one = { channelCount: 1, readerCount: 1_000, bodyBytes: 100, unit: 'deliveries' } as const

const closed: Run = async ({ channels, crowd, feed }) => {
  await feed.oneAtATime(first(channels), first(crowd.readers), CLOSED_COUNT)
}

const closedFor =
  (forMs: number): Run =>
  async ({ channels, crowd, feed }) => {
    await feed.oneAtATime(first(channels), first(crowd.readers), Infinity, forMs)
  }

const flood =
  (forMs: number): Run =>
  async ({ channels, feed }) => {
    await feed.flood(() => first(channels), FLOOD_WINDOW, forMs)
  }

const stream =
  (forMs: number): Run =>
  async ({ channels, crowd, feed }) => {
    await feed.stream(first(channels), first(crowd.readers), STREAM_WINDOW, forMs)
  }

const paced =
  (perSecond: number, forMs: number): Run =>
  async ({ channels, feed }) => {
    await feed.pace(first(channels), perSecond, forMs)
  }

const scattered =
  (forMs: number): Run =>
  async ({ channels, feed }) => {
    // The same order for all servers.
    let at = 1
    const next = (): Channel => {
      at = (at * 48_271) % 2_147_483_647
      return channels[at % channels.length] ?? first(channels)
    }
    await feed.flood(next, FLOOD_WINDOW, forMs)
  }

const flooded = { warmUp: flood(WARM_UP_MS), run: flood(FLOOD_MS) } as const

const idle = { ...one, readerCount: 9_000, isIdle: true, run: () => Promise.resolve() } as const

export const WORKLOADS: readonly Workload[] = [
  { ...one, key: 'a', title: '1,000 readers, 100 B, one message at a time', run: closed },
  { ...one, key: 'b', title: '1,000 readers, 100 B, 64 in flight', ...flooded },
  { ...one, key: 'c', title: '9,000 readers, 100 B, 5 a second', readerCount: 9_000, run: paced(5, 8_000) },
  { ...one, key: 'd', title: '1 reader, 100 B, 64 in flight', readerCount: 1, unit: 'publishes', ...flooded },
  {
    ...{ ...one, key: 'd2', title: '1 reader, 100 B, one request that goes on', readerCount: 1 },
    ...{ unit: 'publishes', needsStream: true, warmUp: stream(WARM_UP_MS), run: stream(FLOOD_MS) },
  },
  {
    ...{ ...one, key: 'e', title: '200 readers, 100 kB, 30 a second', readerCount: 200, bodyBytes: 100_000 },
    run: paced(30, 6_000),
  },
  {
    ...{ ...one, key: 'f', title: '1,000 channels of 10 readers, 100 B, 64 in flight', channelCount: 1_000 },
    ...{ readerCount: 10, warmUp: scattered(WARM_UP_MS), run: scattered(FLOOD_MS) },
  },
  {
    ...one,
    key: 'g',
    title: '10 readers, 100 B, 64 in flight',
    readerCount: 10,
    unit: 'publishes',
    isOwn: true,
    ...flooded,
  },
  {
    ...{ ...one, key: 'g2', title: '10 readers, and 9,990 of other channels, 100 B, 64 in flight' },
    ...{ readerCount: 10, bystanderCount: 9_990, unit: 'publishes', isOwn: true, ...flooded },
  },
  { ...one, key: 'h', title: 'a over TLS', isTls: true, run: closed },
  { ...one, key: 'h2', title: 'b over TLS', isTls: true, ...flooded },
  {
    ...one,
    key: 'i',
    title: '900 readers, 10 kB, 20 a second',
    readerCount: 900,
    bodyBytes: 10_000,
    isOwn: true,
    ...{ warmUp: closedFor(STALL_MS), run: paced(20, 6_000) },
  },
  {
    ...{ ...one, key: 'i2', title: '900 readers, and 100 that never read, 10 kB, 20 a second' },
    ...{ readerCount: 900, stalledCount: 100, bodyBytes: 10_000, isOwn: true },
    ...{ warmUp: closedFor(STALL_MS), run: paced(20, 6_000) },
  },
  { ...idle, key: 'j', title: '9,000 readers that get nothing' },
  { ...idle, key: 'j2', title: 'j over TLS', isTls: true },
]

function first<Item>(items: readonly Item[]): Item {
  const [item] = items
  if (item === undefined) throw new RangeError('Cannot run a workload for nobody')
  return item
}

/** What goes before a workload that says nothing of it. */
export const warmUp: Run = closedFor(WARM_UP_MS)

/** So that each course is named after its place. */
export function nameOf(at: number): string {
  return `bench/${at}`
}

/** Channels with what their readers are to get. */
export function channelsOf(workload: Workload, makeCourse: () => Course): Channel[] {
  return Array.from({ length: workload.channelCount }, (_, at) => ({
    name: nameOf(at),
    course: makeCourse(),
  }))
}
