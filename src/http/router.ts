// Which mount a request belongs to: the longest prefix wins, then the first pattern that fits, and what no mount owns goes
// to the document root. The protocol is chosen by address alone, never by looking at what was sent.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { MsgbusError } from '../errors.ts'
import { ALLOWED_METHODS } from './error-answer.ts'
import type { Exchange } from './exchange.ts'
import type { PlainHead } from './plain-head.ts'
import type { PlainRoute } from './plain-runs.ts'

/** Everything below a URL prefix. */
export interface Mount {
  /** Begins and ends with a slash. */
  readonly prefix: string
  /** @param rest What follows the prefix in the path. */
  handle(exchange: Exchange, rest: string): Promise<void>
  /**
   * Finds what is to be done with plain publishes of this head; null for one that has to come as an exchange.
   * @param rest As for `handle`.
   * @param peer Address of whoever sends it.
   * @throws {MsgbusError} for whatever an exchange would be refused for.
   */
  plain?(head: PlainHead, rest: string, peer: string): PlainRoute | null
}

/** Whatever says itself that it is its own. */
export interface PatternMount {
  /** @returns What serves this path, null if it is not its own. */
  match(path: string): ((exchange: Exchange) => Promise<void>) | null
}

export interface RouterMounts {
  readonly prefixes: readonly Mount[]
  /** Asked in this order for what is below no prefix. */
  readonly patterns?: readonly PatternMount[]
  /** Serves what no mount owns; nothing does by default. */
  readonly files?: ((req: IncomingMessage, res: ServerResponse) => void) | null
}

export class Router {
  readonly #mounts: readonly Mount[]
  readonly #patterns: readonly PatternMount[]
  readonly #files: ((req: IncomingMessage, res: ServerResponse) => void) | null

  /** @throws {TypeError} for a prefix that does not begin and end with a slash; {RangeError} for one that stands twice. */
  constructor({ prefixes, patterns = [], files = null }: RouterMounts) {
    for (const { prefix } of prefixes) {
      if (!/^\/(?:[^?#\s]*\/)?$/.test(prefix)) {
        throw new TypeError(`Cannot mount at "${prefix}": a prefix begins and ends with "/"`)
      }
      if (prefixes.filter(mount => mount.prefix === prefix).length > 1) {
        throw new RangeError(`Cannot mount at "${prefix}": it is mounted twice`)
      }
    }
    this.#mounts = prefixes.toSorted((a, b) => b.prefix.length - a.prefix.length)
    this.#patterns = patterns
    this.#files = files
  }

  /** @throws {MsgbusError} `MSGBUS_NOT_FOUND`, or what the mount throws. */
  async route(exchange: Exchange): Promise<void> {
    // [RFC 9110 §9.3.7] `OPTIONS *` asks about the server, which no mount and no file is.
    if (exchange.req.url === '*') {
      exchange.answer(204, ['Allow', ALLOWED_METHODS])
      return
    }
    const { path } = exchange.target
    const mount = this.#mountOf(path)
    if (mount !== undefined) return mount.handle(exchange, path.slice(mount.prefix.length))
    for (const pattern of this.#patterns) {
      const serve = pattern.match(path)
      if (serve !== null) return serve(exchange)
    }
    if (this.#files === null) throw new MsgbusError('MSGBUS_NOT_FOUND', 'There is nothing at this address')
    this.#files(exchange.req, exchange.res)
  }

  /** Finds where plain publishes go, see {@link Mount.plain}. */
  plain(head: PlainHead, peer: string): PlainRoute | null {
    const mount = this.#mountOf(head.path)
    return mount?.plain?.(head, head.path.slice(mount.prefix.length), peer) ?? null
  }

  #mountOf(path: string): Mount | undefined {
    return this.#mounts.find(({ prefix }) => path.startsWith(prefix))
  }
}
