// The form of the answer for each kind of reader, and the encoders that all streams of one form share: this is what makes
// a message be encoded once.

import { eventFormat, retryField } from '../../codec/events.ts'
import { jsonLinesFormat } from '../../codec/json-lines.ts'
import { documentFormat, format2008, pictureFormat, standardFormat } from '../../codec/multipart.ts'
import type { StreamFormat } from '../../codec/stream-format.ts'
import { frameFormat } from '../../codec/websocket.ts'
import type { Place } from '../../store/store.ts'
import { PartEncoder } from './part-encoder.ts'
import type { Reader } from './reader.ts'

export type StreamReader = Exclude<Reader, 'page'>

// Readers that lost their connection together must not come back together.
const MIN_RETRY_MS = 2_000
const MAX_RETRY_MS = 5_000

export class Forms {
  readonly #boundary: string
  readonly #encoders = new Map<string, PartEncoder>()

  constructor(boundary: string) {
    this.#boundary = boundary
  }

  /** @param isWide Whether messages of several channels may come. */
  encoder(reader: StreamReader, isWide: boolean, isChunked: boolean): PartEncoder {
    const key = `${reader} ${isWide} ${isChunked}`
    const known = this.#encoders.get(key)
    if (known !== undefined) return known
    const encoder = new PartEncoder({ format: this.#format(reader, isChunked), isWide, isChunked })
    this.#encoders.set(key, encoder)
    return encoder
  }

  #format(reader: StreamReader, isChunked: boolean): StreamFormat {
    switch (reader) {
      case 'program':
        return standardFormat(this.#boundary)
      case 'mixed':
        return standardFormat(this.#boundary, 'mixed')
      case 'document':
        return documentFormat(this.#boundary)
      case 'picture':
        return pictureFormat(this.#boundary)
      case 'events':
        return eventFormat('text')
      case 'envelope events':
        return eventFormat('envelope')
      case 'frames':
        return frameFormat('raw')
      case 'envelope frames':
        return frameFormat('envelope')
      case 'lines':
        return jsonLinesFormat
      case '2008':
        return format2008(!isChunked)
    }
  }
}

/** What one stream of this form begins with. */
export function openingOf(reader: StreamReader, { opening }: StreamFormat): string {
  if (reader !== 'events' && reader !== 'envelope events') return opening
  const retryMs = MIN_RETRY_MS + Math.floor(Math.random() * (MAX_RETRY_MS - MIN_RETRY_MS))
  return `${retryField(retryMs)}${opening}`
}

/** What a reader is told before anything else about the place it begins at. */
export function noticeOf(format: StreamFormat, { isReset, missedCount }: Place): string {
  if (isReset) return format.notice(null)
  return missedCount > 0 ? format.notice(missedCount) : ''
}
