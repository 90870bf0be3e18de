// Which mount a request belongs to: the longest prefix wins, and what no mount owns goes to the document root. The
// protocol is chosen by address alone, never by looking at what was sent.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { MsgbusError } from '../errors.ts'
import { ALLOWED_METHODS, type Exchange } from './exchange.ts'

/** Everything below a URL prefix. */
export interface Mount {
  /** Begins and ends with a slash. */
  readonly prefix: string
  /** @param rest What follows the prefix in the path. */
  handle(exchange: Exchange, rest: string): Promise<void>
}

export class Router {
  readonly #mounts: readonly Mount[]
  readonly #files: ((req: IncomingMessage, res: ServerResponse) => void) | null

  /**
   * @param files Serves what no mount owns; null for nothing.
   * @throws {TypeError} for a prefix that does not begin and end with a slash; {RangeError} for one that stands twice.
   */
  constructor(mounts: readonly Mount[], files: ((req: IncomingMessage, res: ServerResponse) => void) | null) {
    for (const { prefix } of mounts) {
      if (!/^\/(?:[^?#\s]*\/)?$/.test(prefix)) {
        throw new TypeError(`Cannot mount at "${prefix}": a prefix begins and ends with "/"`)
      }
      if (mounts.filter(mount => mount.prefix === prefix).length > 1) {
        throw new RangeError(`Cannot mount at "${prefix}": it is mounted twice`)
      }
    }
    this.#mounts = mounts.toSorted((a, b) => b.prefix.length - a.prefix.length)
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
    for (const mount of this.#mounts) {
      if (path.startsWith(mount.prefix)) return mount.handle(exchange, path.slice(mount.prefix.length))
    }
    if (this.#files === null) throw new MsgbusError('MSGBUS_NOT_FOUND', 'There is nothing at this address')
    this.#files(exchange.req, exchange.res)
  }
}
