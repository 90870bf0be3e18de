// What is said about a store between two processes of one server: kinds of frames, and what those hold that are rare enough
// for JSON. Both sides are the same program in the same version.

import type { ErrorCode } from '../../errors.ts'
import type { Capability, PageRequest, Start } from '../store.ts'

/** From whoever uses the store. */
export const ASKING = {
  /** Drafts, one behind the other. */
  append: 1,
  /** JSON, a {@link Question}. */
  ask: 2,
  /** So many further bytes were taken in. */
  taken: 3,
} as const

/** From the one that has it. */
export const TELLING = {
  /** JSON, a {@link Hello}. The first one. */
  hello: 16,
  /** A message, which goes to everybody. */
  message: 17,
  /** The number of the first of the messages that a request has appended, and how many they are. */
  appended: 18,
  /** JSON, the answer to a question. */
  answer: 19,
  /** Bytes of a {@link PageHead}, the head in JSON, and the messages of the page. */
  page: 20,
  /** JSON, a {@link Refusal}. */
  refused: 21,
} as const

export interface Hello {
  readonly epoch: string
  /** What follows are the messages behind it. */
  readonly lastSeq: number
  readonly supports: readonly Capability[]
}

export type Question =
  | { readonly call: 'locate'; readonly paths: readonly string[]; readonly start: Start }
  /** Messages from `knownSeq` on the asking side has: their numbers are enough. */
  | { readonly call: 'read'; readonly page: PageRequest; readonly knownSeq: number }
  | { readonly call: 'channels' }
  | { readonly call: 'get note'; readonly name: string }
  | { readonly call: 'set note'; readonly name: string; readonly value: number }

/** A page without its messages. */
export interface PageHead {
  readonly seq: number
  readonly lostCount: number | null
  readonly mark: number
}

/** In a page, before a message of which the number is all that follows. */
export const KNOWN = 0
/** In a page, before a message. */
export const WHOLE = 1

/** Without a code it was a fault of the program. */
export interface Refusal {
  readonly code: ErrorCode | null
  readonly message: string
}
