// Where data goes: stdout, written in order and not faster than it is read. Whoever reads may leave at any time, which is
// no error of anybody.

import type { WriteStream } from 'node:tty'
import { codeOf, CommandError, reasonOf } from './command-error.ts'

/** Nobody reads the output any more. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

/** Writes to a stream and says how it went. */
export class Output {
  readonly stream: WriteStream

  constructor(stream: WriteStream) {
    this.stream = stream
    // Each write is told by itself.
    stream.on('error', () => undefined)
  }

  /** True on a terminal, where what strangers have written must not go raw. */
  get isTerminal(): boolean {
    return this.stream.isTTY
  }

  /**
   * Resolves when the bytes have been taken.
   * @throws {OutputClosed}
   * @throws {CommandError} The disk is full, for one.
   */
  write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.stream.write(data, error => {
        if (!error) resolve()
        else if (isClosed(error)) reject(new OutputClosed())
        else reject(new CommandError(`Cannot write to stdout: ${reasonOf(error)}`))
      })
    })
  }
}

function isClosed(error: Error): boolean {
  return ['EPIPE', 'ERR_STREAM_DESTROYED', 'ECONNRESET'].includes(codeOf(error) ?? '')
}
