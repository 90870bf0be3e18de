// The whole bus on top: its totals in words, and the row that shows everything when it is chosen.

import type { BusState } from './bus-state.ts'
import { ChannelRow } from './channel-row.ts'
import { find, make, put } from './elements.ts'
import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts'

const NAMES = ['Messages', 'Bytes', 'Channels', 'Readers', 'CPU', 'Memory', 'Up'] as const

export class Overview {
  readonly #bus: BusState
  readonly #row: ChannelRow
  readonly #values = new Map<string, HTMLElement>()

  /** @param onOpen Called when somebody wants to see everything. */
  constructor(bus: BusState, onOpen: () => void) {
    this.#bus = bus
    const button = find('everything', HTMLButtonElement)
    this.#row = new ChannelRow(button, 'The whole bus')
    button.addEventListener('click', onOpen)
    const totals = find('totals', HTMLElement)
    for (const name of NAMES) {
      const value = make('dd', '', '–')
      this.#values.set(name, value)
      totals.append(make('div', '', make('dt', '', name), value))
    }
  }

  /** Shows what the bus does now. */
  update(): void {
    const { line, everything, cpuShare } = this.#bus
    if (line === null) return
    this.#row.draw(everything, this.#bus, line.time)
    const { channels, subscribers } = line.totals
    const texts: Readonly<Record<(typeof NAMES)[number], string>> = {
      Messages: `${formatRate(everything.messages.rate)}/s`,
      Bytes: `${formatBytes(everything.bytes.rate)}/s`,
      Channels: formatCount(channels),
      Readers: formatCount(subscribers),
      CPU: `${Math.round(cpuShare * 100)} %`,
      Memory: formatBytes(line.process.rssBytes),
      Up: formatDuration(line.uptimeMs),
    }
    for (const name of NAMES) {
      const value = this.#values.get(name)
      if (value !== undefined) put(value, texts[name])
    }
  }

  /** Says whether everything is what is shown. */
  mark(isOpen: boolean): void {
    this.#row.element.ariaCurrent = isOpen ? 'true' : 'false'
  }
}
