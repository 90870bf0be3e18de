// The load tool that subscribes: opens its subscribers, waits until the run is over, and says what they got and what was
// wrong with it.

import { nowNs, NS_PER_S } from '../clock.ts'
import { READ_BUFFER_BYTES } from '../connection.ts'
import type { Values } from '../options.ts'
import { type Outcome, runProgram } from '../program.ts'
import { countOf, Progress, rows, short, times, whole } from '../report.ts'
import { readTarget, type Target } from '../target.ts'
import { streamNames } from './channels.ts'
import { Crowd } from './crowd.ts'
import { ABOUT, NAME, OPTIONS } from './options.ts'
import type { SubscriberOptions } from './subscriber.ts'
import { Tally } from './tally.ts'

type Options = Values<typeof OPTIONS>

await runProgram({ name: NAME, about: ABOUT, table: OPTIONS, run })

async function run(options: Options, signal: AbortSignal): Promise<Outcome> {
  const target = readTarget(options, process.env.MSGBUS_PASSWORD)
  const names = streamNames(target, options.channel, options.channelCount)
  const tally = new Tally()
  const crowd = new Crowd(options.connectionCount)
  const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
  const maxCount = options.count ?? Infinity
  const optionsOf = (number: number): SubscriberOptions => {
    const { path, channel } = names[number % names.length] ?? { path: target.prefix, channel: null }
    return { target, path, channel, maxCount, tally, buffer }
  }
  const startedNs = nowNs()
  const progress = new Progress(process.stderr, progressLine(tally, crowd, options.connectionCount))
  try {
    await crowd.open(optionsOf, options.timeoutMs, signal)
    const openedNs = nowNs()
    if (!signal.aborted) progress.say(`${NAME}: ${countOf(crowd.openedCount, 'stream')} open`)
    await crowd.over(options.durationMs ?? Infinity, signal)
    const result = resultOf(options, target, tally, crowd, {
      openSeconds: (openedNs - startedNs) / NS_PER_S,
      seconds: (nowNs() - openedNs) / NS_PER_S,
    })
    const faults = faultsOf(options, tally, crowd)
    return { report: options.isJson ? jsonLine(result, faults) : textOf(result), faults }
  } finally {
    progress.close()
    crowd.close()
  }
}

function progressLine(tally: Tally, crowd: Crowd, size: number): (seconds: number) => string {
  let lastCount = 0
  return seconds => {
    const perSecond = (tally.messageCount - lastCount) / seconds
    lastCount = tally.messageCount
    const summary = tally.latency.summary()
    const faultCount = tally.lostCount + tally.repeatedCount + tally.reorderedCount + tally.corruptedCount
    return [
      crowd.openedCount < size
        ? `opening ${whole(crowd.openedCount)} of ${whole(size)}`
        : countOf(crowd.openCount, 'stream'),
      countOf(tally.messageCount, 'message'),
      `${whole(perSecond)}/s`,
      ...(summary === null ? [] : [`p50 ${short(summary.p50)} ms`, `p99 ${short(summary.p99)} ms`]),
      ...(tally.skippedCount > 0 ? [`${whole(tally.skippedCount)} skipped`] : []),
      faultCount === 0 ? 'no fault' : countOf(faultCount, 'FAULT'),
    ].join(', ')
  }
}

interface Spans {
  /** Until all streams were open. */
  readonly openSeconds: number
  /** From then on. */
  readonly seconds: number
}

type Result = ReturnType<typeof resultOf>

// The keys are those of the JSON line.
function resultOf(
  options: Options,
  target: Target,
  tally: Tally,
  crowd: Crowd,
  { openSeconds, seconds }: Spans,
) {
  return {
    tool: NAME,
    server: target.origin,
    channel: options.channel,
    subscribers: options.connectionCount,
    openSeconds,
    seconds,
    opened: crowd.openedCount,
    complete: crowd.completeCount,
    ended: crowd.endedCount,
    failed: crowd.failedCount,
    messages: tally.messageCount,
    bytes: tally.byteCount,
    perSecond: tally.perSecond,
    foreign: tally.foreignCount,
    lost: tally.lostCount,
    skipped: tally.skippedCount,
    repeated: tally.repeatedCount,
    reordered: tally.reorderedCount,
    corrupted: tally.corruptedCount,
    misrouted: tally.misroutedCount,
    latencyMs: tally.latency.summary(),
  }
}

function jsonLine(result: Result, faults: readonly string[]): string {
  return `${JSON.stringify({ ...result, isSound: faults.length === 0, faults })}\n`
}

function textOf(result: Result): string {
  const { opened, openSeconds, complete, ended, failed, messages, seconds, perSecond, bytes } = result
  const rate = perSecond === null ? '' : `, ${short(perSecond)} per second`
  return rows([
    [
      'streams',
      `${whole(opened)} opened in ${short(openSeconds)} s, ${whole(complete)} complete, ${whole(ended)} ended by the server, ${whole(failed)} failed`,
    ],
    ['messages', `${whole(messages)} in ${short(seconds)} s${rate}, ${whole(bytes)} bytes`],
    ['unstamped', whole(result.foreign)],
    ['lost', `${whole(result.lost)}, and ${whole(result.skipped)} that the server told of`],
    ['repeated', whole(result.repeated)],
    ['reordered', whole(result.reordered)],
    ['corrupted', whole(result.corrupted)],
    ['misrouted', whole(result.misrouted)],
    ['latency', times(result.latencyMs)],
  ])
}

function faultsOf({ allowsSkips, count }: Options, tally: Tally, crowd: Crowd): string[] {
  const shortCount = crowd.subscribers.filter(({ messageCount }) => messageCount < (count ?? 0)).length
  const faults: readonly (readonly [count: number, text: string])[] = [
    [tally.corruptedCount, `${countOf(tally.corruptedCount, 'message')} corrupted`],
    [tally.lostCount, `${countOf(tally.lostCount, 'message')} lost`],
    [tally.repeatedCount, `${countOf(tally.repeatedCount, 'message')} repeated`],
    [tally.reorderedCount, `${countOf(tally.reorderedCount, 'message')} out of order`],
    [tally.misroutedCount, `${countOf(tally.misroutedCount, 'message')} on a wrong channel`],
    [
      allowsSkips ? 0 : tally.skippedCount,
      `${countOf(tally.skippedCount, 'message')} skipped by the server for slowness`,
    ],
    [
      crowd.failedCount,
      `${countOf(crowd.failedCount, 'stream')} failed; the first: ${crowd.firstFault?.message ?? ''}`,
    ],
    [shortCount, `${countOf(shortCount, 'subscriber')} got fewer than ${whole(count ?? 0)} messages`],
  ]
  return faults.filter(([found]) => found > 0).map(([, text]) => text)
}
