// What a page of another origin can do to a bus through the browser of somebody who has it open: nothing, unless its
// origin is allowed. On loopback, where browsers say where a request comes from, and off it, where they do not.

import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { subscribe } from '../wire/server.ts'
import { browserNames, HOSTS, openBrowser, openPage, untilElement } from './browsers.ts'
import { type Bus, openBus, publish, Site } from './bus.ts'
import { GREEN, jpeg, png, RED } from './frames.ts'

const [BUS_HOST, OTHER_HOST] = HOSTS

/** Where the page is and where the bus is, as its visitor's browser sees it. */
interface Relation {
  readonly name: string
  readonly siteHost: string
  readonly busHost: string
}

const RELATIONS: readonly Relation[] = [
  { name: 'another site', siteHost: 'localhost', busHost: '127.0.0.1' },
  { name: 'another port of the same host', siteHost: '127.0.0.1', busHost: '127.0.0.1' },
  { name: 'another site, off loopback', siteHost: OTHER_HOST, busHost: BUS_HOST },
  { name: 'another port of the same host, off loopback', siteHost: BUS_HOST, busHost: BUS_HOST },
]

const SITE_PAGE = { '/': { type: 'text/html', body: '<!doctype html><title>theirs</title>' } }

interface Visit {
  readonly bus: Bus
  /** Of the site. */
  readonly origin: string
  /** Open on the other site. */
  readonly page: Page
  /** Of the bus, as the page names it. */
  readonly url: string
}

async function visit(
  t: Test,
  browser: Browser,
  { siteHost, busHost }: Relation,
  isAllowed = false,
): Promise<Visit> {
  const site = await Site.open(t, SITE_PAGE)
  const origin = `http://${siteHost}:${site.port}`
  const bus = await openBus(t, {
    ...(isAllowed ? { allowedOrigins: [origin] } : {}),
    pages: { 'index.html': '<title>ours</title>' },
  })
  const page = await openPage(t, browser)
  await page.goto(origin)
  return { bus, origin, page, url: `http://${busHost}:${bus.port}` }
}

/** Posts a form and leaves the page for the answer. */
const submit = (url: string, enctype: string): string => `{
  const form = document.createElement('form')
  Object.assign(form, { action: '${url}/msgbus/evil', method: 'post', enctype: '${enctype}' })
  form.append(Object.assign(document.createElement('input'), { name: 'a', value: 'evil' }))
  document.body.append(form)
  setTimeout(() => form.submit())
}`

/** Options of fetch() that publish, where nothing forbids it. */
const PUBLISHING = [
  "method: 'POST'",
  "method: 'PUT'",
  "method: 'POST', credentials: 'include'",
  "method: 'POST', headers: { 'Content-Type': 'application/json' }",
  "method: 'POST', headers: { Authorization: 'Basic ZTo=' }",
]

/** The same, without any wish to know the answer: these need no permission of the other side. */
const PUBLISHING_BLINDLY = [
  "method: 'POST', mode: 'no-cors'",
  "method: 'POST', mode: 'no-cors', credentials: 'include'",
  "method: 'POST', mode: 'no-cors', keepalive: true",
]

/** Loads something from the bus with an element, and tells which of its events came. */
const load = (element: string, attributes: string): string => `new Promise(resolve => {
  const element = Object.assign(document.createElement('${element}'), ${attributes})
  element.onload = () => resolve('load')
  element.onerror = () => resolve('error')
  document.body.append(element)
})`

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    for (const relation of RELATIONS) {
      await t.test(`a page of ${relation.name} cannot publish`, async t => {
        const { bus, page, url, origin } = await visit(t, browser, relation)
        const stream = await subscribe(t, bus, '/msgbus/')
        await page.evaluate(
          `navigator.sendBeacon('${url}/msgbus/evil', new Blob(['evil'], { type: 'text/plain' }))`,
        )
        await bus.log.until('http.refused')
        for (const options of [...PUBLISHING, ...PUBLISHING_BLINDLY]) {
          const result = await page.evaluate(
            `fetch('${url}/msgbus/evil', { body: 'evil', ${options} }).then(({ type }) => type, ({ name }) => name)`,
          )
          t.match(result, /^(?:TypeError|opaque)$/, options)
        }
        for (const enctype of ['text/plain', 'multipart/form-data', 'application/x-www-form-urlencoded']) {
          await page.evaluate(submit(url, enctype))
          await page.getByText(/^MSGBUS_ORIGIN: /).waitFor()
          await page.goto(origin)
        }
        const id = publish(bus, 'good', 'text/plain', 'sentinel')
        t.match(id, /-1$/)
        t.equal((await stream.readPart(bus.server.bus.boundary)).body, 'sentinel', 'nothing came before it')
      })

      await t.test(`a page of ${relation.name} can neither read nor include a channel`, async t => {
        const { page, url } = await visit(t, browser, relation)
        for (const options of ['{}', "{ credentials: 'include' }", "{ mode: 'no-cors' }"]) {
          const read = `fetch('${url}/msgbus/cam', ${options}).then(() => 'read', error => error.name)`
          t.equal(await page.evaluate(read), 'TypeError', options)
        }
        for (const path of ['cam', 'cam?as=image', 'cam?as=multipart']) {
          const src = `{ src: '${url}/msgbus/${path}' }`
          t.equal(await page.evaluate(load('img', src)), 'error', path)
          t.equal(await page.evaluate(load('script', src)), 'error', path)
        }
      })

      await t.test(`a page of ${relation.name} cannot frame a channel`, async t => {
        const { bus, page, url } = await visit(t, browser, relation)
        for (const path of ['cam', 'cam?as=page', 'cam?as=image']) {
          const subCount = bus.log.events.filter(event => event.name === 'sub').length
          const navigated = page.waitForEvent('framenavigated', frame =>
            /^(?!about:blank)./.test(frame.url()),
          )
          const loaded = page.evaluate(load('iframe', `{ src: '${url}/msgbus/${path}' }`))
          // Firefox looks at the policy of a stream when its first part is there.
          await Promise.race([loaded, bus.log.until('sub', subCount + 1)])
          publish(bus, 'cam', 'text/html', 'shown')
          publish(bus, 'cam', 'image/jpeg', jpeg(RED))
          await loaded
          t.match((await navigated).url(), /^(?:chrome-error:|about:neterror)/, path)
          await page.reload()
        }
      })

      await t.test(`a page of ${relation.name} that is allowed can read and publish`, async t => {
        const { bus, page, url } = await visit(t, browser, relation, true)
        const stream = await subscribe(t, bus, '/msgbus/evil')
        for (const options of PUBLISHING) {
          const result = await page.evaluate(
            `fetch('${url}/msgbus/evil', { body: 'good', ${options} })
              .then(answer => answer.status + ' ' + answer.headers.get('msgbus-id'))`,
          )
          const part = await stream.readPart(bus.server.bus.boundary)
          t.equal(result, `204 ${part.headers.get('msgbus-id') ?? ''}`, options)
          t.equal(part.body, 'good')
        }
        await page.evaluate(`void (async () => {
          const answer = await fetch('${url}/msgbus/cam')
          const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
          for (let all = ''; ; all += (await reader.read()).value) document.body.textContent = all
        })()`)
        await bus.log.until('sub', 2)
        publish(bus, 'cam', 'text/plain', 'one')
        await page.getByText('one').waitFor()
        void page.evaluate(
          load('img', `{ src: '${url}/msgbus/pictures', crossOrigin: 'anonymous', width: 99, height: 99 }`),
        )
        await bus.log.until('sub', 3)
        publish(bus, 'pictures', 'image/png', png(GREEN))
        await untilElement(page.locator('img'), GREEN)
      })
    }

    await t.test('an origin that is not the allowed one gets no further for it', async t => {
      const site = await Site.open(t, SITE_PAGE)
      const bus = await openBus(t, { allowedOrigins: [`http://localhost:${site.port}`] })
      const page = await openPage(t, browser)
      await page.goto(`http://127.0.0.1:${site.port}`)
      for (const options of ['{}', "{ method: 'POST', body: 'evil' }"]) {
        const attempt = `fetch('${bus.url}/msgbus/evil', ${options}).then(() => 'done', error => error.name)`
        t.equal(await page.evaluate(attempt), 'TypeError', options)
      }
      t.match(publish(bus, 'good', 'text/plain', ''), /-1$/, 'nothing was published')
    })
  })
}
