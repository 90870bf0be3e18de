// What every request passes before a protocol or a file sees it, in this order: the rules of the wire, the name it was
// sent to, where it comes from, and the password. Cross-site requests are refused before credentials are looked at,
// because a browser adds those by itself.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { MsgbusError } from '../errors.ts'
import { credentialsOf, PasswordRule } from './credentials.ts'
import { Exchange } from './exchange.ts'
import { HostList } from './host-list.ts'
import { OriginRule } from './origin-rule.ts'
import { parseTarget, type Target } from './target.ts'
import { checkWire } from './wire-rules.ts'

export interface GateOptions {
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
  readonly password: string | null
}

/** A request as it came in. */
export interface Arrival {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** True when the client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean
}

/** What became of it. */
export interface Admission {
  readonly exchange: Exchange
  readonly refusal: { readonly error: unknown } | null
}

const ROOT: Target = { path: '/', query: '', authority: null }

export class Gate {
  readonly #hosts: HostList
  readonly #origins: OriginRule
  readonly #password: PasswordRule
  readonly #asksEverybody: boolean

  constructor({ allowedHosts, allowedOrigins, password }: GateOptions) {
    this.#hosts = new HostList(allowedHosts)
    this.#origins = new OriginRule(allowedOrigins)
    this.#password = new PasswordRule(password)
    this.#asksEverybody = password !== null || allowedOrigins.length > 0
  }

  /** Makes an exchange of a request. With a refusal it is good for answering only. */
  admit({ req, res, expectsContinue }: Arrival): Admission {
    const common = { req, res, expectsContinue }
    let corsHeaders: readonly string[] = []
    try {
      const target = this.#check(req)
      corsHeaders = this.#origins.corsHeaders(req)
      const credentials = credentialsOf(req)
      // A preflight never carries credentials, and its answer tells nothing.
      if (req.method !== 'OPTIONS') this.#password.check(credentials)
      return { exchange: new Exchange({ ...common, target, credentials, corsHeaders }), refusal: null }
    } catch (error) {
      const exchange = new Exchange({ ...common, target: ROOT, credentials: null, corsHeaders })
      return { exchange, refusal: { error } }
    }
  }

  /**
   * True for a publish without credentials and without any word of where it comes from, if nobody is asked for one and its answer
   * is the same for all.
   * @throws {MsgbusError} `MSGBUS_HOST`.
   */
  admitsPlain(host: string, localAddress: string): boolean {
    this.#hosts.check(host, localAddress)
    return !this.#asksEverybody
  }

  #check(req: IncomingMessage): Target {
    checkWire(req)
    const isAboutServer = req.method === 'OPTIONS' && req.url === '*'
    const target = isAboutServer ? ROOT : parseTarget(req.url ?? '')
    const localAddress = req.socket.localAddress ?? ''
    this.#hosts.check(req.headers.host, localAddress)
    if (target.authority !== null) this.#hosts.check(target.authority, localAddress)
    // [RFC 9112 §3.2] with an absolute target, a Host that says otherwise is a sign of a confused or lying proxy.
    if (
      target.authority !== null &&
      req.headers.host !== undefined &&
      target.authority !== req.headers.host
    ) {
      throw new MsgbusError('MSGBUS_HOST', 'The request target and the Host header name different servers')
    }
    this.#origins.check(req)
    return target
  }
}
