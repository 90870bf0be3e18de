// How the tools write numbers, and the live line on a terminal.

import type { WriteStream } from 'node:tty'
import type { LatencySummary } from './latency.ts'

const PROGRESS_INTERVAL_MS = 1_000
// [ECMA-48] back to the first column, and erase the line.
const ERASE = '\r\x1b[K'

/** A whole number with commas. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** A rate or a time with as many digits as matter. */
export function short(value: number): string {
  return value >= 100 ? whole(value) : value.toLocaleString('en', { maximumSignificantDigits: 3 })
}

/** `1 stream`, `2 streams`. */
export function countOf(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** A summary of times as people read it. */
export function times(summary: LatencySummary | null): string {
  if (summary === null) return 'not known'
  const { p50, p99, p999, max } = summary
  return `p50 ${short(p50)} ms, p99 ${short(p99)} ms, p99.9 ${short(p999)} ms, max ${short(max)} ms`
}

/** Rows of a name and a text, one per line. */
export function rows(lines: readonly (readonly [name: string, text: string])[]): string {
  const width = Math.max(...lines.map(([name]) => name.length)) + 2
  return lines.map(([name, text]) => `${name.padEnd(width)}${text}\n`).join('')
}

/** Rewrites one line on a terminal every second; writes nothing where there is none. */
export class Progress {
  readonly #output: WriteStream
  readonly #clock: NodeJS.Timeout | null

  /** @param line Given the seconds since the last call. */
  constructor(output: WriteStream, line: (seconds: number) => string) {
    this.#output = output
    let lastMs = performance.now()
    const show = (): void => {
      const seconds = (performance.now() - lastMs) / 1000
      lastMs += seconds * 1000
      output.write(`${ERASE}${line(seconds).slice(0, Math.max(0, output.columns - 1))}`)
    }
    this.#clock = output.isTTY ? setInterval(show, PROGRESS_INTERVAL_MS) : null
  }

  /** Writes a line that stays, in the place of the other one. */
  say(text: string): void {
    this.#output.write(`${this.#clock === null ? '' : ERASE}${text}\n`)
  }

  /** Removes the line. Twice is allowed. */
  close(): void {
    if (this.#clock === null) return
    clearInterval(this.#clock)
    this.#output.write(ERASE)
  }
}
