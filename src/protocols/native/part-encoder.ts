// Encodes messages as parts of one format for one version of HTTP, each once, whoever asks: lanes of different filters,
// readers that come back together, and heartbeats that repeat a picture.

import type { Encoder } from '../../bus/sink.ts'
import type { StreamFormat } from '../../codec/stream-format.ts'
import { assemble } from '../../http/chunk.ts'
import type { Message } from '../../message.ts'

// What is encoded is remembered for at least so many bytes of others, and for no more than twice as many: a store may
// keep a message for long, and its bytes in every form would be several times what it was allowed.
const GENERATION_BYTES = 2 * 1024 * 1024

export interface PartEncoderOptions {
  readonly format: StreamFormat
  /** True when readers get several channels. */
  readonly isWide: boolean
  readonly isChunked: boolean
}

export class PartEncoder implements Encoder {
  readonly #options: PartEncoderOptions
  #young = new WeakMap<Message, Uint8Array | null>()
  #old = new WeakMap<Message, Uint8Array | null>()
  #youngBytes = 0

  constructor(options: PartEncoderOptions) {
    this.#options = options
  }

  get format(): StreamFormat {
    return this.#options.format
  }

  encode(message: Message, skippedCount: number): Uint8Array | null {
    if (skippedCount > 0) return this.#encode(message, skippedCount)
    let known = this.#young.get(message)
    if (known === undefined) known = this.#old.get(message)
    if (known !== undefined) return known
    const bytes = this.#encode(message, 0)
    this.#remember(message, bytes)
    return bytes
  }

  #remember(message: Message, bytes: Uint8Array | null): void {
    if (this.#youngBytes > GENERATION_BYTES) {
      this.#old = this.#young
      this.#young = new WeakMap()
      this.#youngBytes = 0
    }
    this.#young.set(message, bytes)
    this.#youngBytes += bytes?.length ?? 0
  }

  #encode(message: Message, skippedCount: number): Uint8Array | null {
    const { format, isWide, isChunked } = this.#options
    const part = format.part(message, { isWide, skippedCount })
    return part === null ? null : assemble({ ...part, tail: format.tail }, isChunked)
  }
}
