// Documents and scripts that others published never run with the origin of the server, nor at all, however a browser
// gets to see them. Each attack is first let loose outside, so that a test which finds nothing has looked for something.

import { readFileSync } from 'node:fs'
import type { Browser, FrameLocator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { type BrowserName, browserNames, openBrowser, openPage } from './browsers.ts'
import { type Bus, openBus, publish, Site } from './bus.ts'

/** What a document does to be noticed, with and without scripts. It says "shown" itself and "ran" by its script. */
function hostileHtml(site: string): string {
  return `<!doctype html><meta charset="utf-8"><title>theirs</title>
<meta http-equiv="refresh" content="0;url=${site}/refresh">
<link rel="stylesheet" href="${site}/css"><style>@import url(${site}/import); body { background: url(${site}/background) }</style>
<p id="mark">shown</p>
<img src="${site}/img"><img src="x:" onerror="${escaped(hostileScript(site, 'onerror'))}">
<iframe src="${site}/frame"></iframe><iframe src="javascript:void fetch('${site}/javascript-frame', { mode: 'no-cors' })"></iframe>
<iframe name="sink"></iframe><iframe srcdoc="<script>fetch('${site}/srcdoc', { mode: 'no-cors' })</script>"></iframe>
<object data="${site}/object"></object><embed src="${site}/embed"><video autoplay src="${site}/video"></video>
<form action="${site}/form" method="post" target="sink"><button id="send">Send</button></form>
<form action="${site}/form-here"><button id="send-here">Send</button></form>
<a id="link" href="javascript:${escaped(hostileScript(site, 'javascript-link'))}">Link</a>
<a id="top" href="${site}/top" target="_top">Top</a>
<script>${hostileScript(site, 'script')}; document.forms[0].submit()</script>
<script src="${site}/src"></script>`
}

function hostileSvg(site: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" onload="${escaped(hostileScript(site, 'onload'))}" width="200" height="200">
<title>theirs</title><text id="mark" y="50">shown</text><image href="${site}/img" width="9" height="9"/>
<style>@import url(${site}/import);</style><script>${hostileScript(site, 'script')}</script>
<foreignObject width="99" height="99"><iframe xmlns="http://www.w3.org/1999/xhtml" src="${site}/frame"/></foreignObject></svg>`
}

function hostileScript(site: string, path: string): string {
  return `void fetch('${site}/${path}', { mode: 'no-cors' }); document.getElementById('mark').textContent = 'ran'; parent.document.title = 'taken'; top.document.title = 'taken'`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;')
}

function hostileXhtml(site: string): string {
  return `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>theirs</title>
<meta http-equiv="refresh" content="0;url=${site}/refresh"/></head><body><p id="mark">shown</p>
<img src="${site}/img"/><iframe src="${site}/frame"/><script>${hostileScript(site, 'script')}</script></body></html>`
}

/** A kind of document, and what it asks for where nothing keeps it from it. */
interface Attack {
  readonly type: string
  readonly body: (site: string) => string
  readonly paths: readonly string[]
}

const ATTACKS: readonly Attack[] = [
  {
    type: 'text/html',
    body: hostileHtml,
    paths: [
      ...['/css', '/import', '/background', '/img', '/onerror', '/frame', '/javascript-frame', '/srcdoc'],
      ...['/object', '/embed', '/video', '/script', '/src', '/refresh'],
    ],
  },
  { type: 'application/xhtml+xml', body: hostileXhtml, paths: ['/img', '/frame', '/script', '/refresh'] },
  { type: 'image/svg+xml', body: hostileSvg, paths: ['/onload', '/script', '/img', '/import', '/frame'] },
]

/** How a browser comes to show what is published to `evil`. */
interface Way {
  readonly name: string
  readonly browsers: readonly BrowserName[]
  readonly path: string
  /** The frame of our page that has the channel, if that is not the tab itself. */
  readonly frame: string | null
  /** The frame in there into which our own script puts documents, if there is one. */
  readonly documentFrame: string | null
  /** What the tab is called all the time. */
  readonly title: string
}

const VIEWER = { documentFrame: 'main > iframe', title: 'evil · msgbus' }

const WAYS: readonly Way[] = [
  { name: 'in a tab', browsers: ['chromium'], path: '/msgbus/evil', frame: null, ...VIEWER },
  {
    name: 'in a tab',
    browsers: ['firefox'],
    path: '/msgbus/evil',
    frame: null,
    documentFrame: null,
    title: 'theirs',
  },
  {
    name: 'in a tab with ?as=page',
    browsers: ['firefox'],
    path: '/msgbus/evil?as=page',
    frame: null,
    ...VIEWER,
  },
  {
    name: 'in a frame',
    browsers: ['chromium'],
    path: '/frame.html',
    frame: 'iframe',
    ...VIEWER,
    title: 'ours',
  },
  {
    name: 'in a frame',
    browsers: ['firefox'],
    path: '/frame.html',
    frame: 'iframe',
    documentFrame: null,
    title: 'ours',
  },
  {
    name: 'in a frame with ?as=page',
    browsers: ['firefox'],
    path: '/page-frame.html',
    frame: 'iframe',
    ...VIEWER,
    title: 'ours',
  },
  {
    name: 'in the chat',
    browsers: browserNames,
    path: '/chat.html#evil',
    frame: null,
    documentFrame: 'article:last-child iframe',
    title: 'evil · msgbus chat',
  },
]

const PAGES = {
  'index.html': '<title>ours</title>',
  'frame.html': '<title>ours</title><iframe src="/msgbus/evil" width="600" height="400"></iframe>',
  'page-frame.html':
    '<title>ours</title><iframe src="/msgbus/evil?as=page" width="600" height="400"></iframe>',
  // The chat as it is shipped, next to the pages of the tests.
  'chat.html': chatFile('index.html'),
  'chat.js': chatFile('chat.js'),
  'style.css': chatFile('style.css'),
}

function chatFile(name: string): string {
  return readFileSync(new URL(`../../chatdemo/${name}`, import.meta.url), 'utf8')
}

/** Opens a tab in which the origin of the bus has something to steal. */
async function openVictim(t: Test, browser: Browser, bus: Bus): Promise<Page> {
  const page = await openPage(t, browser)
  await page.goto(bus.url)
  await page.evaluate("document.cookie = 'secret=cookie; path=/'; localStorage.secret = 'storage'")
  return page
}

/** What a document can get hold of. */
const LOOT = `(() => {
  const attempt = read => { try { return String(read()) } catch (error) { return error.name } }
  return [attempt(() => origin), attempt(() => document.cookie), attempt(() => localStorage.secret)]
})()`

const CLICKS = ['#send', '#send-here', '#link']

async function clickAll(place: Page | FrameLocator, targets: readonly string[]): Promise<void> {
  for (const target of targets) await place.locator(target).click()
}

/** Asserts that a browser has asked a site for nothing so far. */
async function wasNotAsked(t: Test, site: Site, page: Page): Promise<void> {
  const tab = await page.context().newPage()
  await tab.goto(`http://127.0.0.1:${site.port}/sentinel`)
  t.same(site.requests, ['GET /sentinel'], 'nothing was sent anywhere else')
}

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    for (const { type, body, paths } of ATTACKS) {
      await t.test(`${type} does all its harm where nothing keeps it from it`, async t => {
        const site = await Site.open(t, { '/control': { type, body: body('') } })
        const page = await openPage(t, browser)
        await page.goto(`http://127.0.0.1:${site.port}/control`, { waitUntil: 'commit' })
        for (const path of paths) await site.until(`GET ${path}`)
        t.pass('so its absence elsewhere means something')
      })
    }

    for (const way of WAYS.filter(({ browsers }) => browsers.includes(name))) {
      await t.test(`published documents show and do nothing ${way.name}`, async t => {
        const site = await Site.open(t)
        const bus = await openBus(t, { pages: PAGES })
        const page = await openVictim(t, browser, bus)
        // A tab of Firefox waits for the first message.
        page.goto(`${bus.url}${way.path}`, { waitUntil: 'commit' }).catch(() => undefined)
        await bus.log.until('sub')
        const place = way.frame === null ? page : page.frameLocator(way.frame)
        const shown = way.documentFrame === null ? place : place.frameLocator(way.documentFrame)
        for (const { type, body } of ATTACKS) {
          publish(bus, 'evil', type, body(`http://127.0.0.1:${site.port}`))
          await shown.getByText('shown', { exact: true }).waitFor()
          t.same(
            await shown.locator(':root').evaluate(LOOT),
            ['null', 'SecurityError', 'SecurityError'],
            type,
          )
          if (type === 'text/html') await clickAll(shown, shown === page ? CLICKS : [...CLICKS, '#top'])
          t.equal(await shown.locator('#mark').textContent(), 'shown', type)
          t.equal(await page.evaluate('document.title'), way.title, type)
          publish(bus, 'evil', 'text/plain', `next to ${type}`)
          await place.getByText(`next to ${type}`, { exact: true }).waitFor()
        }
        await wasNotAsked(t, site, page)
      })
    }

    await t.test('a published script is no script, module, worker or style of a page', async t => {
      const attempts = [
        `load('script', 'src')`,
        `load('link', 'href', { rel: 'stylesheet' })`,
        `import('/msgbus/evil').then(() => 'loaded', () => 'refused')`,
        `new Promise(resolve => {
          const worker = new Worker('/msgbus/evil')
          worker.onmessage = () => resolve('loaded')
          worker.onerror = () => resolve('refused')
        })`,
      ]
      for (const attempt of attempts) {
        const bus = await openBus(t, { pages: PAGES })
        const page = await openVictim(t, browser, bus)
        const result = page.evaluate(`{
          const load = (name, attribute, others = {}) => new Promise(resolve => {
            const element = Object.assign(document.createElement(name), others, { [attribute]: '/msgbus/evil' })
            element.onload = () => resolve('loaded')
            element.onerror = () => resolve('refused')
            document.head.append(element)
          })
          ${attempt}
        }`)
        await bus.log.until('sub')
        publish(bus, 'evil', 'text/javascript', "document.title = 'taken'; postMessage('ran')")
        publish(bus, 'evil', 'text/css', 'html { background: red }')
        await bus.server.close()
        t.equal(await result, 'refused', attempt)
        t.equal(await page.title(), 'ours')
        t.not(
          await page.evaluate('getComputedStyle(document.documentElement).backgroundColor'),
          'rgb(255, 0, 0)',
        )
      }
    })

    await t.test('a published script cannot be registered as a service worker', async t => {
      const bus = await openBus(t, { pages: PAGES })
      const page = await openVictim(t, browser, bus)
      for (const path of ['/msgbus/evil', '/msgbus/evil?as=multipart']) {
        const result = await page.evaluate(
          `navigator.serviceWorker.register('${path}').then(() => 'registered', error => error.name)`,
        )
        t.match(result, /^(?:TypeError|SecurityError)$/)
      }
      t.equal(
        await page.evaluate('navigator.serviceWorker.getRegistrations().then(({ length }) => length)'),
        0,
      )
      t.equal(bus.log.events.filter(event => event.name === 'sub').length, 0)
    })
  })
}
