// The real browsers that tests drive: Debian's Chromium and Firefox ESR, headless, without a network of their own. Also
// what can be told of a page from its pixels. Page code is given as text, since these files know no DOM. Not a test.

import { inflateSync } from 'node:zlib'
import { type Browser, chromium, firefox, type Locator, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { needs } from '../needs.ts'
import type { Color } from './frames.ts'

export type BrowserName = 'chromium' | 'firefox'

export const browserNames: readonly BrowserName[] = ['chromium', 'firefox']

/**
 * Hosts that lead to 127.0.0.1 in these browsers but are no loopback to them: over plain HTTP they send no `Sec-Fetch`
 * headers there, as on any local network. Two sites of their own.
 */
export const HOSTS = ['bus.test', 'elsewhere.test'] as const

/** Nothing that is waited for may take longer, on a busy machine too. Only a failing test ever waits so long. */
export const MAX_WAIT_MS = 20_000

const EXECUTABLES: Readonly<Record<BrowserName, string>> = {
  chromium: '/usr/bin/chromium',
  firefox: '/usr/bin/firefox-esr',
}

/**
 * Launches a browser that is closed with the test.
 * @returns null if it is not installed; then the test has been skipped by name, or failed where nothing may be skipped.
 */
export async function openBrowser(t: Test, name: BrowserName): Promise<Browser | null> {
  if (!needs(t, EXECUTABLES[name])) return null
  const browser = await launch(name)
  t.teardown(() => browser.close())
  return browser
}

/** Opens a tab with a profile of its own, 800 by 600 pixels, closed with the test. A tab that crashes fails the test. */
export async function openPage(t: Test, browser: Browser): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 800, height: 600 } })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(MAX_WAIT_MS)
  page.on('crash', () => {
    t.fail('the tab crashed')
  })
  return page
}

/**
 * The address as somebody opens it who has logged in. The driver could answer the question for a password as well, but
 * Firefox may then not close the window any more, and whoever waits for that waits for ever.
 */
export function withLogin(url: string, user: string, password: string): string {
  const address = new URL(url)
  Object.assign(address, { username: user, password })
  return address.href
}

/** Color of one pixel, as it is painted. */
export async function pixelAt(page: Page, x: number, y: number): Promise<Color> {
  const png = await page.screenshot({ clip: { x, y, width: 1, height: 1 } })
  const parts: Buffer[] = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  }
  // Whatever the filter of its line, a lone pixel stands there as it is.
  const [, red = 0, green = 0, blue = 0] = inflateSync(Buffer.concat(parts))
  return [red, green, blue]
}

/** Waits until a pixel is about of a color; throws if it is not. */
export async function untilPixel(page: Page, x: number, y: number, color: Color): Promise<void> {
  await untilColor(`${x},${y}`, color, () => pixelAt(page, x, y))
}

/** Waits until an element is shown whose middle is about of a color; the page may put another one in its place. */
export async function untilElement(element: Locator, color: Color): Promise<void> {
  await untilColor(String(element), color, async () => {
    const box = await element.boundingBox()
    if (box === null) return null
    return pixelAt(element.page(), Math.floor(box.x + box.width / 2), Math.floor(box.y + box.height / 2))
  })
}

/** Paint is no event, so this looks again and again. */
async function untilColor(place: string, color: Color, look: () => Promise<Color | null>): Promise<void> {
  const deadline = Date.now() + MAX_WAIT_MS
  for (;;) {
    const found = await look()
    // JPEG rounds.
    if (found?.every((value, at) => Math.abs(value - (color[at] ?? 0)) < 8) === true) return
    if (Date.now() > deadline)
      throw new Error(`Waited too long for ${color.join()} at ${place}: found ${found?.join() ?? 'nothing'}`)
  }
}

function launch(name: BrowserName): Promise<Browser> {
  const executablePath = EXECUTABLES[name]
  if (name === 'chromium') {
    const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking']
    return chromium.launch({
      executablePath,
      args: [
        ...['--no-sandbox', '--disable-gpu', ...quiet, '--disable-component-update', '--disable-sync'],
        `--host-resolver-rules=${HOSTS.map(host => `MAP ${host} 127.0.0.1`).join(',')}`,
      ],
    })
  }
  return firefox.launch({
    channel: 'moz-firefox',
    executablePath,
    firefoxUserPrefs: {
      'network.dns.localDomains': HOSTS.join(','),
      'dom.security.https_first': false,
      'dom.security.https_first_schemeless': false,
    },
  })
}
