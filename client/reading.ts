// Bytes from a server that may break off or fall silent. Runs in browsers.

import { MsgbusError } from '../src/errors.ts'

/** Nothing at all from the server for so long, no heartbeat either (one comes every 25 s): the connection is dead. */
const MAX_SILENCE_MS = 90_000

/** Waits for the next sign of the server; if it does not come in time, the controller is aborted. */
export async function inTime<Sign>(sign: Promise<Sign>, controller: AbortController): Promise<Sign> {
  const timer = setTimeout(() => {
    controller.abort(cut('no sign of life'))
  }, MAX_SILENCE_MS)
  try {
    return await sign
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The bytes of a body as they come.
 * @throws {MsgbusError} `MSGBUS_STREAM_CUT`; what the controller was aborted with is thrown as it is.
 */
export async function* readBody(
  { body }: Response,
  controller: AbortController,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read(), controller)
      if (done) return
      yield value
    }
  } catch (cause) {
    controller.signal.throwIfAborted()
    throw cut('connection lost', cause)
  }
}

/** What a stream fails with that ends where it should not. */
export function cut(found: string, cause?: unknown): MsgbusError {
  return new MsgbusError('MSGBUS_STREAM_CUT', `Cannot read on: ${found}`, { cause })
}
