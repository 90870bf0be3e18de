// The picture of the chat page at the top of README.md: a room with people, pictures and a build that passes. It is left
// in test-artefacts/; `cp test-artefacts/chat.png doc/` takes a new one over.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { Bus as MessageBus } from '../../src/bus/bus.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openBrowser } from './browsers.ts'
import { publish } from './bus.ts'
import { hasPeople, hasState, lines, openChatBus, say, takeName, until } from './chat-page.ts'

const MAX_BYTES = 150_000
const MINUTE_MS = 60_000

/** A picture of hills and water in the evening, drawn by the page itself. */
async function landscape(page: Page): Promise<Buffer> {
  const base64 = await page.evaluate<string>(`(async () => {
    const canvas = new OffscreenCanvas(640, 360)
    const context = canvas.getContext('2d')
    const band = (color, from, to) => { context.fillStyle = color; context.fillRect(0, from, 640, to - from) }
    const hill = (color, x, y, width, height) => {
      context.fillStyle = color
      context.beginPath()
      context.ellipse(x, y, width, height, 0, 0, 7)
      context.fill()
    }
    const sky = context.createLinearGradient(0, 0, 0, 245)
    sky.addColorStop(0, '#ffe3ba')
    sky.addColorStop(1, '#ff8f73')
    band(sky, 0, 245)
    hill('#fff3d6', 450, 165, 42, 42)
    hill('#8a6fa8', 140, 250, 240, 120)
    hill('#6b5a96', 560, 260, 260, 100)
    hill('#4a467f', 330, 275, 190, 70)
    band('#2f4d76', 245, 360)
    for (let at = 0; at < 9; at++) {
      context.fillStyle = '#ffc48c'
      context.fillRect(450 - 50 + at * 4, 256 + at * 11, 100 - at * 8, 3)
    }
    context.fillStyle = '#1d2b45'
    context.beginPath()
    context.moveTo(150, 300)
    context.lineTo(250, 300)
    context.lineTo(232, 318)
    context.lineTo(166, 318)
    context.fill()
    context.fillStyle = '#fff8ec'
    context.beginPath()
    context.moveTo(198, 215)
    context.lineTo(198, 295)
    context.lineTo(246, 295)
    context.fill()
    const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())
    return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''))
  })()`)
  return Buffer.from(base64, 'base64')
}

await t.test('a lively room, for the documentation', async t => {
  const browser = await openBrowser(t, 'chromium')
  if (browser === null) return
  let now = new Date().setHours(18, 2, 0, 0)
  const bus = await openChatBus(t, { bus: new MessageBus({ store: new MemoryStore({ now: () => now }) }) })
  const context = await browser.newContext({
    viewport: { width: 1100, height: 800 },
    locale: 'en-GB',
    colorScheme: 'light',
  })
  t.teardown(() => context.close())
  const page = await context.newPage()
  await page.goto(`${bus.url}/#harbour,builds,kitchen`)
  await hasState(page, 'Connected')
  await takeName(page, 'Lena')

  publish(
    bus,
    'harbour',
    'text/plain',
    'Good evening from the harbour! The regatta is over, the wind is gone.',
    'Ann',
  )
  now += 2 * MINUTE_MS
  publish(bus, 'harbour', 'image/png', await landscape(page), 'Ann')
  await lines(page).locator('.picture img').waitFor()
  now += 3 * MINUTE_MS
  await say(page, 'What a light. Is that still our old boat?')
  await lines(page).nth(2).waitFor()
  now += MINUTE_MS
  publish(
    bus,
    'harbour',
    "text/plain; name*=utf-8''Jos%C3%A9",
    'It is, with a new sail: https://example.com/sails',
    'Jose',
  )
  publish(
    bus,
    'harbour',
    "application/pdf; name*=utf-8''Jos%C3%A9; filename*=utf-8''results.pdf",
    'r'.repeat(48_213),
    'Jose',
  )
  now += 4 * MINUTE_MS
  publish(
    bus,
    'harbour',
    'text/plain',
    'water 18.5 °C, wind 2 kn, posted with curl by a thermometer',
    'buoy-7',
  )
  now += MINUTE_MS
  await say(page, 'Still warm enough for a swim, then.\nSee you at the pier at seven!')
  await lines(page).nth(6).waitFor()
  publish(bus, 'builds', 'text/plain', '412 tests passed', 'build-bot')
  publish(bus, 'builds', 'text/plain', 'deployed to the test server', 'build-bot')
  publish(bus, 'kitchen', 'text/plain', 'Soup is ready', 'Ben')
  for (const [at, name] of ['Ann', 'José', 'Ben'].entries()) {
    const body = JSON.stringify({ visitor: `visitor_${at}`, name, isHere: true })
    publish(bus, 'harbour/presence', 'application/x-msgbus-presence+json', body)
  }
  await hasPeople(page, 'Lena (you)', 'Ann', 'Ben', 'José')
  await until(page, "document.querySelectorAll('.badge:not([hidden])').length === 3")
  await page.locator('#text').blur()

  const picture = await page.screenshot({ animations: 'disabled' })
  mkdirSync('test-artefacts', { recursive: true })
  writeFileSync(join('test-artefacts', 'chat.png'), picture)
  t.ok(picture.length < MAX_BYTES, `it is small: ${picture.length} bytes`)
})
