// What pages of other sites may do through a visitor's browser: nothing, unless their origin is listed. Plain form
// posts and image requests need no CORS permission, so this rule refuses them itself; programs send none of the
// headers it looks at and are not concerned.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { MsgbusError } from '../errors.ts'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

const EXPOSED_HEADERS =
  'Content-Location, Etag, Last-Modified, Msgbus-Id, Msgbus-Count, Msgbus-Position, Msgbus-Resume'
const ALLOWED_HEADERS = 'Authorization, Content-Type, If-Modified-Since, If-None-Match, Last-Event-ID'

export class OriginRule {
  readonly #allowedOrigins: ReadonlySet<string>

  /** @param allowedOrigins Exact origins, as `https://example.com`. */
  constructor(allowedOrigins: readonly string[]) {
    this.#allowedOrigins = new Set(allowedOrigins)
  }

  /** @throws {MsgbusError} `MSGBUS_ORIGIN`. */
  check(req: IncomingMessage): void {
    const { headers } = req
    if (this.#isListed(headers.origin)) return
    // A socket that a page opens can publish, and no browser asks for permission before.
    const isRead = SAFE_METHODS.has(req.method ?? '') && headers.upgrade === undefined
    const isRefused = isRead ? isForeignRead(headers) : isForeignWrite(headers)
    if (isRefused) {
      throw new MsgbusError(
        'MSGBUS_ORIGIN',
        'Requests from pages of other origins are refused (--allow-origin adds origins)',
      )
    }
  }

  /** Headers that let a page of a listed origin read the answer; none for anybody else. */
  corsHeaders(req: IncomingMessage): readonly string[] {
    if (this.#allowedOrigins.size === 0) return []
    const { origin } = req.headers
    if (origin === undefined || !this.#isListed(origin)) return ['Vary', 'Origin']
    return [
      ...['Vary', 'Origin', 'Access-Control-Allow-Origin', origin],
      ...['Access-Control-Allow-Credentials', 'true', 'Access-Control-Expose-Headers', EXPOSED_HEADERS],
      ...['Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, DELETE', 'Access-Control-Max-Age', '600'],
      ...['Access-Control-Allow-Headers', ALLOWED_HEADERS],
    ]
  }

  #isListed(origin: string | undefined): boolean {
    return origin !== undefined && this.#allowedOrigins.has(origin)
  }
}

function isForeignWrite(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  // Browsers leave Sec-Fetch out on plain HTTP off loopback, but never Origin on a write.
  if (headers.origin === undefined) return false
  return headers.origin.replace(/^https?:\/\//, '') !== headers.host
}

function isForeignRead(headers: IncomingHttpHeaders): boolean {
  // A published script must never become a service worker of this origin.
  if (headers['service-worker'] === 'script') return true
  return headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate'
}
