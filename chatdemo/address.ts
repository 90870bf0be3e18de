// The rooms in the address of the page: `#kitchen`, `#kitchen,garden`. Each is the name of a channel.

const DEFAULT_ROOM = 'chatdemo'
const MAX_ROOMS = 20

/** Rooms that a hash names, each once; the default one if it names none. */
export function readRooms(hash: string): readonly string[] {
  const names = hash.replace(/^#/, '').split(',').map(decode).map(tidyRoom)
  const rooms = [...new Set(names)].filter(name => name !== '').slice(0, MAX_ROOMS)
  return rooms.length === 0 ? [DEFAULT_ROOM] : rooms
}

/** The hash that names these rooms. */
export function writeRooms(rooms: readonly string[]): string {
  return `#${rooms.map(name => name.split('/').map(encodeURIComponent).join('/')).join(',')}`
}

/** A name as somebody types it: `#kitchen` is `kitchen`. */
export function tidyRoom(text: string): string {
  return text
    .normalize('NFC')
    .trim()
    .replace(/^[#/]+|\/+$/g, '')
}

function decode(spelling: string): string {
  try {
    return decodeURIComponent(spelling)
  } catch {
    // Not an escape: somebody typed a percent sign.
    return spelling
  }
}
