// Subscribes for a person or a script: what happens on the way is told on the side, and no end is silent. A server that
// cannot be reached at first is an error; one that goes away later is waited for.

import type { Client, ReceivedMessage, SlowPolicy } from '../index.ts'
import type { MsgbusError } from '../../src/errors.ts'
import { CommandError } from './command-error.ts'
import type { Target } from './target.ts'

export interface ReceiveOptions {
  readonly type?: string | undefined
  readonly sender?: string | undefined
  readonly since?: string | undefined
  readonly reconnects: boolean
  /** Ends it in good order when aborted. */
  readonly stop: AbortSignal
  /** What a person should know: lost messages, a lost connection. */
  readonly tell: (text: string) => void
  /** Called once, when the first connection is open. */
  readonly onOpen?: () => void
}

/**
 * Messages until `stop` is aborted or the caller leaves.
 * @throws {MsgbusError} What the first connection fails with, or any refusal that stays one; each fault if it does not
 *   reconnect.
 * @throws {CommandError} If it does not reconnect, and the server ends the stream.
 */
export async function* receive(
  client: Client,
  { paths, query }: Target,
  { type, sender, since, reconnects, stop, tell, onOpen = () => undefined }: ReceiveOptions,
): AsyncGenerator<ReceivedMessage, undefined> {
  const end = new AbortController()
  const signal = AbortSignal.any([stop, end.signal])
  let hasOpened = false
  let isTold = false
  let failure: Error | null = null
  const subscription = client.subscribe(paths, {
    type: type ?? query.type,
    sender: sender ?? query.sender,
    since: since ?? query.since,
    slow: query.slow as SlowPolicy | undefined,
    reconnects,
    signal,
    onState: (state, error) => {
      if (state === 'open') {
        if (!hasOpened) onOpen()
        else if (isTold) tell('connected again')
        hasOpened = true
        isTold = false
      } else if (state === 'waiting' && !hasOpened) {
        failure ??= error ?? ended()
        end.abort()
      } else if (state === 'waiting' && !isTold) {
        tell(`${describe(error)}; trying again`)
        isTold = true
      }
    },
  })
  for await (const message of subscription) {
    if (message.lost !== 0) tell(describeLoss(message.lost))
    yield message
  }
  if (stop.aborted) return
  throw (failure as Error | null) ?? ended()
}

function ended(): CommandError {
  return new CommandError('Cannot read on: the server ended the stream')
}

function describe(error: MsgbusError | null): string {
  return error === null ? 'the server ended the stream' : `connection lost: ${error.message}`
}

function describeLoss(count: number | null): string {
  if (count === null) return 'messages were lost here, nobody knows how many'
  return count === 1 ? '1 message was lost here' : `${count} messages were lost here`
}
