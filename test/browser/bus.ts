// Servers for the tests with real browsers: a bus on a free port whose own origin has the pages that a test needs, and
// a site of somebody else's that knows who asked it for what. Not a test.

import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { start, type TestServer } from '../wire/server.ts'
import type { ListenOptions, ServerOptions } from '../../src/server.ts'
import { HOSTS } from './browsers.ts'

export interface Bus extends TestServer {
  /** Of 127.0.0.1, without a slash at the end. */
  readonly url: string
  /** The same server under a name that is no loopback to a browser. */
  readonly namedUrl: string
}

export interface BusOptions extends ServerOptions {
  /** Files of its document root by name. */
  readonly pages?: Readonly<Record<string, string>>
  readonly listen?: ListenOptions
}

/** Starts a bus, closed with the test. */
export async function openBus(
  t: Test,
  { pages = {}, listen = {}, ...options }: BusOptions = {},
): Promise<Bus> {
  const [host] = HOSTS
  const bus = await start(t, { rootDir: t.testdir(pages), allowedHosts: [host], ...options }, listen)
  return { ...bus, url: `http://127.0.0.1:${bus.port}`, namedUrl: `http://${host}:${bus.port}` }
}

/** Publishes without HTTP, and returns the id; text is sent as UTF-8. */
export function publish(
  { server }: Bus,
  channel: string,
  type: string,
  body: string | Uint8Array,
  sender: string | null = null,
): string {
  return server.bus.publish({ channel, type, sender, body: Buffer.from(body) }).id
}

export interface Site {
  readonly port: number
  /** Method and path of every request so far. */
  readonly requests: readonly string[]
}

/** Starts a web server that is not ours, closed with the test. It has these pages and answers anything else with 404. */
export async function openSite(t: Test, pages: Readonly<Record<string, string>> = {}): Promise<Site> {
  const requests: string[] = []
  const server = createServer((req: IncomingMessage, res) => {
    requests.push(`${req.method ?? ''} ${req.url ?? ''}`)
    const page = pages[req.url ?? '']
    res.writeHead(page === undefined ? 404 : 200, { 'Content-Type': 'text/html; charset=utf-8' })
    res.end(page)
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, requests }
}
