// Reads one HTTP answer that does not end: head, then chunks or, from a server of HTTP/1.0, bytes as they are. What is
// in them goes to a part reader. Holds nothing but the head while that is not complete. Hot path.

import { boundaryOf } from '../../src/codec/multipart-parser.ts'
import { bodyLength, describeAnswer, findAnswer, findHead, type Head, shown } from '../answer.ts'
import { RunError } from '../run-error.ts'
import { type PartConsumer, PartReader } from './part-reader.ts'

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b

// Eight hexadecimal digits.
const MAX_CHUNK_BYTES = 0xffff_ffff

/** `refused` gathers the text of an answer that is no stream; `plain` is a body without chunks. */
type State = 'head' | 'refused' | 'plain' | 'size' | 'extension' | 'data' | 'data-end' | 'trailer' | 'ended'

export class StreamReader {
  readonly #consumer: PartConsumer
  readonly #onOpen: () => void
  #parts: PartReader | null = null
  #state: State = 'head'
  #text = ''
  // Of the chunk: its size as far as it was read, then what is left of it.
  #chunkBytes = 0
  #hasDigits = false
  #lineBytes = 0

  /** @param onOpen Called when the head says that this is a stream. */
  constructor(consumer: PartConsumer, onOpen: () => void) {
    this.#consumer = consumer
    this.#onOpen = onOpen
  }

  /** True when the server has ended the stream in good order. */
  get isEnded(): boolean {
    return this.#state === 'ended'
  }

  /**
   * Takes the next bytes.
   * @throws {RunError} for an answer that is no stream, and for bytes that no msgbus sends.
   */
  push(bytes: Buffer, byteCount: number): void {
    let at = 0
    if (this.#state === 'head' || this.#state === 'refused') at = this.#gather(bytes, byteCount)
    const parts = this.#parts
    if (parts === null) return
    while (at < byteCount) at = this.#step(parts, bytes, at, byteCount)
  }

  /**
   * Says that the connection was closed in good order.
   * @throws {RunError} unless the stream may end here.
   */
  close(): void {
    switch (this.#state) {
      case 'ended':
        return
      case 'refused':
        throw refusal(this.#text)
      case 'head':
        throw new RunError(
          this.#text === ''
            ? 'the server closed the connection without an answer'
            : 'its answer was cut in the head',
        )
      case 'plain':
        if (this.#parts?.isClosed === true) return
        break
    }
    throw this.#cut()
  }

  /** What the stream is when it ends now, or is broken off. */
  #cut(): RunError {
    const place = this.#parts?.isInsidePart === true ? 'in the middle of a part' : 'between two parts'
    return new RunError(`the stream was cut ${place}`)
  }

  /** Returns where the stream begins in `bytes`, once it does. */
  #gather(bytes: Buffer, byteCount: number): number {
    const knownCharacters = this.#text.length
    this.#text += bytes.toString('latin1', 0, byteCount)
    const found = findHead(this.#text)
    if (found === null) return byteCount
    const boundary = boundaryOfStream(found.head)
    if (boundary === null) {
      this.#refuse(found.head)
      return byteCount
    }
    this.#text = ''
    this.#parts = new PartReader(boundary, this.#consumer)
    this.#state = found.head.headers.get('transfer-encoding')?.toLowerCase() === 'chunked' ? 'size' : 'plain'
    this.#onOpen()
    return found.end - knownCharacters
  }

  #refuse(head: Head): void {
    this.#state = 'refused'
    // A body without a length, as a page of another server has it, says nothing that is worth waiting for.
    if (bodyLength(head) === null || findAnswer(this.#text) !== null) throw refusal(this.#text)
  }

  #step(parts: PartReader, bytes: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case 'data': {
        const to = Math.min(end, at + this.#chunkBytes)
        this.#chunkBytes -= to - at
        if (this.#chunkBytes === 0) this.#state = 'data-end'
        parts.push(bytes, at, to)
        return to
      }
      case 'data-end':
        return this.#readDataEnd(bytes[at], at)
      case 'size':
        return this.#readSize(bytes, at, end)
      case 'extension':
        if (bytes[at] === LF) this.#endSizeLine()
        return at + 1
      case 'trailer':
        return this.#readTrailer(parts, bytes[at], at)
      case 'plain':
        parts.push(bytes, at, end)
        return end
      default:
        throw new RunError('the stream is broken: something follows its end')
    }
  }

  #readSize(bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] ?? 0
      const digit = hexDigit(byte)
      if (digit === -1) {
        if (!this.#hasDigits || (byte !== CR && byte !== SEMICOLON)) throw brokenChunk()
        this.#state = 'extension'
        return at + 1
      }
      this.#chunkBytes = this.#chunkBytes * 16 + digit
      if (this.#chunkBytes > MAX_CHUNK_BYTES) throw brokenChunk()
      this.#hasDigits = true
    }
    return end
  }

  #endSizeLine(): void {
    this.#hasDigits = false
    this.#lineBytes = 0
    this.#state = this.#chunkBytes === 0 ? 'trailer' : 'data'
  }

  #readDataEnd(byte: number | undefined, at: number): number {
    if (byte !== (this.#lineBytes === 0 ? CR : LF)) throw brokenChunk()
    this.#lineBytes++
    if (byte === LF) this.#state = 'size'
    return at + 1
  }

  #readTrailer(parts: PartReader, byte: number | undefined, at: number): number {
    // An empty line ends it.
    if (byte === LF && this.#lineBytes === 0) {
      if (parts.isInsidePart) throw this.#cut()
      this.#state = 'ended'
    } else if (byte === LF) {
      this.#lineBytes = 0
    } else if (byte !== CR) {
      this.#lineBytes++
    }
    return at + 1
  }
}

/** Null for an answer that is no stream. */
function boundaryOfStream({ status, headers }: Head): string | null {
  const type = headers.get('content-type') ?? ''
  return status === 200 && /^multipart\/(?:x-mixed-replace|mixed)(?:;|$)/i.test(type)
    ? boundaryOf(type)
    : null
}

function refusal(text: string): RunError {
  const found = findHead(text)
  if (found === null) return new RunError('its answer was cut in the head')
  const { head, end } = found
  if (head.status !== 200) return new RunError(describeAnswer({ head, body: text.slice(end) }))
  const type = head.headers.get('content-type')
  const kind = type === undefined ? 'something without a type' : shown(type)
  return new RunError(`the server answered with ${kind}, and a stream of msgbus is multipart/x-mixed-replace`)
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function brokenChunk(): RunError {
  return new RunError('the stream is broken: its chunks do not hold')
}
