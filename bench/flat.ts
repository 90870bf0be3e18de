// Prints what must not grow: what a delivery costs from 10 to 9,000 readers, what a publish costs from 1 to 100,000 known channels,
// and the server's memory during a flood of ten minutes. Every delivery is checked. About 13 minutes; Linux with two cores.
//
//   npm run bench:flat [-- --minutes 10]

import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Course } from './peers/course.ts'
import { Crowd } from './peers/crowd.ts'
import { type Channel, Feed } from './peers/feed.ts'
import { msgbus } from './peers/msgbus.ts'
import { median } from './peers/report.ts'
import { Tally } from './peers/tally.ts'
import type { ServerProcess } from './process.ts'

const BODY_BYTES = 100
const ROUNDS = 3
const WINDOW = 64
const FLOOD_MS = 3_000
const SAMPLE_MS = 30_000

interface Rig {
  readonly server: ServerProcess
  readonly channel: Channel
  readonly crowd: Crowd
  readonly feed: Feed
  readonly tally: Tally
}

/** Starts a server with so many readers on one channel, and stops it when `use` is done. */
async function withServer<Result>(readerCount: number, use: (rig: Rig) => Promise<Result>): Promise<Result> {
  const contender = msgbus('msgbus')
  const server = await contender.start({ folder: '', pemFile: null })
  const target = { port: server.port, isTls: false, wire: contender.wire }
  const tally = new Tally()
  const channel = { name: 'bench/0', course: new Course(BODY_BYTES, tally) }
  const crowd = new Crowd(target, tally)
  try {
    await crowd.open(Array.from({ length: readerCount }, () => channel))
    const feed = await Feed.open(target, BODY_BYTES)
    const result = await use({ server, channel, crowd, feed, tally })
    const sentCount = channel.course.sentMs.length
    if (tally.faultCount > 0 || tally.deliveredCount !== sentCount * readerCount) {
      throw new Error(
        `Cannot trust these figures: ${tally.deliveredCount} of ${sentCount * readerCount} came`,
      )
    }
    feed.close()
    return result
  } finally {
    crowd.close()
    await server.stop()
  }
}

async function cpuMicroseconds(server: ServerProcess, act: () => Promise<void>): Promise<number> {
  await server.idle()
  const before = server.cpuSeconds()
  await act()
  await server.idle()
  return (server.cpuSeconds() - before) * 1e6
}

async function costPerDelivery(readerCount: number): Promise<number> {
  return withServer(readerCount, async ({ server, channel, crowd, feed }) => {
    const [witness] = crowd.readers
    if (witness === undefined) throw new RangeError('Cannot measure a delivery without readers')
    const messageCount = Math.max(50, Math.round(400_000 / readerCount))
    await feed.oneAtATime(channel, witness, Math.ceil(messageCount / 4))
    const microseconds = await cpuMicroseconds(server, () => feed.oneAtATime(channel, witness, messageCount))
    return microseconds / messageCount / readerCount
  })
}

async function costPerPublish(channelCount: number): Promise<readonly [one: number, all: number]> {
  return withServer(1, async ({ server, channel, feed, tally }) => {
    // Nobody reads these.
    const course = new Course(BODY_BYTES, tally)
    const others = Array.from({ length: channelCount - 1 }, (_, at) => ({ name: `bench/${at + 1}`, course }))
    const known = [channel, ...others]
    let at = 0
    const inTurn = (): Channel => known[at++ % known.length] ?? channel
    while (at < known.length) await feed.flood(inTurn, WINDOW, 500)
    const flood = async (next: () => Channel): Promise<number> => {
      const sent = (): number => channel.course.sentMs.length + course.sentMs.length
      const before = sent()
      const microseconds = await cpuMicroseconds(server, () => feed.flood(next, WINDOW, FLOOD_MS))
      return microseconds / (sent() - before)
    }
    const one = await flood(() => channel)
    // A step that no number of channels shares a factor with.
    return [one, await flood(() => known[(at += 48_271) % known.length] ?? channel)]
  })
}

async function floodMemory(minutes: number): Promise<void> {
  await withServer(100, async ({ server, channel, feed, tally }) => {
    for (let sampled = 0; sampled * SAMPLE_MS < minutes * 60_000; sampled++) {
      await feed.flood(() => channel, WINDOW, SAMPLE_MS)
      const seconds = ((sampled + 1) * SAMPLE_MS) / 1000
      const mib = Math.round(server.rssBytes() / 2 ** 20)
      process.stdout.write(
        `${`${seconds}`.padStart(5)} s  ${mib} MiB  ${(tally.deliveredCount / 1e6).toFixed(1)} million deliveries\n`,
      )
    }
    await server.idle()
  })
}

async function middle(measure: () => Promise<number>): Promise<number> {
  const costs: number[] = []
  for (let round = 0; round < ROUNDS; round++) costs.push(await measure())
  return median(costs)
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
execFileSync('taskset', ['-cp', '1', String(process.pid)])
process.stdout.write(`server's CPU time per delivery, ${BODY_BYTES} bytes, one message at a time\n`)
for (const readerCount of [10, 100, 1_000, 9_000]) {
  const microseconds = await middle(() => costPerDelivery(readerCount))
  process.stdout.write(`${`${readerCount}`.padStart(7)} readers   ${microseconds.toFixed(2)} µs\n`)
}
process.stdout.write(`server's CPU time per publish, ${WINDOW} in flight, 1 reader\n`)
for (const channelCount of [1, 1_000, 100_000]) {
  const [one, all] = await costPerPublish(channelCount)
  process.stdout.write(
    `${`${channelCount}`.padStart(7)} channels  ${one.toFixed(2)} µs to one of them, ${all.toFixed(2)} µs to all in turn\n`,
  )
}
process.stdout.write(`server's memory during a flood, ${WINDOW} in flight, 100 readers\n`)
await floodMemory(Number(values.minutes))
process.exit(0)
