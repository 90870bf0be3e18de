// Puts one server through one workload and says what it did and what it cost.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LatencySummary } from '../../tools/latency.ts'
import type { ServerProcess } from '../process.ts'
import type { Contender } from './contender.ts'
import { Course } from './course.ts'
import { Crowd, type Target } from './crowd.ts'
import { Feed } from './feed.ts'
import { Tally } from './tally.ts'
import { channelsOf, nameOf, warmUp, type Workload } from './workload.ts'

// What does not come for so long is lost.
const QUIET_MS = 2_000

export interface Figure {
  /** Messages that reached a reader. */
  readonly deliveredCount: number
  readonly publishedCount: number
  /** Deliveries that did not come. */
  readonly lostCount: number
  /** Deliveries with a wrong byte, twice or out of order. */
  readonly faultCount: number
  /** Of the server: user and system time. */
  readonly cpuSeconds: number
  readonly seconds: number
  /** From before it is sent to when it is read, in milliseconds. */
  readonly latency: LatencySummary | null
  /** Of the server, at the end. */
  readonly rssBytes: number
  /** Grown by the connections of the readers, per reader. */
  readonly rssBytesPerReader: number
  /** That readers got. */
  readonly byteCount: number
}

export async function measure(contender: Contender, workload: Workload, pemFile: string): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'msgbus-bench-'))
  let server: ServerProcess | null = null
  try {
    const isTls = workload.isTls === true
    server = await contender.start({ folder, pemFile: isTls ? pemFile : null })
    return await run(server, { port: server.port, isTls, wire: contender.wire }, workload)
  } finally {
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function run(server: ServerProcess, target: Target, workload: Workload): Promise<Figure> {
  const { bodyBytes, channelCount, readerCount, bystanderCount = 0, stalledCount = 0 } = workload
  const tally = new Tally()
  const makeCourse = (): Course => new Course(bodyBytes, tally)
  const channels = channelsOf(workload, makeCourse)
  const crowd = new Crowd(target, tally)
  await server.idle()
  const rssBefore = server.rssBytes()
  await crowd.open(channels.flatMap(channel => Array.from({ length: readerCount }, () => channel)))
  const bystanders = Array.from({ length: bystanderCount }, (_, at) => nameOf(channelCount + at))
  await crowd.open(bystanders.map(name => ({ name, course: makeCourse() })))
  await crowd.stall(nameOf(0), stalledCount)
  const feed = await Feed.open(target, bodyBytes)
  try {
    await server.idle()
    const rssBytesPerReader = (server.rssBytes() - rssBefore) / (crowd.readers.length + stalledCount)
    const stage = { channels, crowd, feed }
    if (workload.isIdle !== true) await (workload.warmUp ?? warmUp)(stage)
    await settle(tally, server)
    tally.reset()
    const sentBefore = sum(channels.map(({ course }) => course.sentMs.length))
    const cpuBefore = server.cpuSeconds()
    const startedMs = performance.now()
    await workload.run(stage)
    const publishedCount = sum(channels.map(({ course }) => course.sentMs.length)) - sentBefore
    const expectedCount = publishedCount * readerCount
    const endedMs = await allDelivered(tally, expectedCount)
    await settle(tally, server)
    return {
      deliveredCount: tally.deliveredCount,
      publishedCount,
      lostCount: expectedCount - tally.deliveredCount,
      faultCount: tally.faultCount,
      cpuSeconds: server.cpuSeconds() - cpuBefore,
      seconds: (endedMs - startedMs) / 1000,
      latency: tally.latency.summary(),
      rssBytes: server.rssBytes(),
      rssBytesPerReader,
      byteCount: tally.byteCount,
    }
  } finally {
    feed.close()
    crowd.close()
  }
}

// When the last one came that was waited for, or will ever come.
async function allDelivered(tally: Tally, expectedCount: number): Promise<number> {
  let count = tally.deliveredCount
  let changedMs = performance.now()
  while (tally.deliveredCount < expectedCount && performance.now() - changedMs < QUIET_MS) {
    await sleep(5)
    if (tally.deliveredCount === count) continue
    count = tally.deliveredCount
    changedMs = performance.now()
  }
  return changedMs
}

async function settle(tally: Tally, server: ServerProcess): Promise<void> {
  for (let before = -1; before !== tally.byteCount;) {
    before = tally.byteCount
    await server.idle()
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
