// Encodes messages as parts of one format for one version of HTTP, each once, whoever asks: lanes of different filters,
// and heartbeats that repeat a picture.

import type { Encoder } from '../../bus/sink.ts'
import type { StreamFormat } from '../../codec/stream-format.ts'
import { assemble } from '../../http/chunk.ts'
import type { Message } from '../../message.ts'

export interface PartEncoderOptions {
  readonly format: StreamFormat
  /** True when readers get several channels. */
  readonly isWide: boolean
  readonly isChunked: boolean
}

export class PartEncoder implements Encoder {
  readonly #options: PartEncoderOptions
  // Kept as long as somebody keeps the message.
  readonly #encoded = new WeakMap<Message, Uint8Array | null>()

  constructor(options: PartEncoderOptions) {
    this.#options = options
  }

  get format(): StreamFormat {
    return this.#options.format
  }

  encode(message: Message, skippedCount: number): Uint8Array | null {
    if (skippedCount > 0) return this.#encode(message, skippedCount)
    const known = this.#encoded.get(message)
    if (known !== undefined) return known
    const bytes = this.#encode(message, 0)
    this.#encoded.set(message, bytes)
    return bytes
  }

  #encode(message: Message, skippedCount: number): Uint8Array | null {
    const { format, isWide, isChunked } = this.#options
    const part = format.part(message, { isWide, skippedCount })
    return part === null ? null : assemble({ ...part, tail: format.tail }, isChunked)
  }
}
