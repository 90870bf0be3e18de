// Servers for the tests with real browsers: a bus on a free port whose own origin has the pages that a test needs, and
// a site of somebody else's that knows who asked it for what. Not a test.

import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { start, type TestServer } from '../wire/server.ts'
import type { ListenOptions, ServerOptions } from '../../src/server.ts'
import { HOSTS, MAX_WAIT_MS } from './browsers.ts'
import { atOnce } from '../at-once.ts'

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
  return atOnce(server.bus.publish({ channel, type, sender, body: Buffer.from(body) })).id
}

/** Pages of a site by path. */
export type Pages = Readonly<Record<string, { readonly type: string; readonly body: string }>>

/** A web server that is not ours; it knows what it was asked for. */
export class Site {
  /** Method and path of every request so far, without those for icons. */
  readonly requests: string[] = []
  readonly #news = new EventEmitter()
  readonly #server = createServer((req, res) => {
    const request = `${req.method ?? ''} ${req.url ?? ''}`
    if (req.url !== '/favicon.ico') this.requests.push(request)
    this.#news.emit('news')
    const page = this.#pages[req.url ?? '']
    res.writeHead(page === undefined ? 404 : 200, { 'Content-Type': page?.type ?? 'text/plain' })
    // Without a body Chromium would call it an error of its own.
    res.end(page?.body ?? 'There is nothing here')
  })
  readonly #pages: Pages

  private constructor(pages: Pages) {
    this.#pages = pages
  }

  /** Starts one on a free port of 127.0.0.1, closed with the test. It has these pages and answers 404 to the rest. */
  static async open(t: Test, pages: Pages = {}): Promise<Site> {
    const site = new Site(pages)
    t.teardown(() => {
      site.#server.close()
      site.#server.closeAllConnections()
    })
    site.#server.listen(0, '127.0.0.1')
    await once(site.#server, 'listening')
    return site
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Waits until it has been asked for something. */
  async until(request: string): Promise<void> {
    const signal = AbortSignal.timeout(MAX_WAIT_MS)
    while (!this.requests.includes(request)) {
      await once(this.#news, 'news', { signal }).catch(() => {
        throw new Error(`Waited too long for ${request}: found ${this.requests.join(', ')}`)
      })
    }
  }
}
