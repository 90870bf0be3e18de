// What the processes of one server write to each other beside messages and questions about stores. Structured clones, not
// JSON: a configuration holds maps and expressions.

import type { Config } from '../config/schema.ts'

/** The first descriptor of a worker on which it has a store: one for each, in the order of the configuration. */
export const FIRST_STORE_FD = 4

export type LetterToWorker =
  | {
      readonly kind: 'start'
      /** From 1, as it stands in the log. */
      readonly number: number
      /** With this worker's share of what all workers may use together. */
      readonly config: Config
      readonly pem: string | null
      /** The same for all, so that a stream may go on at another worker. */
      readonly boundary: string
    }
  | { readonly kind: 'certificate'; readonly pem: string | null }
  | { readonly kind: 'stop' }

export type LetterToPrimary =
  /** It reads letters now: those that came before are lost. */
  | { readonly kind: 'awake' }
  | { readonly kind: 'ready'; readonly urls: readonly string[] }
  /** It ends with this line and this exit code. */
  | { readonly kind: 'failed'; readonly line: string; readonly exitCode: number }
