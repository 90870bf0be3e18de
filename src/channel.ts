// Channel names: the one rule of what a name may be, and how it is written in a URL. A checked name is the key that
// everything else uses as it is; nothing below this file decodes or compares spellings. Runs in browsers.

import { MsgbusError } from './errors.ts'

const MAX_NAME_BYTES = 255
const MAX_SEGMENTS = 16

// Control (C0, C1, DEL), format (zero width, bidi) and unassigned-surrogate characters: invisible in a log or a page,
// so two names that look alike would be two channels. The backslash is a slash to some browsers and proxies.
const REFUSED_CHARACTERS = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\\]/u

// Most names. What follows for the others asks tables of Unicode, which no cache holds between two messages.
const PLAIN_NAME = /^[\w-]{1,15}(?:\/[\w-]{1,15}){0,15}$/

const encoder = /* @__PURE__ */ new TextEncoder()

/**
 * Checks that `name` is a canonical channel name and returns it.
 *
 * 1 to 255 bytes of UTF-8 in Unicode NFC, 1 to 16 segments between slashes, no empty, `.` or `..` segment, no control
 * or format characters, no backslash.
 * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME`.
 */
export function checkChannel(name: string): string {
  if (PLAIN_NAME.test(name)) return name
  const fault = findFault(name)
  if (fault !== null) throw new MsgbusError('MSGBUS_CHANNEL_NAME', `Cannot use this channel name: ${fault}`)
  return name
}

function findFault(name: string): string | null {
  if (name === '') return 'it is empty'
  const byteCount = encoder.encode(name).length
  if (byteCount > MAX_NAME_BYTES) return `it is ${byteCount} bytes, at most ${MAX_NAME_BYTES} allowed`
  if (REFUSED_CHARACTERS.test(name)) return 'control and format characters and backslashes are not allowed'
  if (name.normalize('NFC') !== name) return 'it is not in Unicode normal form C'
  const segments = name.split('/')
  if (segments.length > MAX_SEGMENTS)
    return `it has ${segments.length} segments, at most ${MAX_SEGMENTS} allowed`
  if (segments.some(segment => segment === '' || segment === '.' || segment === '..')) {
    return 'empty, "." and ".." segments are not allowed'
  }
  return null
}

/**
 * Decodes one name from its spelling in a URL, once, and checks it.
 * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME` for a bad name, a broken escape, bytes that are not UTF-8 and for an
 *   encoded slash, which proxies disagree about.
 */
export function decodeChannel(spelling: string): string {
  if (PLAIN_NAME.test(spelling)) return spelling
  if (/%2f/i.test(spelling)) {
    throw new MsgbusError(
      'MSGBUS_CHANNEL_NAME',
      'Cannot use this channel name: an encoded slash is not allowed',
    )
  }
  return checkChannel(decodeName(spelling))
}

function decodeName(spelling: string): string {
  try {
    return decodeURIComponent(spelling)
  } catch (cause) {
    throw new MsgbusError(
      'MSGBUS_CHANNEL_NAME',
      'Cannot use this channel name: it is not percent-encoded UTF-8',
      {
        cause,
      },
    )
  }
}

/** Writes a canonical name as it stands in a URL path: ASCII only, slashes kept. */
export function encodeChannel(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}
