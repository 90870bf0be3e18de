// Prints the fan-out figures of msgbus beside a plain loop of socket.write, over the same sockets and in the shortest server
// there is: deliveries per second of server CPU time, and memory per idle stream. They take turns, in an order that turns
// round, and are compared round by round: a machine is never as fast twice. The server has core 0, the load core 1. Linux
// with two cores; about three minutes.
//
//   npm run bench:fanout

import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Publisher, Subscribers } from './load.ts'
import { median } from './peers/report.ts'
import { type ServerProcess, startServer } from './process.ts'

const SUBSCRIBERS = 1_000
const BODY_BYTES = 100
const ROUNDS = 5
const WARM_UP_MESSAGES = 100
const IDLE_STREAMS = 9_000

const PATH = '/msgbus/flood'
const SERVERS = {
  msgbus: [new URL('../src/cli.js', import.meta.url).pathname, '-p', '0'],
  'same sockets': [new URL('same-sockets.js', import.meta.url).pathname],
  'bare server': [new URL('plain-loop.js', import.meta.url).pathname],
} as const

type ServerName = keyof typeof SERVERS

const NAMES: readonly ServerName[] = ['msgbus', 'same sockets', 'bare server']

const WORKLOADS = {
  'one at a time': { window: 1, counts: { msgbus: 800, 'same sockets': 800, 'bare server': 800 } },
  // The loop takes a hundred seconds for what msgbus does in four.
  'pipelined flood': { window: 64, counts: { msgbus: 20_000, 'same sockets': 1_000, 'bare server': 1_000 } },
} as const

execFileSync('taskset', ['-cp', '1', String(process.pid)])

interface Figure {
  readonly perCpuSecond: number
  readonly perSecond: number
  readonly isSound: boolean
}

async function measure(
  server: ServerProcess,
  { count, window }: { count: number; window: number },
): Promise<Figure> {
  const subscribers = new Subscribers()
  await subscribers.open(server.port, PATH, SUBSCRIBERS)
  const publisher = await Publisher.open(server.port, PATH)
  const publish = async (first: number, last: number): Promise<void> => {
    if (window > 1) await publisher.publish(first, last, BODY_BYTES, window)
    // One at a time means that the message has arrived before the next is sent.
    for (let number = first; window === 1 && number <= last; number++) {
      await publisher.publish(number, number, BODY_BYTES, 1)
      await subscribers.reach(number)
    }
    await subscribers.reach(last)
  }
  await publish(0, WARM_UP_MESSAGES - 1)
  await server.idle()
  const cpuBefore = server.cpuSeconds()
  const startedMs = performance.now()
  await publish(WARM_UP_MESSAGES, WARM_UP_MESSAGES + count - 1)
  const seconds = (performance.now() - startedMs) / 1000
  await server.idle()
  const deliveries = count * SUBSCRIBERS
  const cpuSeconds = server.cpuSeconds() - cpuBefore
  const isSound = subscribers.isSound() && subscribers.lastNumber === WARM_UP_MESSAGES + count - 1
  publisher.close()
  subscribers.close()
  await server.idle()
  return { perCpuSecond: deliveries / cpuSeconds, perSecond: deliveries / seconds, isSound }
}

function thousands(value: number): string {
  return `${Math.round(value / 1000).toLocaleString('en')} k`
}

for (const [workload, { window, counts }] of Object.entries(WORKLOADS)) {
  const figures = new Map<ServerName, Figure[]>(NAMES.map(name => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of round % 2 === 0 ? NAMES : NAMES.toReversed()) {
      const server = await startServer(SERVERS[name])
      figures.get(name)?.push(await measure(server, { count: counts[name], window }))
      await server.stop()
    }
  }
  process.stdout.write(`${workload}: ${SUBSCRIBERS} subscribers, ${BODY_BYTES} bytes, median of ${ROUNDS}\n`)
  for (const [name, rounds] of figures) {
    const perCpu = thousands(median(rounds.map(({ perCpuSecond }) => perCpuSecond)))
    const perSecond = thousands(median(rounds.map(figure => figure.perSecond)))
    const ratios = figures
      .get('msgbus')
      ?.map((own, at) => own.perCpuSecond / (rounds[at]?.perCpuSecond ?? NaN))
    const soundness = rounds.every(({ isSound }) => isSound)
      ? 'every delivery checked'
      : 'DELIVERIES LOST OR OUT OF ORDER'
    const all = rounds.map(({ perCpuSecond }) => thousands(perCpuSecond)).join(', ')
    process.stdout.write(
      `  ${name.padEnd(12)} ${perCpu} deliveries per CPU second (${all}), ${perSecond} per second; ` +
        `msgbus does ${median(ratios ?? []).toFixed(2)} times that; ${soundness}\n`,
    )
  }
}

// Whether readers that stall delay the others: the way of a 10 kB message to a healthy one, with and without them.
const STALLED = 100
const STALL_MESSAGES = 2_000
const STALL_BODY_BYTES = 10_000
process.stdout.write(
  `stalled readers: ${SUBSCRIBERS - STALLED} healthy ones, ${STALL_BODY_BYTES} bytes, one at a time\n`,
)
for (const stalledCount of [0, STALLED]) {
  const server = await startServer(SERVERS.msgbus)
  const subscribers = new Subscribers()
  await subscribers.open(server.port, PATH, SUBSCRIBERS - STALLED)
  await subscribers.stall(server.port, PATH, stalledCount)
  const publisher = await Publisher.open(server.port, PATH)
  const timesMs: number[] = []
  for (let number = 0; number < STALL_MESSAGES; number++) {
    const startedMs = performance.now()
    await publisher.publish(number, number, STALL_BODY_BYTES, 1)
    await subscribers.reach(number)
    timesMs.push(performance.now() - startedMs)
  }
  await server.idle()
  const sorted = timesMs.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(1)
  const soundness = subscribers.isSound() ? 'every delivery checked' : 'DELIVERIES LOST OR OUT OF ORDER'
  process.stdout.write(`  ${stalledCount} stalled: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ${soundness}\n`)
  subscribers.close()
  publisher.close()
  await server.stop()
}

const server = await startServer(SERVERS.msgbus)
await server.idle()
const before = server.rssBytes()
const idle = new Subscribers()
await idle.open(server.port, PATH, IDLE_STREAMS)
await server.idle()
await sleep(1_000)
const perStream = (server.rssBytes() - before) / IDLE_STREAMS / 1024
process.stdout.write(`idle streams: ${IDLE_STREAMS}, ${perStream.toFixed(1)} KiB of RSS each\n`)
idle.close()
await server.stop()
process.exit(0)
