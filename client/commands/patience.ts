// How long a server is waited for: the one deadline for the head of an answer, which every command has as an option.

import type { Arguments, OptionRow } from './command.ts'
import { UsageError } from './command-error.ts'
import { quote } from './printable.ts'

const DEFAULT_SECONDS = 10

/** A body may come as slowly as the server allows. */
const SLOWEST_BYTES_PER_SECOND = 16 * 1024

export const TIMEOUT: OptionRow = {
  name: 'timeout',
  placeholder: 'SECONDS',
  help: `Give up when the server does not answer for so long; ${DEFAULT_SECONDS} by default.`,
}

/**
 * A fetch that gives up when the head of an answer does not come in time. A body has the time on top that it takes; one
 * that comes bit by bit may take any, and then the time begins.
 * @throws {UsageError} For an option that is no number of seconds.
 */
export function readFetch(given: Arguments): typeof globalThis.fetch {
  const text = given.valueOf(TIMEOUT.name) ?? String(DEFAULT_SECONDS)
  const seconds = Number(text)
  if (!/^\d{1,5}(?:\.\d{1,3})?$/.test(text) || seconds === 0)
    throw new UsageError(
      `Cannot use option "--${TIMEOUT.name}": found ${quote(text)}, expected a number of seconds`,
    )
  return async (input, init = {}) => {
    const deadline = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const start = (byteCount: number): void => {
      const ms = (seconds + byteCount / SLOWEST_BYTES_PER_SECOND) * 1000
      timer = setTimeout(() => {
        // Words, which stand behind "Cannot reach".
        deadline.abort(`no answer within ${seconds} s`)
      }, ms)
    }
    const body: unknown = init.body
    const isStream = typeof body === 'object' && body !== null && Symbol.asyncIterator in body
    const sent = isStream ? tellEnd(body as AsyncIterable<Uint8Array>, start) : init.body
    if (!isStream) start(typeof body === 'string' || body instanceof Uint8Array ? body.length : 0)
    const signals = [deadline.signal, ...(init.signal ? [init.signal] : [])]
    try {
      const request = { ...init, body: sent, signal: AbortSignal.any(signals) } as RequestInit
      return await fetch(input, request)
    } finally {
      clearTimeout(timer)
    }
  }
}

async function* tellEnd(body: AsyncIterable<Uint8Array>, onEnd: (byteCount: number) => void) {
  yield* body
  onEnd(0)
}
