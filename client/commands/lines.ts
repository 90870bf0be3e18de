// Lines of a stream of bytes, each as soon as it is whole.

import { CommandError } from './command-error.ts'

const LF = 0x0a
const CR = 0x0d
// No server takes a longer message by default than 1 MiB; what has no line ends is none of our business.
const MAX_LINE_BYTES = 64 * 1024 * 1024

/**
 * Lines without their ends (LF or CRLF); the last one need not have one.
 * @throws {CommandError} For a line over 64 MiB.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      yield withoutCr(Buffer.concat([...held, chunk.subarray(start, end)]))
      held = []
      heldBytes = 0
      start = end + 1
    }
    heldBytes += chunk.length - start
    if (heldBytes > MAX_LINE_BYTES)
      throw new CommandError(`Cannot read stdin: a line is over ${MAX_LINE_BYTES} bytes`)
    if (start < chunk.length) held.push(chunk.subarray(start))
  }
  if (held.length > 0) yield Buffer.concat(held)
}

function withoutCr(line: Uint8Array): Uint8Array {
  return line.at(-1) === CR ? line.subarray(0, -1) : line
}
