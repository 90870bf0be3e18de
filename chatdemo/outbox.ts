// Lines on their way out, of one room: one after the other, in order, again and again until each has come back over the
// bus. Whoever reads knows a line that comes twice by its nonce. Knows neither the page nor the network.

import { MsgbusError } from '../client/index.ts'

/** `accepted` by the server, but not yet seen on the bus; `refused` for good, unless somebody has it sent again. */
export type SendState = 'sending' | 'waiting' | 'accepted' | 'refused'

export interface OutgoingLine {
  readonly nonce: string
  readonly type: string
  readonly sender: string | undefined
  readonly body: string | Blob
}

export interface OutboxOptions {
  readonly publish: (line: OutgoingLine) => Promise<unknown>
  readonly onState: (line: OutgoingLine, state: SendState, reason: string) => void
}

const MIN_DELAY_MS = 500
const MAX_DELAY_MS = 10_000
/** A server may break off what is too large for it before its answer is read. Tried this often, and no more. */
const MAX_LARGE_ATTEMPTS = 3
const LARGE_BYTES = 1_000_000
/** How long a line that was accepted may take to come back, once the connection is up again. */
const ECHO_MS = 3_000

interface Entry {
  readonly line: OutgoingLine
  state: SendState
  failureCount: number
}

export class Outbox {
  readonly #options: OutboxOptions
  readonly #entries = new Map<string, Entry>()
  #isRunning = false
  #delayMs = MIN_DELAY_MS
  #wake: () => void = () => undefined
  #echoTimer: ReturnType<typeof setTimeout> | undefined
  // Accepted, but perhaps lost with the connection: until that is known, nothing goes out behind them.
  readonly #doubted = new Set<Entry>()

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** True if closing the page now would lose something. */
  get isUnsent(): boolean {
    return [...this.#entries.values()].some(({ state }) => state === 'sending' || state === 'waiting')
  }

  add(line: OutgoingLine): void {
    const entry: Entry = { line, state: 'sending', failureCount: 0 }
    this.#entries.set(line.nonce, entry)
    this.#enter(entry, 'sending')
    void this.#run()
  }

  /** Takes a line out: it has come back, or nobody wants it any more. */
  remove(nonce: string): void {
    const entry = this.#entries.get(nonce)
    this.#entries.delete(nonce)
    if (entry !== undefined && this.#doubted.delete(entry)) void this.#run()
  }

  /** Sends a line again that was refused. */
  retry(nonce: string): void {
    const entry = this.#entries.get(nonce)
    if (entry === undefined) return
    this.#enter(entry, 'sending')
    void this.#run()
  }

  /** The connection is gone, and with it perhaps what was accepted and has not come back yet. */
  doubt(): void {
    for (const entry of this.#entries.values()) if (entry.state === 'accepted') this.#doubted.add(entry)
  }

  /** The connection is up again: what waits is sent now, and what does not come back after all is sent again. */
  wake(): void {
    this.doubt()
    this.#delayMs = MIN_DELAY_MS
    this.#wake()
    clearTimeout(this.#echoTimer)
    this.#echoTimer = setTimeout(() => {
      for (const entry of this.#doubted) this.#enter(entry, 'waiting')
      this.#doubted.clear()
      void this.#run()
    }, ECHO_MS)
  }

  close(): void {
    this.#entries.clear()
    this.#doubted.clear()
    clearTimeout(this.#echoTimer)
    this.#wake()
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    for (let entry = this.#next(); entry !== undefined; entry = this.#next()) await this.#send(entry)
    this.#isRunning = false
  }

  #next(): Entry | undefined {
    if (this.#doubted.size > 0) return undefined
    return [...this.#entries.values()].find(({ state }) => state === 'sending' || state === 'waiting')
  }

  async #send(entry: Entry): Promise<void> {
    try {
      await this.#options.publish(entry.line)
      this.#delayMs = MIN_DELAY_MS
      this.#enter(entry, 'accepted')
    } catch (error) {
      entry.failureCount++
      if (isFinal(error) || (isLarge(entry.line) && entry.failureCount >= MAX_LARGE_ATTEMPTS)) {
        entry.failureCount = 0
        this.#enter(entry, 'refused', error instanceof Error ? error.message : String(error))
        return
      }
      this.#enter(entry, 'waiting')
      await this.#pause()
    }
  }

  #enter(entry: Entry, state: SendState, reason = ''): void {
    entry.state = state
    if (this.#holds(entry)) this.#options.onState(entry.line, state, reason)
  }

  #holds(entry: Entry): boolean {
    return this.#entries.get(entry.line.nonce) === entry
  }

  #pause(): Promise<void> {
    const delayMs = this.#delayMs * (0.5 + Math.random() / 2)
    this.#delayMs = Math.min(2 * this.#delayMs, MAX_DELAY_MS)
    return new Promise(resolve => {
      const timer = setTimeout(resolve, delayMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Whether trying again is of no use: the server has understood and does not want it. */
function isFinal(error: unknown): boolean {
  if (error instanceof MsgbusError) {
    const { code, status = 503 } = error
    return code === 'MSGBUS_CHANNEL_NAME' || (status < 500 && status !== 408 && status !== 429)
  }
  // An attempt that took too long may have been the network.
  return !(error instanceof DOMException && error.name === 'TimeoutError')
}

function isLarge({ body }: OutgoingLine): boolean {
  return typeof body !== 'string' && body.size > LARGE_BYTES
}
