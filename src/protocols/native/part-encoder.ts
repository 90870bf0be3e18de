// Encodes messages as parts of one format for one version of HTTP, each once, whoever asks: lanes of different filters,
// readers that come back together, and heartbeats that repeat a picture.

import type { Encoder } from '../../bus/sink.ts'
import type { StreamFormat } from '../../codec/stream-format.ts'
import { PartRow } from '../../http/part-row.ts'
import type { Message } from '../../message.ts'

// What is encoded is remembered for at least so much of others, and for no more than twice as much: a store may keep a message for
// long, and its bytes in every form would be several times what it was allowed. Few enough to die young: a collector
// that has to move them all takes more time than to encode them.
const GENERATION_BYTES = 2 * 1024 * 1024
const GENERATION_COUNT = 1_000

export interface PartEncoderOptions {
  readonly format: StreamFormat
  /** True when readers get several channels. */
  readonly isWide: boolean
  readonly isChunked: boolean
}

export class PartEncoder implements Encoder {
  readonly #options: PartEncoderOptions
  readonly #row: PartRow
  // By their numbers: weak maps of messages cost the collector more than what they would let go of.
  #young = new Map<number, Uint8Array | null>()
  #old = new Map<number, Uint8Array | null>()
  #youngBytes = 0
  // What is behind it nobody has asked for yet.
  #newestSeq = 0

  constructor(options: PartEncoderOptions) {
    this.#options = options
    this.#row = new PartRow(options.format.tail, options.isChunked)
  }

  get format(): StreamFormat {
    return this.#options.format
  }

  encode(message: Message, skippedCount: number): Uint8Array | null {
    if (skippedCount > 0) return this.#encode(message, skippedCount)
    const { seq } = message
    const known = seq > this.#newestSeq ? undefined : this.#known(seq)
    if (known !== undefined) return known
    const bytes = this.#encode(message, 0)
    this.#remember(seq, bytes)
    return bytes
  }

  #known(seq: number): Uint8Array | null | undefined {
    const young = this.#young.get(seq)
    return young === undefined ? this.#old.get(seq) : young
  }

  #remember(seq: number, bytes: Uint8Array | null): void {
    if (this.#youngBytes > GENERATION_BYTES || this.#young.size === GENERATION_COUNT) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    if (seq > this.#newestSeq) this.#newestSeq = seq
    this.#young.set(seq, bytes)
    this.#youngBytes += bytes?.length ?? 0
  }

  #encode(message: Message, skippedCount: number): Uint8Array | null {
    const { format, isWide } = this.#options
    const part = format.part(message, { isWide, skippedCount })
    return part === null ? null : this.#row.add(part.head, part.body)
  }
}
