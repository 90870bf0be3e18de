// A channel opened as a document, in a tab or a frame of Firefox, which replaces the page by each part: what shows, when,
// and what must not happen. Chromium cannot do that and gets a page instead (see viewer.test.ts).

import type { Browser, FrameLocator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { get, subscribe } from '../wire/server.ts'
import { openBrowser, openPage, untilElement } from './browsers.ts'
import { type Bus, openBus, publish } from './bus.ts'
import { BLUE, GREEN, jpeg, png, RED } from './frames.ts'

/** Opens a channel in a tab; nothing shows there before the first message. */
async function openTab(t: Test, browser: Browser, bus: Bus, url = `${bus.url}/msgbus/news`): Promise<Page> {
  const page = await openPage(t, browser)
  page.on('download', download => {
    t.fail(`downloads ${download.url()}`)
  })
  // It waits for the first message. Whether it was right to is told by what shows.
  page.goto(url, { waitUntil: 'commit' }).catch(() => undefined)
  await bus.log.until('sub')
  return page
}

async function openFrame(t: Test, browser: Browser, bus: Bus): Promise<{ page: Page; frame: FrameLocator }> {
  const page = await openPage(t, browser)
  page.on('download', download => {
    t.fail(`downloads ${download.url()}`)
  })
  await page.goto(bus.url, { waitUntil: 'domcontentloaded' })
  await bus.log.until('sub')
  return { page, frame: page.frameLocator('iframe') }
}

const FRAME_PAGE = {
  'index.html':
    '<title>ours</title><style>body { margin: 0 } iframe { border: 0 }</style><iframe src="/msgbus/news" width="200" height="200"></iframe>',
}

/** Waits until the text is there. */
function shows(place: Page | FrameLocator, text: string): Promise<void> {
  return place.getByText(text, { exact: true }).waitFor()
}

const html = (text: string): string => `<!doctype html><title>${text}</title><p>${text}</p>`

await t.test('firefox', async t => {
  const browser = await openBrowser(t, 'firefox')
  if (browser === null) return

  await t.test('each HTML document replaces the one before, before the next one is published', async t => {
    const bus = await openBus(t)
    const page = await openTab(t, browser, bus)
    for (const text of ['one', 'two', 'three']) {
      publish(bus, 'news', 'text/html; charset=utf-8', html(text))
      await shows(page, text)
      t.equal(await page.title(), text)
      t.equal(await page.locator('p').count(), 1, 'nothing of the one before is left')
    }
  })

  await t.test('plain text, JSON and pictures each replace the page', async t => {
    const bus = await openBus(t)
    const page = await openTab(t, browser, bus)
    for (const round of ['first', 'second']) {
      publish(bus, 'news', 'text/plain', `${round} text`)
      await shows(page, `${round} text`)
      publish(bus, 'news', 'application/json', `"${round} JSON"`)
      await page.getByText(`"${round} JSON"`).waitFor()
      publish(bus, 'news', 'image/png', png(RED))
      await untilElement(page.locator('img'), RED)
      publish(bus, 'news', 'text/html', html(`${round} document`))
      await shows(page, `${round} document`)
      publish(bus, 'news', 'image/jpeg', jpeg(GREEN))
      await untilElement(page.locator('img'), GREEN)
      publish(bus, 'news', 'image/jpeg', jpeg(BLUE))
      await untilElement(page.locator('img'), BLUE)
    }
    t.pass('each was seen before the next one existed')
  })

  await t.test('text is read as UTF-8 unless it says otherwise', async t => {
    const bus = await openBus(t)
    const page = await openTab(t, browser, bus)
    const texts: readonly (readonly [type: string, body: string | Uint8Array, shown: string])[] = [
      ['text/plain', 'one: ä ☃', 'one: ä ☃'],
      ['text/plain; charset=utf-8', 'two: ä ☃', 'two: ä ☃'],
      ['text/plain; charset="UTF-8"', '\ufeffthree: ä ☃', 'three: ä ☃'],
      ['text/plain; charset=iso-8859-1', Buffer.from('four: ä', 'latin1'), 'four: ä'],
      ['text/plain', Buffer.from('five: ä', 'latin1'), 'five: ä'],
      ['text/html; charset=utf-8', html('six: ä ☃'), 'six: ä ☃'],
      ['text/html', `<meta charset=utf-8>${html('seven: ä ☃')}`, 'seven: ä ☃'],
      ['text/html', Buffer.from(`<meta charset=iso-8859-7>${html('eight: \xe1')}`, 'latin1'), 'eight: α'],
      ['application/json', '"nine: ä ☃"', '"nine: ä ☃"'],
      ['application/xhtml+xml', '<p xmlns="http://www.w3.org/1999/xhtml">ten: ä ☃</p>', 'ten: ä ☃'],
    ]
    for (const [type, body, shown] of texts) {
      publish(bus, 'news', type, body)
      await shows(page, shown)
    }
    t.pass('each was read right')
  })

  await t.test('what it cannot show is neither downloaded nor takes the page away', async t => {
    const bus = await openBus(t)
    const page = await openTab(t, browser, bus)
    publish(bus, 'news', 'text/html', html('one'))
    await shows(page, 'one')
    for (const type of ['application/octet-stream', 'application/zip', 'x/y', 'multipart/mixed', 'video/mp4'])
      publish(bus, 'news', type, 'something else')
    publish(bus, 'news', 'text/html', html('two'))
    await shows(page, 'two')
  })

  await t.test('heartbeats leave the page as it is, and the next one whole', async t => {
    const bus = await openBus(t, { heartbeatMs: 50 })
    const page = await openTab(t, browser, bus)
    const stream = await subscribe(t, bus, '/msgbus/news')
    const beat = async (): Promise<void> => {
      // Another stream of the same server, so the tab has had about as many by then.
      for (let count = 0; count < 10; count++) await stream.readThrough('Msgbus-Ping: ')
    }
    await beat()
    for (const text of ['one', 'two']) {
      publish(bus, 'news', 'text/html', html(text))
      await shows(page, text)
      await beat()
      t.equal(await page.locator('body').innerHTML(), `<p>${text}</p>`)
    }
    publish(bus, 'news', 'image/png', png(RED))
    await untilElement(page.locator('img'), RED)
    await beat()
    await untilElement(page.locator('img'), RED)
  })

  await t.test('the end of the stream leaves the last page', async t => {
    const bus = await openBus(t)
    const page = await openTab(t, browser, bus)
    publish(bus, 'news', 'text/html', html('one'))
    await shows(page, 'one')
    publish(bus, 'news', 'text/html', html('last'))
    const loaded = page.waitForEvent('load')
    await shows(page, 'last')
    await bus.server.close()
    await loaded
    t.equal(await page.locator('body').innerHTML(), '<p>last</p>')
  })

  await t.test('in a frame of a page each message replaces the one before, and the page stays', async t => {
    const bus = await openBus(t, { pages: FRAME_PAGE })
    const { page, frame } = await openFrame(t, browser, bus)
    let historyLength: unknown
    for (const round of ['first', 'second']) {
      publish(bus, 'news', 'text/html', html(`${round} document`))
      await shows(frame, `${round} document`)
      historyLength ??= await page.evaluate('history.length')
      publish(bus, 'news', 'application/octet-stream', 'something else')
      publish(bus, 'news', 'text/plain', `${round} text`)
      await shows(frame, `${round} text`)
      publish(bus, 'news', 'image/png', png(RED))
      await untilElement(frame.locator('img'), RED)
      publish(bus, 'news', 'image/jpeg', jpeg(GREEN))
      await untilElement(frame.locator('img'), GREEN)
    }
    await bus.server.close()
    await untilElement(frame.locator('img'), GREEN)
    t.equal(await page.title(), 'ours')
    t.equal(await page.evaluate('history.length'), historyLength, 'no way back through all of them')
  })

  await t.test('off loopback, where no Sec-Fetch headers are sent, a tab is told by its Accept', async t => {
    const bus = await openBus(t)
    const page = await openTab(t, browser, bus, `${bus.namedUrl}/msgbus/news`)
    publish(bus, 'news', 'application/octet-stream', 'something else')
    publish(bus, 'news', 'text/html', html('one'))
    await shows(page, 'one')
    publish(bus, 'news', 'text/html', html('two'))
    await shows(page, 'two')
    t.equal(await page.title(), 'two')
  })

  await t.test('a filter in the address holds', async t => {
    const bus = await openBus(t)
    const page = await openTab(t, browser, bus, `${bus.url}/msgbus/news?type=text/html*&sender=dug`)
    publish(bus, 'news', 'text/html', html('of somebody else'), 'eve')
    publish(bus, 'news', 'text/plain', 'text', 'dug')
    publish(bus, 'news', 'text/html; charset=utf-8', html('wanted'), 'dug')
    await shows(page, 'wanted')
    t.equal(await page.title(), 'wanted')
  })

  await t.test('?as=multipart gives a tab everything, downloads too', async t => {
    const bus = await openBus(t)
    const { stream } = await get(t, bus, '/msgbus/news?as=multipart', {
      headers: ['Sec-Fetch-Dest: document'],
    })
    await stream.readChunk()
    publish(bus, 'news', 'application/octet-stream', 'something else')
    t.match(await stream.readChunk(), 'something else')
  })
})
