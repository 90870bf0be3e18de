// The list of channels: found by a part of the name, in an order that holds still while somebody points at it. Only the
// rows in sight are in the page, so that a thousand channels are as quick as ten.

import type { BusState, Channel } from './bus-state.ts'
import { ChannelRow } from './channel-row.ts'
import { find, make, put } from './elements.ts'

/** As in the style sheet. */
const ROW_HEIGHT = 56

// Rows beyond both edges, so that a quick scroll does not show nothing.
const SPARE_ROWS = 4

const STILL_MS = 3_000

type Order = 'rate' | 'name' | 'newest'

const COMPARE: Readonly<Record<Order, (a: Channel, b: Channel) => number>> = {
  rate: (a, b) => b.messages.rate - a.messages.rate || byName(a, b),
  name: byName,
  newest: (a, b) => (b.last?.time ?? 0) - (a.last?.time ?? 0) || byName(a, b),
}

const collator = new Intl.Collator('en', { numeric: true })

function byName(a: Channel, b: Channel): number {
  return collator.compare(a.name, b.name)
}

export class ChannelList {
  readonly #bus: BusState
  readonly #onOpen: (name: string) => void
  readonly #list = find('channels', HTMLElement)
  readonly #inner = find('rows', HTMLElement)
  readonly #search = find('search', HTMLInputElement)
  readonly #order = find('order', HTMLSelectElement)
  readonly #listed = find('listed', HTMLElement)
  readonly #rows = new Map<string, ChannelRow>()
  readonly #nameOf = new WeakMap<Element, string>()
  #channels: readonly Channel[] = []
  #activeName: string | null = null
  #openName: string | null = null
  #nextId = 0
  #stillUntilMs = 0

  /** @param onOpen Called with the name of a channel that somebody wants to see. */
  constructor(bus: BusState, onOpen: (name: string) => void) {
    this.#bus = bus
    this.#onOpen = onOpen
    this.#search.addEventListener('input', () => {
      this.#list.scrollTop = 0
      this.#arrange()
    })
    this.#search.addEventListener('keydown', event => {
      if (event.key !== 'ArrowDown' && event.key !== 'Enter') return
      event.preventDefault()
      if (event.key === 'ArrowDown') this.#list.focus()
      this.#step(0, event.key === 'Enter')
    })
    this.#order.addEventListener('change', () => {
      this.#arrange()
    })
    this.#list.addEventListener('scroll', () => {
      this.#draw()
    })
    this.#list.addEventListener('pointermove', () => {
      this.#holdStill()
    })
    this.#list.addEventListener('keydown', event => {
      this.#onKey(event)
    })
    this.#list.addEventListener('click', event => {
      const row = event.target instanceof Element ? event.target.closest('[role=option]') : null
      const name = row === null ? undefined : this.#nameOf.get(row)
      if (name === undefined) return
      this.#activeName = name
      this.#onOpen(name)
    })
    new ResizeObserver(() => {
      this.#draw()
    }).observe(this.#list)
  }

  /** Shows what the bus does now. */
  update(): void {
    const isStill = performance.now() < this.#stillUntilMs
    if (isStill && this.#channels.every(({ name }) => this.#bus.channels.has(name))) this.#extend()
    else this.#arrange()
  }

  /** Marks the channel whose messages are shown; null for none. */
  mark(name: string | null): void {
    this.#openName = name
    this.#activeName = name === '' ? null : name
    this.#draw()
  }

  #arrange(): void {
    this.#channels = this.#wanted().sort(COMPARE[this.#order.value as Order])
    this.#draw()
  }

  // What is new goes behind what is there.
  #extend(): void {
    const known = new Set(this.#channels.map(({ name }) => name))
    const wanted = this.#wanted()
    const current = new Map(wanted.map(channel => [channel.name, channel]))
    const kept = this.#channels.flatMap(({ name }) => current.get(name) ?? [])
    this.#channels = [...kept, ...wanted.filter(({ name }) => !known.has(name))]
    this.#draw()
  }

  #wanted(): Channel[] {
    const text = this.#search.value.trim().toLowerCase()
    return [...this.#bus.channels.values()].filter(({ name }) => name.toLowerCase().includes(text))
  }

  #draw(): void {
    const { scrollTop, clientHeight } = this.#list
    const first = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - SPARE_ROWS)
    const last = Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + SPARE_ROWS
    const nowMs = this.#bus.line?.time ?? 0
    const elements: HTMLElement[] = []
    const drawn = new Set<string>()
    for (const [at, channel] of this.#channels.entries()) {
      // The one that keys move from is always there for those who listen to the page.
      if ((at < first || at > last) && channel.name !== this.#activeName) continue
      const row = this.#rows.get(channel.name) ?? this.#makeRow(channel.name)
      const { element } = row
      row.draw(channel, this.#bus, nowMs)
      element.style.transform = `translateY(${at * ROW_HEIGHT}px)`
      element.ariaPosInSet = `${at + 1}`
      element.ariaSetSize = `${this.#channels.length}`
      element.ariaSelected = `${channel.name === this.#openName}`
      element.classList.toggle('active', channel.name === this.#activeName)
      elements.push(element)
      drawn.add(channel.name)
    }
    this.#inner.style.height = `${this.#channels.length * ROW_HEIGHT}px`
    for (const name of this.#rows.keys()) if (!drawn.has(name)) this.#rows.delete(name)
    if (
      elements.some((element, at) => this.#inner.children[at] !== element) ||
      elements.length !== this.#inner.children.length
    )
      this.#inner.replaceChildren(...elements)
    const active = this.#activeName === null ? undefined : this.#rows.get(this.#activeName)
    if (active === undefined) this.#list.removeAttribute('aria-activedescendant')
    else this.#list.setAttribute('aria-activedescendant', active.element.id)
    put(this.#listed, this.#words())
  }

  #makeRow(name: string): ChannelRow {
    const element = make('div', 'row')
    element.role = 'option'
    element.id = `row-${this.#nextId++}`
    const row = new ChannelRow(element, name)
    this.#rows.set(name, row)
    this.#nameOf.set(element, name)
    return row
  }

  #words(): string {
    const { line, channels } = this.#bus
    if (line === null) return ''
    const total = line.totals.channels
    const shown = this.#channels.length
    if (shown < channels.size) return `${shown} of ${channels.size} channels`
    if (total > channels.size) return `the newest ${channels.size} of ${total.toLocaleString('en')} channels`
    return shown === 1 ? '1 channel' : `${shown} channels`
  }

  #onKey(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.#list.clientHeight / ROW_HEIGHT) - 1)
    const steps: Readonly<Record<string, number>> = {
      ...{ ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity },
      ...{ Enter: 0, ' ': 0 },
    }
    const step = Object.hasOwn(steps, event.key) ? steps[event.key] : undefined
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    this.#step(step, step === 0)
  }

  #step(step: number, isOpening: boolean): void {
    if (this.#channels.length === 0) return
    this.#holdStill()
    const from = this.#channels.findIndex(({ name }) => name === this.#activeName)
    const wanted = from < 0 ? (step === Infinity ? step : 0) : from + step
    const at = Math.min(Math.max(wanted, 0), this.#channels.length - 1)
    const name = this.#channels[at]?.name ?? null
    this.#activeName = name
    const { scrollTop, clientHeight } = this.#list
    const top = at * ROW_HEIGHT
    if (top < scrollTop) this.#list.scrollTop = top
    if (top + ROW_HEIGHT > scrollTop + clientHeight) this.#list.scrollTop = top + ROW_HEIGHT - clientHeight
    this.#draw()
    if (isOpening && name !== null) this.#onOpen(name)
  }

  #holdStill(): void {
    this.#stillUntilMs = performance.now() + STILL_MS
  }
}
