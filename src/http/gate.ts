// What every request passes before a protocol or a file sees it, in this order: the rules of the wire, the name it was
// sent to, where it comes from, and the password. Cross-site requests are refused before credentials are looked at,
// because a browser adds those by itself.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { MsgbusError } from '../errors.ts'
import type { Log } from '../log.ts'
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
  /** Told of every refusal. */
  readonly log: Log
}

const ROOT: Target = { path: '/', query: '', authority: null }

export class Gate {
  readonly #hosts: HostList
  readonly #origins: OriginRule
  readonly #password: PasswordRule
  readonly #log: Log

  constructor({ allowedHosts, allowedOrigins, password, log }: GateOptions) {
    this.#hosts = new HostList(allowedHosts)
    this.#origins = new OriginRule(allowedOrigins)
    this.#password = new PasswordRule(password)
    this.#log = log
  }

  /** @returns null when the request was refused and answered. */
  admit(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): Exchange | null {
    let corsHeaders: readonly string[] = []
    try {
      const target = this.#check(req)
      corsHeaders = this.#origins.corsHeaders(req)
      const credentials = credentialsOf(req)
      // A preflight never carries credentials, and its answer tells nothing.
      if (req.method !== 'OPTIONS') this.#password.check(credentials)
      return new Exchange({ req, res, target, credentials, corsHeaders, expectsContinue })
    } catch (error) {
      this.#logRefusal(req, error)
      new Exchange({ req, res, target: ROOT, credentials: null, corsHeaders, expectsContinue }).refuse(error)
      return null
    }
  }

  // With what an operator needs who has to add a name or an origin; never with credentials.
  #logRefusal({ headers, socket }: IncomingMessage, error: unknown): void {
    if (!(error instanceof MsgbusError)) return
    const { host = '', origin = '' } = headers
    this.#log.write('info', 'http.refused', {
      peer: socket.remoteAddress ?? '',
      code: error.code,
      host,
      origin,
    })
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
