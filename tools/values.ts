// What the values of the options may look like: each kind says what it expects and reads a text. Which options there
// are stands in the table of each tool.

import { statSync } from 'node:fs'

/** One kind of value. */
export interface Kind<Value> {
  /** Completes the sentence "expected ...". */
  readonly expected: string
  /** Undefined for a text that is no such value. */
  read(text: string): Value | undefined
}

const MS_OF_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const BYTES_OF_UNIT: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2 }
const MAX_DURATION_MS = 7 * 24 * 3_600_000

// Numbers of a stamp are as long as that.
const MAX_COUNT = 2 ** 40 - 1

export const TEXT: Kind<string> = {
  expected: 'a text',
  read: text => (text === '' ? undefined : text),
}

export const ANY_TEXT: Kind<string> = {
  expected: 'a text',
  read: text => text,
}

/** Goes into a header line as it is. */
export const MEDIA_TYPE: Kind<string> = {
  expected: 'a media type such as text/plain',
  read: text => (/^[\w.+-]+\/[\x21-\x7e][\x20-\x7e]*$/.test(text) ? text : undefined),
}

export const PORT: Kind<number> = integer(1, 65_535)

export const COUNT: Kind<number> = integer(1, MAX_COUNT)

/** A whole number in decimal digits. */
export function integer(min: number, max: number): Kind<number> {
  return {
    expected: `a whole number, ${min} to ${max}`,
    read: text => within(min, max, /^\d{1,15}$/.test(text) ? Number(text) : NaN),
  }
}

/** Milliseconds; a bare number is seconds. */
export const DURATION: Kind<number> = {
  expected: 'a time such as 500ms, 10s, 5m or 1h, up to 168h',
  read: text => {
    const [, number, unit = 's'] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? []
    return within(1, MAX_DURATION_MS, Number(number) * (MS_OF_UNIT[unit] ?? NaN))
  },
}

/** Messages per second; Infinity for as fast as it goes. */
export const RATE: Kind<number> = {
  expected: 'messages per second, 0.01 to 10000000, or 0 or max for as fast as it goes',
  read: text => {
    if (text === 'max' || /^0+$/.test(text)) return Infinity
    return within(0.01, 10_000_000, /^\d{1,8}(?:\.\d{1,3})?$/.test(text) ? Number(text) : NaN)
  },
}

/** Bytes. */
export function size(min: number, max: number): Kind<number> {
  return {
    expected: `a size in bytes such as 100, 64KiB or 1MiB, ${min} to ${max}`,
    read: text => {
      const [, number, unit = ''] = /^(\d{1,9})(KiB|MiB)?$/.exec(text) ?? []
      return within(min, max, Number(number) * (BYTES_OF_UNIT[unit] ?? NaN))
    },
  }
}

export const FILE: Kind<string> = {
  expected: 'a file that can be read',
  read: text => (statSync(text, { throwIfNoEntry: false })?.isFile() === true ? text : undefined),
}

function within(min: number, max: number, value: number): number | undefined {
  return value >= min && value <= max ? value : undefined
}
