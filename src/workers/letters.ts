// What the processes of one server write to each other beside messages and questions about stores. Structured clones, not
// JSON: a configuration holds maps and expressions.

import type { Count } from '../bus/census.ts'
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
      /** When the server began, in milliseconds since 1970. */
      readonly startedMs: number
    }
  | { readonly kind: 'certificate'; readonly pem: string | null }
  /** What all others have; the answer to `count`. */
  | { readonly kind: 'others'; readonly others: Count }
  | { readonly kind: 'stop' }

export type LetterToPrimary =
  /** It reads letters now: those that came before are lost. */
  | { readonly kind: 'awake' }
  | { readonly kind: 'ready'; readonly urls: readonly string[] }
  /** What it has; told every second. */
  | { readonly kind: 'count'; readonly count: Count }
  /** It ends with this line and this exit code. */
  | { readonly kind: 'failed'; readonly line: string; readonly exitCode: number }
