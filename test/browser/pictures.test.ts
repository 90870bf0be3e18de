// An <img> on the URL of a channel, in real browsers: which pictures it shows, when, and what it survives. What counts is
// the color of a pixel.

import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { isPicture } from '../../src/codec/picture.ts'
import { get, subscribe } from '../wire/server.ts'
import { browserNames, openBrowser, openPage, untilElement, untilPixel } from './browsers.ts'
import { type Bus, type BusOptions, openBus, publish } from './bus.ts'
import { BLUE, type Color, gif, GREEN, jpeg, png, RED, webp, YELLOW } from './frames.ts'

const STYLE = '<style>body { margin: 0 } img { display: block; width: 100px; height: 100px }</style>'

interface Watched {
  readonly bus: Bus
  readonly page: Page
  /** Waits until the `<img>` shows a color. */
  readonly shows: (color: Color) => Promise<void>
}

/** Opens a page of the bus with an `<img>`, and waits until that is subscribed. */
async function watch(
  t: Test,
  browser: Browser,
  { src = '/msgbus/cam', isNamed = false, ...options }: BusOptions & { src?: string; isNamed?: boolean } = {},
): Promise<Watched> {
  const bus = await openBus(t, { pages: { 'index.html': `${STYLE}<img src="${src}">` }, ...options })
  const page = await openPage(t, browser)
  await page.goto(isNamed ? bus.namedUrl : bus.url, { waitUntil: 'domcontentloaded' })
  await bus.log.until('sub')
  return { bus, page, shows: color => untilPixel(page, 50, 50, color) }
}

/** Publishes what is no picture, each such that it arrives by itself: of a bunch Chromium sees only the last. */
async function publishNoPictures(bus: Bus, page: Page): Promise<void> {
  for (const [type, body] of NO_PICTURES) {
    publish(bus, 'cam', type, body)
    await page.evaluate('true')
  }
}

/** Stops the server and waits until the tab knows: if anything got through that is no picture, Chromium crashes now. */
async function endStream(bus: Bus, page: Page): Promise<void> {
  // Of an <img> no event tells; of a request that is ended after it one does.
  await page.evaluate(`(async () => {
    const answer = await fetch('/msgbus/cam?as=multipart')
    window.ended = answer.text().then(() => 'ended')
  })()`)
  await bus.server.close()
  await page.evaluate('ended')
}

/** What may be published to a channel of pictures and is none that a browser could show. */
const NO_PICTURES: readonly (readonly [type: string, body: string | Uint8Array])[] = [
  ['text/plain', 'text'],
  ['text/html', '<!doctype html><title>page</title><h1>page</h1>'],
  [
    'image/svg+xml',
    '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>',
  ],
  ['image/png', 'junk that is called a picture'],
  ['image/png', ''],
  ['image/png', png(BLUE).subarray(0, 40)],
  ['image/jpeg', jpeg(BLUE).subarray(0, 100)],
  ['image/jpeg', jpeg(BLUE).subarray(0, -2)],
  ['image/gif', gif(BLUE).subarray(0, 20)],
  ['image/webp', webp(BLUE).subarray(0, 20)],
  ['image/jpeg', '\r\n'],
  ['application/octet-stream', jpeg(BLUE)],
]

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    await t.test(
      'a JPEG frame shows before the next one is published, and each next one replaces it',
      async t => {
        const { bus, shows } = await watch(t, browser)
        for (const color of [RED, GREEN, BLUE, GREEN]) {
          publish(bus, 'cam', 'image/jpeg', jpeg(color))
          await shows(color)
        }
        t.pass('each was seen before the next one existed')
      },
    )

    await t.test(
      'PNG, GIF, WebP and JPEG follow each other, whatever type they were published as',
      async t => {
        const { bus, shows } = await watch(t, browser)
        const frames = [
          ...(['image/png', 'image/x-unknown'] as const).map(type => [type, png(RED), RED] as const),
          ...[['image/gif', gif(GREEN), GREEN] as const, ['image/webp', webp(BLUE), BLUE] as const],
          ...[['image/jpeg', jpeg(YELLOW), YELLOW] as const, ['image/jpeg', gif(RED), RED] as const],
          ...[['image/gif', webp(GREEN), GREEN] as const, ['image/png', png(BLUE), BLUE] as const],
        ]
        for (const [type, body, color] of frames) {
          publish(bus, 'cam', type, body)
          await shows(color)
        }
        t.pass('each was seen before the next one existed')
      },
    )

    await t.test('what is no picture neither blanks the picture nor stops the next one', async t => {
      const { bus, page, shows } = await watch(t, browser)
      publish(bus, 'cam', 'image/jpeg', jpeg(RED))
      await shows(RED)
      await publishNoPictures(bus, page)
      publish(bus, 'cam', 'image/png', png(GREEN))
      await shows(GREEN)
      await publishNoPictures(bus, page)
      await endStream(bus, page)
      t.equal(await page.evaluate("document.querySelector('img').naturalWidth > 0"), true)
      await shows(GREEN)
    })

    await t.test('what is no picture, with no picture ever, does not crash the tab either', async t => {
      const { bus, page } = await watch(t, browser)
      await publishNoPictures(bus, page)
      await endStream(bus, page)
      await page.evaluate("document.body.style.background = 'lime'")
      await untilPixel(page, 300, 300, GREEN)
      t.pass('the tab still paints')
    })

    await t.test('damage in the pixels of a picture ends with that picture', async t => {
      const { bus, shows } = await watch(t, browser)
      publish(bus, 'cam', 'image/jpeg', jpeg(RED))
      await shows(RED)
      // The coded pixels, counted from the end; none of the three formats has a checksum.
      for (const [make, from, to] of [
        [jpeg, -5, -2],
        [gif, -4, -2],
        [webp, -6, -1],
      ] as const) {
        const whole = make(BLUE)
        const body = whole.fill(0x55, whole.length + from, whole.length + to)
        t.ok(isPicture(body), 'nobody can tell without decoding it')
        publish(bus, 'cam', 'image/x-damaged', body)
      }
      publish(bus, 'cam', 'image/jpeg', jpeg(GREEN))
      await shows(GREEN)
      t.pass('the next one shows')
    })

    await t.test('over a restart the last frame stays, and src set again shows what comes', async t => {
      const { bus, page, shows } = await watch(t, browser)
      publish(bus, 'cam', 'image/jpeg', jpeg(RED))
      publish(bus, 'cam', 'text/plain', 'text')
      await shows(RED)
      await endStream(bus, page)
      const next = await openBus(t, { listen: { port: bus.port } })
      await shows(RED)
      await page.evaluate("document.querySelector('img').src = '/msgbus/cam?again'")
      await next.log.until('sub')
      publish(next, 'cam', 'image/jpeg', jpeg(BLUE))
      await shows(BLUE)
      t.pass('the new one shows')
    })

    await t.test(
      'off loopback, where no Sec-Fetch headers are sent, an <img> is told by its Accept',
      async t => {
        const { bus, shows } = await watch(t, browser, { isNamed: true })
        publish(bus, 'cam', 'text/plain', 'text')
        for (const color of [RED, GREEN]) {
          publish(bus, 'cam', 'image/jpeg', jpeg(color))
          await shows(color)
        }
        t.pass('only frames arrive')
      },
    )

    await t.test('?as=image shows pictures in a tab and in a frame', async t => {
      const { bus, page } = await watch(t, browser, {
        pages: { 'index.html': `${STYLE}<iframe src="/msgbus/cam?as=image"></iframe>` },
      })
      const tab = await openPage(t, browser)
      // Firefox does not leave the page before until the first part is there.
      const opened = tab.goto(`${bus.url}/msgbus/cam?as=image`, { waitUntil: 'commit' })
      await bus.log.until('sub', 2)
      for (const color of [RED, GREEN, BLUE]) {
        publish(bus, 'cam', 'text/html', '<h1>page</h1>')
        publish(bus, 'cam', 'image/jpeg', jpeg(color))
        await opened
        await untilElement(tab.locator('img'), color)
        await untilElement(page.frameLocator('iframe').locator('img'), color)
      }
      t.pass('each was seen before the next one existed')
    })

    await t.test('while nothing is published, the frame is sent again and stays', async t => {
      const { bus, shows } = await watch(t, browser, { heartbeatMs: 50 })
      const stream = await subscribe(t, bus, '/msgbus/cam?as=image')
      const frame = jpeg(RED)
      publish(bus, 'cam', 'image/jpeg', frame)
      await shows(RED)
      // Another stream of the same server, so this one has had about as many by then.
      for (let count = 0; count < 10; count++)
        t.ok((await stream.readChunk()).startsWith(frame.toString('latin1')))
      await shows(RED)
      publish(bus, 'cam', 'image/png', png(GREEN))
      await shows(GREEN)
    })

    await t.test('a flood of frames that it cannot keep up with ends with the newest', async t => {
      const { bus, shows } = await watch(t, browser, { maxBacklogBytes: 1 })
      // What follows the end of a picture is not looked at, and this is more than any kernel takes at once.
      const large = Buffer.concat([jpeg(RED), Buffer.alloc(32 * 1024 * 1024)])
      for (const body of [large, large, large, jpeg(GREEN)]) {
        publish(bus, 'cam', 'image/jpeg', body)
        await new Promise(resolve => setImmediate(resolve))
      }
      await shows(GREEN)
      t.pass('the last one was not dropped')
    })
  })
}

await t.test('a program that accepts image/* gets frames only', async t => {
  const bus = await openBus(t)
  const { stream } = await get(t, bus, '/msgbus/cam', { headers: ['Accept: image/*'] })
  await stream.readChunk()
  publish(bus, 'cam', 'text/plain', 'text')
  publish(bus, 'cam', 'image/gif', gif(RED))
  t.ok((await stream.readChunk()).startsWith(gif(RED).toString('latin1')))
})
