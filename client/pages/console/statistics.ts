// Reads the statistics stream of the server for as long as the page is open (doc/protocol/statistics.md), and connects
// again when it ends. It makes nothing of the numbers.

/** One channel as the server counts it. */
export interface ChannelStatistics {
  readonly name: string
  readonly messageCount: number
  readonly byteCount: number
  /** Of exactly this channel. */
  readonly subscribers: number
  readonly last: LastMessage | null
}

export interface LastMessage {
  readonly id: string
  /** Milliseconds since 1970, by the server's clock. */
  readonly time: number
  readonly type: string
  readonly sender: string | null
  readonly size: number
}

/** One line of the stream. */
export interface StatisticsLine {
  readonly time: number
  readonly uptimeMs: number
  readonly totals: {
    readonly messages: number
    readonly bytes: number
    readonly channels: number
    readonly subscribers: number
  }
  readonly process: { readonly cpuMs: number; readonly rssBytes: number }
  readonly wide: readonly { readonly path: string; readonly subscribers: number }[]
  readonly channels: readonly ChannelStatistics[]
  readonly gone: readonly string[]
}

export interface StatisticsReader {
  /** @param isWhole True for the first line of an answer, which tells everything. */
  onLine(line: StatisticsLine, isWhole: boolean): void
  onState(state: string, isOpen: boolean): void
}

// A line comes every second. A server that says nothing for so long is gone, though nobody may have told this machine.
const MAX_SILENCE_MS = 15_000
const MIN_DELAY_MS = 500
const MAX_DELAY_MS = 10_000

/** Never returns. */
export async function readStatistics(url: string, reader: StatisticsReader): Promise<never> {
  let delayMs = MIN_DELAY_MS
  for (;;) {
    const ending = new Ending()
    let isWhole = true
    for await (const line of readLines(url, ending)) {
      delayMs = MIN_DELAY_MS
      reader.onState('connected', true)
      reader.onLine(line, isWhole)
      isWhole = false
    }
    reader.onState(`${ending.reason}, trying again`, false)
    await pause(delayMs * (0.5 + Math.random() / 2))
    delayMs = Math.min(2 * delayMs, MAX_DELAY_MS)
  }
}

/** Why an answer is over, once it is. */
class Ending {
  reason = 'disconnected'
}

async function* readLines(url: string, ending: Ending): AsyncGenerator<StatisticsLine> {
  const controller = new AbortController()
  const watch = (): ReturnType<typeof setTimeout> =>
    setTimeout(() => {
      controller.abort()
    }, MAX_SILENCE_MS)
  let silence = watch()
  try {
    const response = await fetch(url, { cache: 'no-store', signal: controller.signal }).catch(() => null)
    if (response === null) return
    const { ok, status, body } = response
    if (!ok || body === null) {
      ending.reason = status === 401 ? 'a password is needed' : `the server answered ${status}`
      return
    }
    const chunks = body.getReader()
    const decoder = new TextDecoder()
    let rest = ''
    for (;;) {
      // A connection that broke is one that ended.
      const { done, value } = await chunks.read().catch(() => ({ done: true, value: undefined }))
      if (done) return
      clearTimeout(silence)
      silence = watch()
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield parse(line)
    }
  } finally {
    clearTimeout(silence)
    controller.abort()
  }
}

function parse(line: string): StatisticsLine {
  return JSON.parse(line) as StatisticsLine
}

function pause(durationMs: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, durationMs)
  })
}
