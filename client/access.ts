// How the server is reached: where it is, who asks, and with which fetch. Every request of the client goes through
// `ask`, which turns whatever goes wrong into one error with a code. Runs in browsers.

import { encodeChannel } from '../src/channel.ts'
import { type ErrorCode, MsgbusError } from '../src/errors.ts'

// Of a text without a length nobody knows whether it ever ends: it may not be a msgbus that sends it.
const MAX_TEXT_BYTES = 1000

/** What a client knows of its server. */
export interface Access {
  /** URL of the native protocol, with a slash at the end and without user name or password. */
  readonly url: string
  /** From the address; null when it names nobody. */
  readonly user: string | null
  readonly password: string
  readonly fetch: typeof globalThis.fetch
  /** A class in place of the global one. */
  readonly WebSocket: unknown
  /** The longest message that is taken. */
  readonly maxBodyBytes: number
}

/** One request. */
export interface Ask {
  readonly signal: AbortSignal
  readonly headers: Headers | Record<string, string>
  readonly method?: 'POST'
  readonly body?: Blob | string | Uint8Array<ArrayBuffer>
  /** Needed for bodies that are streams. */
  readonly duplex?: 'half'
}

/** What an error carries that a refusal brought. */
export interface Refusal {
  /** How long the server wants to be left alone; 0 if it does not say. */
  readonly retryAfterMs?: number
}

/** The address of this page, or of the page that this worker belongs to; undefined outside of browsers. */
export function pageUrl(): string | undefined {
  return (globalThis as { location?: { href: string } }).location?.href
}

/**
 * Takes an address apart: the URL of the native protocol, and the user that it names.
 * @throws {TypeError} For what is no `http:` or `https:` URL. It is not quoted: who knows where in it a password stands.
 */
export function readAddress(address: string | URL | undefined): Pick<Access, 'url' | 'user' | 'password'> {
  const page = pageUrl()
  const text = String(address ?? (page === undefined ? 'http://127.0.0.1:8888' : '/'))
  const { origin, pathname, username, password } = new URL(URL.canParse(text, page) ? text : 'none:', page)
  if (!origin.startsWith('http')) {
    throw new TypeError('Cannot connect: expected an http: or https: address')
  }
  const path = pathname.replace(/\/?$/, '/')
  const prefix = path === '/' ? '/msgbus/' : path.replace(/\/msgbus\/.*/, '/msgbus/')
  const user = username + password === '' ? null : decodeURIComponent(username)
  return { url: origin + prefix, user, password: decodeURIComponent(password) }
}

/**
 * Writes a path of a matcher as it stands in a URL.
 * @throws {MsgbusError} `MSGBUS_CHANNEL_NAME` for names that a URL would lead elsewhere with. All else is the server's to say.
 */
export function encodePath(path: string): string {
  if (path !== '' && /(?:^|\/)\.{0,2}(?:\/|$)/.test(path.replace(/\/$/, '')))
    throw new MsgbusError('MSGBUS_CHANNEL_NAME', `Cannot use channel "${path}": a segment is empty or dots`)
  return encodeChannel(path)
}

/** Request headers that say who asks. @param name In place of the user in the address. */
export function identify({ user, password }: Access, name = user): Record<string, string> {
  if (name === null) return {}
  if (name.includes(':')) throw new TypeError(`Cannot publish as "${name}": a colon is not allowed`)
  const bytes = new TextEncoder().encode(`${name}:${password}`)
  return { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` }
}

/**
 * Sends a request and returns the answer, if it is a good one.
 * @throws {MsgbusError} `MSGBUS_UNREACHABLE` without an answer, `MSGBUS_NOT_MSGBUS` for a redirect, the server's own code
 *   or `MSGBUS_REFUSED` for any other that is not 2xx. What the signal was aborted with is thrown as it is.
 */
export async function ask({ fetch }: Access, url: string, request: Ask): Promise<Response> {
  // Node's types know no `cache`, those of browsers no `duplex`.
  const init = { cache: 'no-store', redirect: 'manual', ...request } as RequestInit
  const response = await fetch(url, init).catch((error: unknown) => {
    request.signal.throwIfAborted()
    // Node says behind it what happened.
    const { cause = error } = error as { cause?: { code?: string } }
    const reason = (cause as { code?: string }).code ?? String(cause)
    throw new MsgbusError('MSGBUS_UNREACHABLE', `Cannot reach ${url}: ${reason}`, { cause: error })
  })
  const { status, headers } = response
  if (response.ok) return response
  const byteCount = Number(headers.get('content-length'))
  const text = byteCount > 0 && byteCount < MAX_TEXT_BYTES ? (await response.text()).trim() : ''
  giveUp(response)
  // Browsers call it 0 and say no more.
  if (status < 400) throw notMsgbus(url, 'a redirect')
  // A newer server may have codes that are not known here.
  const [, code = 'MSGBUS_REFUSED'] = /^(MSGBUS_[A-Z_]+): /.exec(text) ?? []
  // On a terminal, control characters would do what a server wants.
  const words = `Cannot use ${url}: answered ${status} ${text.replace(/[^\x20-\x7e]/g, '?')}`.trim()
  const retryAfterMs = Number(headers.get('retry-after')) * 1000 || 0
  throw Object.assign(new MsgbusError(code as ErrorCode, words, { status }), {
    retryAfterMs,
  } satisfies Refusal)
}

/** What an answer fails with that no msgbus gives. */
export function notMsgbus(url: string, found: string): MsgbusError {
  return new MsgbusError('MSGBUS_NOT_MSGBUS', `Cannot use ${url}: expected a msgbus, found ${found}`)
}

/** Lets go of a body that nobody reads: a browser has few connections per host, and it would keep one. */
export function giveUp({ body }: Response): void {
  // What was read already cannot be cancelled, and need not be.
  void body?.cancel().catch(() => undefined)
}
