// Basic credentials [RFC 7617]: the name a publisher goes by, and the one password a server may ask for. The name is
// the publisher's own word in either case.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import basicAuth from 'basic-auth'
import { MsgbusError } from '../errors.ts'

export interface Credentials {
  readonly user: string
  readonly password: string
}

/** @returns null without Basic credentials, or with some that cannot be read: nobody is named then. */
export function credentialsOf(req: IncomingMessage): Credentials | null {
  const { authorization } = req.headers
  if (authorization === undefined) return null
  const found = basicAuth.parse(authorization)
  return found === undefined ? null : { user: found.name, password: found.pass }
}

/** Asks every request for one password, whatever the user name. */
export class PasswordRule {
  readonly #expected: Buffer | null

  constructor(password: string | null) {
    this.#expected = password === null ? null : digest(password)
  }

  /** @throws {MsgbusError} `MSGBUS_PASSWORD`. */
  check(credentials: Credentials | null): void {
    if (this.#expected === null) return
    // Digests are of one length, so that the comparison takes as long whatever was sent.
    if (credentials !== null && timingSafeEqual(digest(credentials.password), this.#expected)) return
    throw new MsgbusError('MSGBUS_PASSWORD', 'A password is required')
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
