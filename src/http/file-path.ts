// Reads the path of a URL as names below a document root, and writes it back. Which names may be asked for at all is
// decided here, by their spelling alone: nothing in this file looks at a disk.

import { MsgbusError } from '../errors.ts'
import { parseTarget } from './target.ts'

// Refused on every system, so that a root moved to another one shows nothing new: dotfiles and `..`; separators and
// control characters; what names a home or a drive; trailing dots and blanks, which some file systems drop.
const REFUSED_NAME = /^[.~]|^[a-z]:|[/\\\p{Cc}]|[. ]$/iu

/**
 * Reads a request target.
 * @returns Decoded names between the slashes, the last one empty for a directory; null if one of them is refused.
 */
export function parseFilePath(url: string): string[] | null {
  try {
    // One decode, strictly UTF-8: what still looks escaped afterwards is a name like any other.
    const names = parseTarget(url).path.slice(1).split('/').map(decodeURIComponent)
    const isRefused = names.some(
      (name, at) => REFUSED_NAME.test(name) || (name === '' && at < names.length - 1),
    )
    return isRefused ? null : names
  } catch (error) {
    if (error instanceof URIError || error instanceof MsgbusError) return null
    throw error
  }
}

/** Writes names as a path. None of them is empty, so it can never begin with `//` and lead to another host. */
export function formatFilePath(names: readonly string[]): string {
  return `/${names.map(encodeURIComponent).join('/')}`
}
