// Keeps a page reading a channel: connects again when the stream ends or breaks, later and later, until it is told to
// stop. What was published meanwhile is missed. Runs in browsers.

import { MsgbusError } from '../src/errors.ts'
import { type ReceivedMessage, readStream } from './stream.ts'

const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 10_000

export interface FollowOptions {
  readonly onMessage: (message: ReceivedMessage) => void
  /** In words for a person, whenever it changes. */
  readonly onState: (state: 'connecting' | 'connected' | 'disconnected, trying again') => void
  readonly signal: AbortSignal
}

export async function follow(url: string, { onMessage, onState, signal }: FollowOptions): Promise<void> {
  let delayMs = FIRST_DELAY_MS
  onState('connecting')
  const isStopped = (): boolean => signal.aborted
  while (!isStopped()) {
    try {
      const onOpen = (): void => {
        delayMs = FIRST_DELAY_MS
        onState('connected')
      }
      for await (const message of readStream(url, { signal, onOpen })) onMessage(message)
    } catch (error) {
      // A stream that breaks is what this is for; anything else is a fault of the page and belongs on its console.
      if (!(error instanceof MsgbusError || error instanceof TypeError || isStopped())) throw error
    }
    if (isStopped()) return
    onState('disconnected, trying again')
    await pause(delayMs * (0.5 + Math.random() / 2), signal)
    delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener('abort', finish)
  })
}
