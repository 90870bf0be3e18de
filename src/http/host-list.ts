// Which names this server answers to. A page of an attacker whose name was re-pointed at this machine (DNS rebinding)
// has the attacker's name in Host; refusing unknown names is what stops it.

import { isIP } from 'node:net'
import { MsgbusError } from '../errors.ts'

export class HostList {
  readonly #names: ReadonlySet<string>
  readonly #answersToAll: boolean

  /** @param names Names besides `localhost` and the address itself; `*` among them switches the check off. */
  constructor(names: readonly string[]) {
    this.#names = new Set(names.map(nameOf))
    this.#answersToAll = names.includes('*')
  }

  /**
   * A connection over loopback must use a loopback name or a listed one; one over a network may use any name, unless
   * names are listed.
   * @param host `name[:port]` as the request has it. The port does not matter: the attack is in the name.
   * @param localAddress The address the connection came in on.
   * @throws {MsgbusError} `MSGBUS_HOST`.
   */
  check(host: string | undefined, localAddress: string): void {
    // Only HTTP/1.0 may come without; no browser speaks it.
    if (host === undefined || this.#answersToAll) return
    const address = unmapped(localAddress)
    if (this.#names.size === 0 && !isLoopback(address)) return
    const name = nameOf(host)
    if (isLoopback(name) || name === address || this.#names.has(name)) return
    throw new MsgbusError('MSGBUS_HOST', 'This server does not answer to that host name (--host adds names)')
  }
}

/** An address of IPv4 as such, where a socket for both families gives it as one of IPv6 [RFC 4291 §2.5.5.2]. */
export function unmapped(address: string): string {
  return address.replace(/^::ffff:/, '')
}

/** True for names and addresses that only this machine can mean. */
export function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name)
}

function nameOf(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(host)?.[1]
  if (bracketed !== undefined && isIP(bracketed) === 6) return bracketed.toLowerCase()
  return host.replace(/:\d*$/, '').toLowerCase()
}
