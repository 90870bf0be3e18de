// Messages as files of a directory, one each, under names that nobody else chooses. Overwrites nothing and follows no
// link, whatever is published.

import { open, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { extension } from 'mime-types'
import { parseCursor } from '../../src/cursor.ts'
import { makeFolder } from '../../src/make-folder.ts'
import type { ReceivedMessage } from '../index.ts'
import { codeOf, CommandError, reasonOf } from './command-error.ts'
import { quote } from './printable.ts'

// With number and extension below the 255 bytes that a name may have.
const MAX_CHANNEL_BYTES = 180
// As many messages of one number as a server that is started again so often can bring.
const MAX_SAME_NAMES = 10_000

// What separates directories somewhere, what no terminal should see, and what cannot stand in a name of other systems.
const REPLACED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}/\\:*?"<>|]/gu

export class MessageFolder {
  readonly #dir: string

  private constructor(dir: string) {
    this.#dir = dir
  }

  /**
   * Makes the directory if it is not there.
   * @throws {CommandError}
   */
  static async open(dir: string): Promise<MessageFolder> {
    try {
      await makeFolder(dir)
      // Where it leads now counts, whatever becomes of a link later.
      return new MessageFolder(await realpath(dir))
    } catch (error) {
      throw new CommandError(`Cannot save in ${quote(dir)}: ${reasonOf(error)}`, { cause: error })
    }
  }

  /**
   * Saves the body and returns the name of the file.
   * @throws {CommandError}
   */
  async save(message: ReceivedMessage): Promise<string> {
    const { stem, end } = nameOf(message)
    for (let at = 1; at <= MAX_SAME_NAMES; at++) {
      const name = at === 1 ? `${stem}${end}` : `${stem}-${at}${end}`
      if (await this.#write(name, message.body)) return name
    }
    throw new CommandError(`Cannot save ${quote(`${stem}${end}`)}: there are ${MAX_SAME_NAMES} of that name`)
  }

  /** Returns false if there is something of that name, be it a link to nowhere. */
  async #write(name: string, body: Uint8Array): Promise<boolean> {
    const path = join(this.#dir, name)
    let isOurs = false
    try {
      const file = await open(path, 'wx')
      isOurs = true
      try {
        await file.writeFile(body)
      } finally {
        await file.close()
      }
      return true
    } catch (error) {
      if (!isOurs && codeOf(error) === 'EEXIST') return false
      // Half a message is none.
      if (isOurs) await rm(path, { force: true })
      throw new CommandError(`Cannot save ${quote(name)}: ${reasonOf(error)}`, { cause: error })
    }
  }
}

function nameOf({ id, channel, type }: ReceivedMessage): { readonly stem: string; readonly end: string } {
  const seq = parseCursor(id)?.seq ?? 0
  const safe = cut(channel.replace(REPLACED, '_'))
  const found = extension(type)
  return { stem: `${seq}-${safe}`, end: `.${found === false ? 'bin' : found}` }
}

function cut(name: string): string {
  // Not in the middle of a character: what is begun is left out.
  const bytes = Buffer.from(name).subarray(0, MAX_CHANNEL_BYTES)
  return new TextDecoder().decode(bytes, { stream: true })
}
