// What the page knows of the bus: made of one statistics line after the other, with the past minute of every channel. It
// draws nothing.

import { Series } from './series.ts'
import type { ChannelStatistics, LastMessage, StatisticsLine } from './statistics.ts'

export class Channel {
  readonly name: string
  readonly messages: Series
  readonly bytes: Series
  subscribers = 0
  last: LastMessage | null = null

  constructor(name: string, messageCount: number, byteCount: number) {
    this.name = name
    this.messages = new Series(messageCount)
    this.bytes = new Series(byteCount)
  }
}

export class BusState {
  readonly channels = new Map<string, Channel>()
  /** The whole bus; its name is that of the subscription that reads everything. */
  everything = new Channel('', 0, 0)
  /** Null before the first line. */
  line: StatisticsLine | null = null
  /** Part of one processor that the server takes. */
  cpuShare = 0
  #wide: ReadonlyMap<string, number> = new Map()

  /** @param isWhole Whether the line tells everything, so that what it does not name is not there. */
  apply(line: StatisticsLine, isWhole: boolean): void {
    const before = this.line
    const isSameServer = before !== null && line.uptimeMs >= before.uptimeMs
    if (!isSameServer) this.#begin(line)
    const elapsedMs = isSameServer ? Math.max(line.uptimeMs - before.uptimeMs, 1) : 1000
    const grown = line.totals.messages - (isSameServer ? before.totals.messages : 0)
    this.cpuShare = isSameServer ? (line.process.cpuMs - before.process.cpuMs) / elapsedMs : 0
    this.line = line
    this.#wide = new Map(line.wide.map(({ path, subscribers }) => [path, subscribers]))
    this.everything.messages.add(line.totals.messages, elapsedMs / 1000)
    this.everything.bytes.add(line.totals.bytes, elapsedMs / 1000)
    this.everything.subscribers = line.totals.subscribers
    const told = new Map(line.channels.map(channel => [channel.name, channel]))
    for (const channel of told.values()) {
      // One that is new was silent before, as far as the growth of the whole bus allows.
      if (!this.channels.has(channel.name)) this.#add(channel, isSameServer ? grown : 0)
    }
    const gone = isWhole ? [...this.channels.keys()].filter(name => !told.has(name)) : line.gone
    for (const name of gone) this.channels.delete(name)
    for (const channel of this.channels.values()) {
      const { messageCount, byteCount, subscribers, last } = told.get(channel.name) ?? asBefore(channel)
      channel.messages.add(messageCount, elapsedMs / 1000)
      channel.bytes.add(byteCount, elapsedMs / 1000)
      channel.subscribers = subscribers
      channel.last = last
    }
  }

  /** Subscribers of whole trees that get the messages of this channel, too. */
  wideSubscribers(name: string): number {
    let count = this.#wide.get('') ?? 0
    for (let end = name.indexOf('/') + 1; end > 0; end = name.indexOf('/', end) + 1)
      count += this.#wide.get(name.slice(0, end)) ?? 0
    return count
  }

  #begin({ totals }: StatisticsLine): void {
    this.channels.clear()
    this.everything = new Channel('', totals.messages, totals.bytes)
  }

  #add({ name, messageCount, byteCount }: ChannelStatistics, maxGrowth: number): void {
    const isNew = messageCount <= maxGrowth
    this.channels.set(name, new Channel(name, isNew ? 0 : messageCount, isNew ? 0 : byteCount))
  }
}

function asBefore({ name, messages, bytes, subscribers, last }: Channel): ChannelStatistics {
  return { name, messageCount: messages.count, byteCount: bytes.count, subscribers, last }
}
