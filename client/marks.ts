// What the chats, in the page and on the command line, add to the type of a message, as parameters that everybody else may
// ignore: a nonce, by which a line that had to be sent twice is known again, and the name of a person or a file where ASCII
// does not do. Runs in browsers.

import { essenceOf } from './message.ts'

/** As the server allows. */
const MAX_TYPE_LENGTH = 256
const MAX_NAME_LENGTH = 24
const MAX_ENCODED_NAME_LENGTH = 90
/** Of somebody else's name. */
const MAX_SHOWN_LENGTH = 64

// Names as in RFC 6838.
const ESSENCE = /^[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*$/i

// Invisible, or able to turn what stands beside them around. The joiner of emoji stays.
const HIDDEN_CHARACTERS =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

export interface Marks {
  readonly nonce: string | null
  /** Name of the person who sent it. */
  readonly name: string | null
  readonly fileName: string | null
}

/** Something that nobody else comes by: 96 random bits. */
export function newNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** What a person typed, as a name: short, on one line, with nothing hidden in it. */
export function tidyName(text: string): string {
  const letters = Array.from(clean(text)).slice(0, MAX_NAME_LENGTH)
  while (encode(letters.join('')).length > MAX_ENCODED_NAME_LENGTH) letters.pop()
  return letters.join('').trim()
}

/** The part of a name that can stand in a header of HTTP; undefined if nothing is left of it. */
export function senderOf(name: string): string | undefined {
  return (
    name
      .normalize('NFKD')
      .replace(/[^\x20-\x7e]|:/g, '')
      .trim() || undefined
  )
}

/** Adds marks to a type. What does not fit is cut off the name of the file. */
export function writeType(type: string, { nonce, name, fileName }: Marks): string {
  let text = type
  if (nonce !== null) text += `; nonce=${nonce}`
  if (name !== null && name !== senderOf(name)) text += `; name*=utf-8''${encode(name)}`
  if (fileName === null) return text
  const parameter = "; filename*=utf-8''"
  const fitting = shorten(clean(fileName), MAX_TYPE_LENGTH - text.length - parameter.length)
  return fitting === '' ? text : text + parameter + encode(fitting)
}

export function readMarks(type: string): Marks {
  const [, nonce = null] = /;\s*nonce=([\w-]{8,40})\s*(?:;|$)/.exec(type) ?? []
  return { nonce, name: readText(type, 'name'), fileName: readText(type, 'filename') }
}

/** Whom to show. A name is as good as the sender: it counts only if the sender is what is left of it in ASCII. */
export function authorOf(sender: string | null, name: string | null): string | null {
  const isFitting = name !== null && (senderOf(name) ?? '') === (sender ?? '')
  return clean(isFitting ? name : (sender ?? '')).slice(0, MAX_SHOWN_LENGTH) || null
}

/** The type that a file is published with. */
export function typeOfFile({ type }: Blob): string {
  const essence = essenceOf(type)
  // The server would take a multipart body apart.
  return ESSENCE.test(essence) && !essence.startsWith('multipart/') ? essence : 'application/octet-stream'
}

function clean(text: string): string {
  return text.replace(/\s+/g, ' ').replace(HIDDEN_CHARACTERS, '').trim()
}

// [RFC 8187 §3.2.1] what encodeURIComponent leaves as it is and a parameter may not hold.
function encode(text: string): string {
  return encodeURIComponent(text).replace(/['()*]/g, letter => `%${letter.charCodeAt(0).toString(16)}`)
}

function readText(type: string, key: 'name' | 'filename'): string | null {
  const [, spelling] = new RegExp(`;\\s*${key}\\*=utf-8''([\\w!#$%&+.^\`|~-]+)`, 'i').exec(type) ?? []
  if (spelling === undefined) return null
  try {
    return clean(decodeURIComponent(spelling)) || null
  } catch {
    // Bytes that are no UTF-8: not written by this page.
    return null
  }
}

/** Cuts letters off a name, but not off its ending, until it is short enough when encoded. */
function shorten(fileName: string, maxLength: number): string {
  const [, stem = '', ending = ''] = /^(.*?)(\.[^.]{1,10})?$/.exec(fileName) ?? []
  const letters = Array.from(stem)
  while (letters.length > 0 && encode(letters.join('') + ending).length > maxLength) letters.pop()
  return encode(letters.join('') + ending).length > maxLength ? '' : letters.join('') + ending
}
