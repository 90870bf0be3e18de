// The commands that do in a shell what the page does. Everything that somebody else may have named is quoted.

import { encodeChannel } from '../../../src/channel.ts'
import type { View } from './address.ts'

export interface Server {
  /** URL of the native protocol, with a slash at the end. */
  readonly url: string
  readonly hasPassword: boolean
}

/** What is published; a file is named as it is on the disk. */
export interface Payload {
  readonly type: string
  readonly text?: string
  readonly fileName?: string
}

export function subscribeCommand(server: Server, { channel, type, sender }: View): string {
  const filters = [...pair('type', type), ...pair('sender', sender)].join('&')
  const url = `${urlOf(server, channel)}${filters === '' ? '' : `?${filters}`}`
  return ['curl -N', ...credentials(server), quote(url)].join(' ')
}

export function publishCommand(server: Server, channel: string, { type, text, fileName }: Payload): string {
  // Only of a file's name curl takes a leading "@" off, and "-" would be its input.
  const data =
    fileName === undefined
      ? `--data-raw ${quote(text ?? '')}`
      : `--data-binary ${quote(fileName.startsWith('-') ? `@./${fileName}` : `@${fileName}`)}`
  const header = `-H ${quote(`Content-Type: ${type}`)}`
  return ['curl', ...credentials(server), header, data, quote(urlOf(server, channel))].join(' ')
}

/** [POSIX XCU 2.2.2] Between single quotes everything is itself, but for a single quote. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function urlOf({ url }: Server, channel: string): string {
  return `${url}${encodeChannel(channel).replaceAll(',', '%2C')}`
}

function pair(name: string, value: string): string[] {
  return value === '' ? [] : [`${name}=${encodeURIComponent(value)}`]
}

// It asks for the password, which neither belongs on a command line nor is known to the page.
function credentials({ hasPassword }: Server): string[] {
  return hasPassword ? ['-u "$USER"'] : []
}
