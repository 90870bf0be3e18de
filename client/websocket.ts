// A stream as frames of a WebSocket. A socket shows neither the head of the answer nor why it was refused, so its place
// is asked for by a request before it; nor can it be made to wait, so what piles up is bounded here. Runs in browsers.

import { EnvelopeReader } from './envelope.ts'
import type { Incoming } from './message.ts'
import { openSocket } from './socket.ts'
import type { Stream } from './stream.ts'
import type { OpenWith } from './tools.ts'

/** What may wait for a reader, in bytes of bodies and a little for each message. One message more may be taken. */
const MAX_QUEUE_BYTES = 1024 * 1024
const MESSAGE_BYTES = 256

/** @see OpenStream */
export const openWebSocket: OpenWith = async (tools, access, request, controller) => {
  const { signal } = controller
  const since = request.since ?? '-0'
  const missed = await tools.openMultipart(access, { ...request, since }, controller, 'as=multipart&poll')
  let queue: Incoming[] = []
  let queuedBytes = 0
  let lostCount: number | null = 0
  let isOver = false
  let failure: Error | null = null
  let wake: () => void = () => undefined
  for await (const batch of missed.batches) queue.push(...batch)
  // Of what comes at once, each message says where it stands.
  const position = queue.length === 0 ? missed.position : null

  const url = tools.streamUrl(access, { ...request, since: missed.position }, 'envelope=json')
  const envelopes = new EnvelopeReader(() => tools.notMsgbus(url, 'a frame that is no message'))
  const { ended } = await openSocket(tools, access, url, controller, take)
  ended.then(() => {
    end(null)
  }, end)
  signal.addEventListener('abort', () => {
    wake()
  })
  return { position, lost: missed.lost, retryMs: 0, batches: readFrames() } satisfies Stream

  function take(text: string): void {
    if (isOver) return
    try {
      const message = envelopes.read(text)
      if (message !== null) add(message)
    } catch (error) {
      end(error as Error)
    }
  }

  function add(message: Incoming): void {
    if (queuedBytes > MAX_QUEUE_BYTES) {
      if (request.slow === 'close') throw tools.cut('it is read too slowly')
      if (request.slow !== 'latest') {
        lose(message)
        return
      }
      queue.forEach(lose)
      queue = []
      queuedBytes = 0
    }
    const lost = message.lost === null || lostCount === null ? null : message.lost + lostCount
    lostCount = 0
    queue.push({ ...message, lost })
    queuedBytes += message.body.length + MESSAGE_BYTES
    wake()
  }

  function lose({ lost }: Incoming): void {
    lostCount = lost === null || lostCount === null ? null : lostCount + lost + 1
  }

  function end(error: Error | null): void {
    isOver = true
    failure ??= error
    wake()
  }

  async function* readFrames(): AsyncGenerator<readonly Incoming[]> {
    // The request before it was answered by a msgbus.
    yield []
    for (;;) {
      signal.throwIfAborted()
      if (queue.length > 0) {
        const batch = queue
        queue = []
        queuedBytes = 0
        yield batch
      } else if (isOver) {
        if (failure !== null) throw failure
        return
      } else {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  }
}
