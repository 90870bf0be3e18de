// What the readers of all picture formats share: the bounds of a picture, and numbers of bytes. Runs in browsers.

import { latin1Bytes } from '../bytes.ts'

/** Longest side of a picture in pixels. */
export const MAX_PICTURE_SIDE = 16_384
/** Most pixels of a picture, so of one decoded frame: 128 MiB as RGBA. An 8K video frame has 33,177,600. */
export const MAX_PICTURE_PIXELS = 2 ** 25
/** Most pixels of all frames of an animation, each counted as the whole canvas that a browser composes for it. */
export const MAX_ANIMATION_PIXELS = 2 ** 28

/** Whether a picture of that size may be shown. */
export function isSane(width: number, height: number): boolean {
  return (
    width > 0 &&
    height > 0 &&
    width <= MAX_PICTURE_SIDE &&
    height <= MAX_PICTURE_SIDE &&
    width * height <= MAX_PICTURE_PIXELS
  )
}

// The readers below take what lies past the end as zeros; whoever steps over something checks that it is there.

export function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

export function uint32(bytes: Uint8Array, at: number): number {
  return ((uint16(bytes, at) << 16) | uint16(bytes, at + 2)) >>> 0
}

export function littleUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

export function littleUint24(bytes: Uint8Array, at: number): number {
  return littleUint16(bytes, at) | ((bytes[at + 2] as number) << 16)
}

export function littleUint32(bytes: Uint8Array, at: number): number {
  return (littleUint24(bytes, at) | ((bytes[at + 3] as number) << 24)) >>> 0
}

/** Four characters as the number that they are in a file, first one highest. */
export function fourCharacters(text: string): number {
  return uint32(latin1Bytes(text), 0)
}
