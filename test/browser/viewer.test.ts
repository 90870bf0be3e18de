// The page that a browser gets which cannot replace a document part by part: Chromium in a tab or frame, any browser with
// `?as=page`. What it shows, and that it goes on. What it keeps from running is in isolation.test.ts.

import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { browserNames, openBrowser, openPage, untilElement, withLogin } from './browsers.ts'
import { type Bus, openBus, publish } from './bus.ts'
import { GREEN, jpeg, png, RED } from './frames.ts'

/** Opens the address of a channel such that its browser gets the page, and waits until that is subscribed. */
async function openViewer(t: Test, browser: Browser, bus: Bus, path: string, isNamed = false): Promise<Page> {
  const page = await openPage(t, browser)
  page.on('console', entry => {
    if (entry.type() === 'error' && !entry.text().includes('ERR_'))
      t.fail(`the page complains: ${entry.text()}`)
  })
  await view(page, bus, `${isNamed ? bus.namedUrl : bus.url}/msgbus/${path}`)
  return page
}

/** Takes a tab to the address of a channel. */
async function view(page: Page, bus: Bus, url: string): Promise<void> {
  const count = bus.log.events.filter(({ name }) => name === 'sub').length
  await page.goto(wanted(page, url), { waitUntil: 'domcontentloaded' })
  await bus.log.until('sub', count + 1)
}

function wanted(page: Page, url: string): string {
  if (page.context().browser()?.browserType().name() === 'chromium') return url
  return `${url}${url.includes('?') ? '&' : '?'}as=page`
}

/** Waits until exactly this text is the message that is shown. */
async function showsText(page: Page, text: string): Promise<void> {
  await page.locator('main > pre').getByText(text, { exact: true }).waitFor()
}

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    await t.test(
      'text, documents, pictures and anything else show, and each replaces the one before',
      async t => {
        const bus = await openBus(t)
        const page = await openViewer(t, browser, bus, 'news')
        const details = page.locator('#details')
        t.equal(await page.locator('main').innerText(), 'Nothing was published yet.')
        for (const round of ['first', 'second']) {
          publish(bus, 'news', 'text/plain', `${round} <b>text</b>: ä ☃\n&amp;`)
          await showsText(page, `${round} <b>text</b>: ä ☃ &amp;`)
          publish(
            bus,
            'news',
            'text/plain; charset=iso-8859-1',
            Buffer.from(`${round} latin: ä`, 'latin1'),
            'dug',
          )
          await showsText(page, `${round} latin: ä`)
          t.match(await details.innerText(), / · from dug · text\/plain; charset=iso-8859-1$/)
          publish(bus, 'news', 'text/plain; charset=klingon', `${round} unknown: ä`)
          await showsText(page, `${round} unknown: ä`)
          for (const type of [
            'application/json',
            'application/ld+json',
            'application/xml',
            'text/markdown',
          ]) {
            publish(bus, 'news', type, `${round} ${type}`)
            await showsText(page, `${round} ${type}`)
          }
          publish(
            bus,
            'news',
            'text/html',
            `<meta charset="utf-8"><style>p { color: red }</style><p>${round} ä</p>`,
          )
          const frame = page.frameLocator('main > iframe')
          await frame.getByText(`${round} ä`, { exact: true }).waitFor()
          publish(bus, 'news', 'application/octet-stream', new Uint8Array(12345))
          await showsText(page, '12,345 bytes of application/octet-stream')
          publish(bus, 'news', 'video/mp4', '')
          await showsText(page, '0 bytes of video/mp4')
          for (const color of [RED, GREEN]) {
            publish(bus, 'news', 'image/jpeg', jpeg(color))
            await untilPicture(page, color)
          }
          publish(bus, 'news', 'image/png; x=y', png(RED))
          await untilPicture(page, RED)
          publish(bus, 'news', 'image/svg+xml', svg('lime'))
          await untilElement(page.locator('main > iframe'), GREEN)
          t.equal(await page.locator('main > *').count(), 1)
        }
        t.match(await details.innerText(), /^message 28 · /)
      },
    )

    await t.test('a picture that is none does not keep the next message from showing', async t => {
      const bus = await openBus(t)
      const page = await openViewer(t, browser, bus, 'news')
      publish(bus, 'news', 'image/png', 'junk')
      publish(bus, 'news', 'text/html', '')
      publish(bus, 'news', 'image/svg+xml', '<svg')
      publish(bus, 'news', 'text/plain', '')
      publish(bus, 'news', 'text/plain', 'next')
      await showsText(page, 'next')
      t.match(await page.locator('#details').innerText(), /^message 5 · /)
    })

    await t.test('it connects again when the server is back', async t => {
      const bus = await openBus(t)
      const page = await openViewer(t, browser, bus, 'news')
      const state = page.locator('#state')
      publish(bus, 'news', 'text/plain', 'before')
      await showsText(page, 'before')
      t.equal(await state.innerText(), 'connected')
      await bus.server.close()
      await state.getByText('disconnected, trying again').waitFor()
      await showsText(page, 'before')
      const next = await openBus(t, { listen: { port: bus.port } })
      await next.log.until('sub')
      await state.getByText('connected', { exact: true }).waitFor()
      publish(next, 'news', 'text/plain', 'after')
      await showsText(page, 'after')
    })

    await t.test('filters in the address hold, and a plus in them stays one', async t => {
      const bus = await openBus(t)
      const page = await openViewer(t, browser, bus, 'news?type=image/svg+xml&sender=dug*,!dugong')
      publish(bus, 'news', 'text/plain', 'text', 'dug')
      publish(bus, 'news', 'image/svg+xml', svg('red'), 'dugong')
      publish(bus, 'news', 'image/svg+xml', svg('red'), 'eve')
      publish(bus, 'news', 'image/svg+xml', svg('lime'), 'dug')
      await untilElement(page.locator('main > iframe'), GREEN)
      t.equal(await page.locator('#details').innerText(), 'message 1 · from dug · image/svg+xml')
    })

    await t.test('channels with uncommon names are read and named', async t => {
      const bus = await openBus(t)
      const page = await openPage(t, browser)
      const names = [
        'a b',
        'ü/日本',
        '100%',
        'a?b#c',
        'a%2Fb',
        '<b>x</b>',
        `"'&;`,
        'a+b=c',
        'a,b',
        '~!$()*:@',
        'a/b/c',
      ]
      for (const name of names) {
        const path = name.split('/').map(encodeURIComponent).join('/')
        await view(page, bus, `${bus.url}/msgbus/${path}`)
        publish(bus, name, 'text/plain', `on ${name}`)
        await showsText(page, `on ${name}`)
        t.equal(await page.locator('#channel').innerText(), name)
        t.equal(await page.title(), `${name} · msgbus`)
        t.equal(await page.locator('#details').innerText(), 'message 1 · text/plain')
      }
    })

    await t.test('a subscription to several channels says of each message where it was', async t => {
      const bus = await openBus(t)
      const page = await openPage(t, browser)
      for (const path of ['', 'a/', 'a/b%20c,d']) {
        await view(page, bus, `${bus.url}/msgbus/${path}`)
        publish(bus, 'a/b c', 'text/plain', 'text', 'dug')
        await showsText(page, 'text')
        t.equal(await page.locator('#details').innerText(), 'message 1 · on a/b c · from dug · text/plain')
      }
    })

    await t.test('a frame of a page shows it too', async t => {
      const page = await openPage(t, browser)
      const bus = await openBus(t, {
        pages: { 'index.html': `<title>ours</title><iframe src="${wanted(page, '/msgbus/news')}"></iframe>` },
      })
      await page.goto(bus.url, { waitUntil: 'domcontentloaded' })
      await bus.log.until('sub')
      const frame = page.frameLocator('iframe')
      for (const text of ['one', 'two']) {
        publish(bus, 'news', 'text/plain', text)
        await frame.locator('main > pre').getByText(text, { exact: true }).waitFor()
        publish(bus, 'news', 'text/html', `<p>document ${text}</p>`)
        await frame.frameLocator('main > iframe').getByText(`document ${text}`).waitFor()
      }
      t.equal(await page.title(), 'ours')
    })

    await t.test('it works off loopback, where no Sec-Fetch headers are sent', async t => {
      const bus = await openBus(t)
      const page = await openViewer(t, browser, bus, 'news', true)
      publish(bus, 'news', 'text/plain', 'text')
      await showsText(page, 'text')
      t.equal(new URL(page.url()).origin, bus.namedUrl)
    })

    await t.test('it reads with the password that its browser was asked for', async t => {
      const bus = await openBus(t, { password: 'secret' })
      const page = await openPage(t, browser)
      await view(page, bus, withLogin(`${bus.url}/msgbus/news`, 'dug', 'secret'))
      t.match(await bus.log.until('sub'), { user: 'dug' })
      publish(bus, 'news', 'text/plain', 'text')
      await showsText(page, 'text')
    })
  })
}

async function untilPicture(page: Page, color: Parameters<typeof untilElement>[1]): Promise<void> {
  await untilElement(page.locator('main > img'), color)
}

function svg(color: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg"><rect width="10000" height="10000" fill="${color}"/></svg>`
}
