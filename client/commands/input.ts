// What is to be published: where its bytes come from, and which type they have when nobody says so.

import { isUtf8 } from 'node:buffer'
import { open } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import type { Readable } from 'node:stream'
import { lookup } from 'mime-types'
import type { Surroundings } from './command.ts'
import { CommandError, reasonOf } from './command-error.ts'
import { quote } from './printable.ts'

// The most that any server can be told to take.
const MAX_BYTES = 1024 * 1024 * 1024

export const TEXT_TYPE = 'text/plain; charset=utf-8'

/** Where bytes come from. */
export interface Source {
  /** Null for stdin. */
  readonly path: string | null
  /** For errors. */
  readonly name: string
  readonly stream: Readable
}

/**
 * Opens a file, or stdin if it is called `-`.
 * @throws {CommandError}
 */
export async function openSource(path: string, { stdin, tell }: Surroundings): Promise<Source> {
  if (path === '-') {
    if (stdin.isTTY) tell('reading from the terminal until Ctrl-D')
    return { path: null, name: 'stdin', stream: stdin }
  }
  const name = quote(path)
  try {
    const file = await open(path)
    // Which shows only when it is read, and then the server may be waiting.
    if ((await file.stat()).isDirectory()) throw new CommandError('it is a directory')
    return { path, name, stream: file.createReadStream() }
  } catch (error) {
    throw new CommandError(`Cannot read ${name}: ${reasonOf(error)}`, { cause: error })
  }
}

/**
 * Bytes as they come.
 * @throws {CommandError}
 */
export async function* readChunks({ name, stream }: Source): AsyncGenerator<Uint8Array, undefined> {
  try {
    for await (const chunk of stream) yield chunk as Uint8Array
  } catch (error) {
    throw new CommandError(`Cannot read ${name}: ${reasonOf(error)}`, { cause: error })
  }
}

/**
 * All bytes.
 * @throws {CommandError} Also for more than 1 GiB.
 */
export async function readWhole(source: Source): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let byteCount = 0
  for await (const chunk of readChunks(source)) {
    byteCount += chunk.length
    if (byteCount > MAX_BYTES)
      throw new CommandError(
        `Cannot read ${source.name}: it is over ${MAX_BYTES} bytes, which no server takes`,
      )
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The type that the name of a file promises; else text if the bytes can be. */
export function guessType({ path }: Source, bytes: Uint8Array): string {
  const isText = isUtf8(bytes) && !bytes.includes(0)
  const type = path === null || extname(basename(path)) === '' ? false : lookup(path)
  if (type === false) return isText ? TEXT_TYPE : 'application/octet-stream'
  // The name says nothing of the charset. JSON and its like have none to name.
  return type.startsWith('text/') && isText ? `${type}; charset=utf-8` : type
}
