// The load tool that publishes: opens its publishers, gives each its share, and says how fast it went and how the server
// answered.

import type { Socket } from 'node:net'
import { clockId, nowNs, NS_PER_S } from '../clock.ts'
import { READ_BUFFER_BYTES } from '../connection.ts'
import type { Values } from '../options.ts'
import { type Outcome, runProgram } from '../program.ts'
import { countOf, Progress, rows, short, times, whole } from '../report.ts'
import { RunError } from '../run-error.ts'
import { channelNames, pathOf, readTarget, type Target } from '../target.ts'
import { Composer } from './composer.ts'
import { ABOUT, NAME, OPTIONS } from './options.ts'
import { Pacer } from './pacer.ts'
import { type Payload, payloadOf } from './payload.ts'
import { Publisher } from './publisher.ts'
import { RequestWay } from './request-way.ts'
import { StreamWay } from './stream-way.ts'
import { Tally } from './tally.ts'
import type { Way } from './way.ts'

type Options = Values<typeof OPTIONS>

await runProgram({ name: NAME, about: ABOUT, table: OPTIONS, run })

async function run(options: Options, signal: AbortSignal): Promise<Outcome> {
  const target = readTarget(options, process.env.MSGBUS_PASSWORD)
  const channels = channelNames(options.channel, options.channelCount)
  const payload = payloadOf(options)
  const tally = new Tally()
  const publishers = openPublishers(options, target, channels, payload, tally)
  const progress = new Progress(process.stderr, progressLine(tally))
  try {
    await Promise.all(publishers.map(publisher => publisher.open()))
    const fault = signal.aborted ? null : await publishAll(publishers, { options, channels, payload, signal })
    if (fault !== null && !tally.hasBegun) throw fault
    const result = resultOf(options, target, payload, tally)
    const faults = [...(fault === null ? [] : [fault.message]), ...faultsOf(tally)]
    return { report: options.isJson ? jsonLine(result, faults) : textOf(result), faults }
  } finally {
    progress.close()
    for (const publisher of publishers) publisher.close()
  }
}

function openPublishers(
  { publisherCount, isStreamed, type, windowCount, timeoutMs }: Options,
  target: Target,
  channels: readonly string[],
  { bodyBytes }: Payload,
  tally: Tally,
): readonly Publisher[] {
  const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
  const [only] = channels
  const path = channels.length === 1 && only !== undefined ? pathOf(target, only) : target.prefix
  const wayOptions = { target, channels, type, bodyBytes, windowCount, tally }
  const wayOf = (socket: Socket): Way =>
    isStreamed ? new StreamWay(socket, wayOptions) : new RequestWay(socket, wayOptions)
  return Array.from(
    { length: publisherCount },
    () => new Publisher({ target, path, timeoutMs, tally, buffer, wayOf }),
  )
}

interface Work {
  readonly options: Options
  readonly channels: readonly string[]
  readonly payload: Payload
  readonly signal: AbortSignal
}

/** Publishes until all is done, the time is over or the signal comes. Returns the first fault, if there was one. */
async function publishAll(publishers: readonly Publisher[], work: Work): Promise<RunError | null> {
  const { options, channels, payload, signal } = work
  const { rate, count, durationMs } = options
  const stop = (): void => {
    for (const publisher of publishers) publisher.stop()
  }
  const timer = durationMs === null ? undefined : setTimeout(stop, durationMs)
  signal.addEventListener('abort', stop)
  const runNs = nowNs()
  const clock = clockId()
  const size = publishers.length
  let firstFault: RunError | null = null
  await Promise.all(
    publishers.map(async (publisher, number) => {
      const { frame } = publisher.way
      const composer = new Composer({ frame, channels, publisher: number, payload, clock, runNs })
      // Taking turns, so that all of them together keep the rate.
      const pacer = new Pacer(runNs + (number * NS_PER_S) / rate, rate / size)
      const share = count === null ? Infinity : Math.floor((count + size - 1 - number) / size)
      try {
        await publisher.run({ composer, pacer, count: share })
      } catch (error) {
        if (!(error instanceof RunError)) throw error
        firstFault ??= error
        stop()
      }
    }),
  )
  clearTimeout(timer)
  return firstFault
}

function progressLine(tally: Tally): (seconds: number) => string {
  let lastCount = 0
  return seconds => {
    const perSecond = (tally.sentCount - lastCount) / seconds
    lastCount = tally.sentCount
    const summary = tally.latency.summary()
    return [
      `${countOf(tally.sentCount, 'message')} sent`,
      `${whole(perSecond)}/s`,
      ...(summary === null ? [] : [`answers p50 ${short(summary.p50)} ms, p99 ${short(summary.p99)} ms`]),
      tally.refusedCount === 0 ? 'none refused' : `${whole(tally.refusedCount)} REFUSED`,
    ].join(', ')
  }
}

type Result = ReturnType<typeof resultOf>

// The keys are those of the JSON line.
function resultOf(options: Options, target: Target, payload: Payload, tally: Tally) {
  return {
    tool: NAME,
    server: target.origin,
    channel: options.channel,
    channels: options.channelCount,
    publishers: options.publisherCount,
    isStreamed: options.isStreamed,
    seconds: tally.seconds,
    messages: tally.sentCount,
    bytes: tally.sentCount * payload.bodyBytes,
    wantedPerSecond: Number.isFinite(options.rate) ? options.rate : null,
    perSecond: tally.perSecond,
    accepted: tally.acceptedCount,
    refused: tally.refusedCount,
    unanswered: tally.unansweredCount,
    latencyMs: tally.latency.summary(),
  }
}

function jsonLine(result: Result, faults: readonly string[]): string {
  return `${JSON.stringify({ ...result, isSound: faults.length === 0, faults })}\n`
}

function textOf(result: Result): string {
  const { messages, bytes, seconds, perSecond, wantedPerSecond, accepted, refused, unanswered } = result
  const rate = perSecond === null ? '' : `, ${short(perSecond)} per second`
  const wanted = wantedPerSecond === null ? '' : ` of ${short(wantedPerSecond)} wanted`
  return rows([
    ['messages', `${whole(messages)} in ${short(seconds)} s${rate}${wanted}, ${whole(bytes)} bytes`],
    [
      'answers',
      `${whole(accepted)} accepted, ${whole(refused)} refused, ${whole(unanswered)} without an answer`,
    ],
    ['answer time', times(result.latencyMs)],
  ])
}

function faultsOf(tally: Tally): string[] {
  const { refusedCount, unansweredCount, firstRefusal } = tally
  return [
    ...(refusedCount > 0
      ? [`${countOf(refusedCount, 'message')} refused; the first: ${firstRefusal ?? ''}`]
      : []),
    ...(unansweredCount > 0 ? [`${countOf(unansweredCount, 'message')} without an answer`] : []),
  ]
}
