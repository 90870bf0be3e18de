// Takes in request bodies: bounded in size, in time and in what all of them together may hold. Only a body that
// arrived whole is handed on. What a body means is not looked at here.

import { MsgbusError } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { GatheredBytes } from './gathered-bytes.ts'

/** How long a body may take: all of them `graceMs`, larger ones longer, but nobody longer than `maxBodyMs`. */
export interface BodyDeadlines {
  readonly graceMs: number
  /** What a body has to keep up on average once its grace is used up. */
  readonly minBytesPerSecond: number
  readonly maxBodyMs: number
  /** How often bodies are looked at. */
  readonly checkIntervalMs: number
}

// R.U.D.Y. and friends send a byte at a time, each from as many connections as they get.
const DEADLINES: BodyDeadlines = {
  graceMs: 30_000,
  minBytesPerSecond: 16 * 1024,
  maxBodyMs: 300_000,
  checkIntervalMs: 1_000,
}

/** How one body, or one part of an endless one, is doing. */
export interface Progress {
  readonly startedMs: number
  readonly byteCount: number
}

/** A body that is being taken in. */
export interface Reading {
  readonly isEndless: boolean
  /** Null while nothing is due, as between two parts of an endless body. */
  progress(): Progress | null
  /** Told when it is too slow, or, if it is endless, that the server closes. */
  fail(error: MsgbusError): void
}

/** What is done with each piece of a body, and what is asked in between. */
interface Steps {
  readonly onBytes: (bytes: Buffer) => void
  readonly progress: () => Progress | null
  readonly ready: () => Promise<void> | null
}

/**
 * Looks after a body until it is told not to.
 * @throws {MsgbusError} `MSGBUS_CLOSED` for an endless one when the server closes.
 */
export type BodyWatch = (reading: Reading) => () => void

export class Intake {
  readonly #maxTotalBytes: number
  readonly #deadlines: BodyDeadlines
  readonly #readings = new Set<Reading>()
  #heldBytes = 0
  #isClosed = false
  #clock: NodeJS.Timeout | null = null

  /** @param maxTotalBytes Bytes of all unfinished bodies together. */
  constructor(maxTotalBytes: number, deadlines: Partial<BodyDeadlines> = {}) {
    this.#maxTotalBytes = maxTotalBytes
    this.#deadlines = { ...DEADLINES, ...deadlines }
  }

  /**
   * Reads a whole body.
   * @throws {MsgbusError} `MSGBUS_LENGTH_REQUIRED`, `MSGBUS_BODY_TOO_LARGE` (before reading, when the length tells),
   *   `MSGBUS_BUSY`, `MSGBUS_BODY_SLOW`, `MSGBUS_BODY_INCOMPLETE`.
   */
  async read(exchange: Exchange, maxBytes: number): Promise<Buffer> {
    const gathered = new GatheredBytes(declaredLength(exchange))
    await this.stream(exchange, maxBytes, {
      onBytes: bytes => {
        gathered.add(bytes)
      },
    })
    return gathered.toBuffer()
  }

  /**
   * Hands a body on as it arrives, and resolves once it arrived whole.
   * @param maxBytes Of the whole body; `Infinity` for one that lasts, whose consumer holds and bounds its parts.
   * @throws as {@link read}, `MSGBUS_CLOSED` for a body that lasts once `close()` was called, and whatever `onBytes` throws.
   */
  async stream(exchange: Exchange, maxBytes: number, consumer: Consumer): Promise<void> {
    const declaredBytes = declaredLength(exchange)
    if (declaredBytes > maxBytes) throw tooLarge(maxBytes)
    const isEndless = maxBytes === Infinity
    if (isEndless && this.#isClosed) throw closed()
    // What is only announced takes no room from others, but what cannot fit is refused before it is read.
    this.#checkRoom(isEndless ? 0 : declaredBytes)
    const hold = this.hold()
    const startedMs = performance.now()
    let byteCount = 0
    try {
      await this.#consume(exchange, isEndless, {
        onBytes: bytes => {
          byteCount += bytes.length
          if (byteCount > maxBytes) throw tooLarge(maxBytes)
          if (!isEndless) hold.set(byteCount)
          consumer.onBytes(bytes)
          if (isEndless) hold.set(consumer.heldByteCount ?? 0)
        },
        progress: isEndless ? () => consumer.progress?.() ?? null : () => ({ startedMs, byteCount }),
        ready: () => consumer.ready?.() ?? null,
      })
    } finally {
      hold.set(0)
    }
  }

  /** For a body that is taken in elsewhere, and counts like all others. */
  hold(): Hold {
    return new Hold(bytes => {
      this.#adjust(bytes)
    })
  }

  /** For a body that is taken in elsewhere, and has the deadlines of all others. */
  readonly watch: BodyWatch = reading => {
    if (reading.isEndless && this.#isClosed) throw closed()
    this.#readings.add(reading)
    this.#clock ??= setInterval(this.#check, this.#deadlines.checkIntervalMs)
    return () => {
      this.#readings.delete(reading)
    }
  }

  /** Ends the bodies that would never end by themselves; the others may still arrive. */
  close(): void {
    this.#isClosed = true
    for (const reading of this.#readings) {
      if (reading.isEndless) reading.fail(closed())
    }
  }

  #consume(exchange: Exchange, isEndless: boolean, { onBytes, progress, ready }: Steps) {
    const { req } = exchange
    return new Promise<void>((resolve, reject) => {
      const finish = (error?: unknown): void => {
        unwatch()
        if (error === undefined) {
          resolve()
          return
        }
        req.off('data', onData)
        // What is still on its way is read and forgotten until the connection closes.
        req.resume()
        reject(error instanceof Error ? error : new Error('Cannot take in a body', { cause: error }))
      }
      const onData = (bytes: Buffer): void => {
        try {
          onBytes(bytes)
          const isReady = ready()
          if (isReady === null) return
          req.pause()
          isReady.then(() => req.resume(), finish)
        } catch (error) {
          finish(error)
        }
      }
      const incomplete = (): void => {
        // Every request closes, and to make an error costs as much as all the rest of taking in a small body.
        if (!this.#readings.has(reading)) return
        // Even a body that is complete will never be read.
        finish(bodyIncomplete())
      }
      const reading: Reading = { isEndless, progress, fail: finish }
      const unwatch = this.watch(reading)
      req.on('data', onData)
      req.on('end', () => {
        finish()
      })
      req.on('error', incomplete)
      req.on('close', incomplete)
      exchange.startBody()
    })
  }

  #adjust(bytes: number): void {
    if (bytes > 0) this.#checkRoom(bytes)
    this.#heldBytes += bytes
  }

  #checkRoom(bytes: number): void {
    if (this.#heldBytes + bytes > this.#maxTotalBytes) {
      throw new MsgbusError('MSGBUS_BUSY', 'Too many request bodies are under way: try again later')
    }
  }

  readonly #check = (): void => {
    if (this.#readings.size === 0 && this.#clock !== null) {
      clearInterval(this.#clock)
      this.#clock = null
    }
    const { graceMs, minBytesPerSecond, maxBodyMs } = this.#deadlines
    const nowMs = performance.now()
    for (const reading of this.#readings) {
      const progress = reading.progress()
      if (progress === null) continue
      const allowedMs = Math.min(maxBodyMs, graceMs + (progress.byteCount / minBytesPerSecond) * 1000)
      if (nowMs - progress.startedMs > allowedMs) {
        reading.fail(new MsgbusError('MSGBUS_BODY_SLOW', 'The body arrives too slowly'))
      }
    }
  }
}

/** Takes a body in as it arrives. */
export interface Consumer {
  onBytes(bytes: Buffer): void
  /** Of endless bodies: what is not handed on yet. */
  readonly heldByteCount?: number
  /** Of endless bodies: how the unfinished part is doing; null between two parts, and while it is not ready. */
  progress?(): Progress | null
  /** Asked after each piece: null if the next may come, else what resolves then. What it rejects with ends the body. */
  ready?(): Promise<void> | null
}

/** Counts what one body holds of the common bound. */
export class Hold {
  readonly #adjust: (bytes: number) => void
  #byteCount = 0

  constructor(adjust: (bytes: number) => void) {
    this.#adjust = adjust
  }

  /** @throws {MsgbusError} `MSGBUS_BUSY` if there is no room for more. */
  set(byteCount: number): void {
    if (byteCount === this.#byteCount) return
    this.#adjust(byteCount - this.#byteCount)
    this.#byteCount = byteCount
  }
}

function declaredLength({ req }: Exchange): number {
  const length = req.headers['content-length']
  if (length !== undefined) return Number(length)
  if (req.headers['transfer-encoding'] !== undefined) return 0
  throw new MsgbusError('MSGBUS_LENGTH_REQUIRED', 'A body needs a Content-Length or chunked encoding')
}

function closed(): MsgbusError {
  return new MsgbusError('MSGBUS_CLOSED', 'The server is shutting down')
}

/** What is said of a body whose end did not come. */
export function bodyIncomplete(): MsgbusError {
  return new MsgbusError('MSGBUS_BODY_INCOMPLETE', 'The body ended before it was complete')
}

function tooLarge(maxBytes: number): MsgbusError {
  return new MsgbusError('MSGBUS_BODY_TOO_LARGE', `The body is larger than the ${maxBytes} bytes allowed`)
}
