// What the scripts and forms of a page of the same origin can do with a channel: read it part by part with fetch() and
// XMLHttpRequest, and publish from a plain HTML form.

import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { type Connection, subscribe } from '../wire/server.ts'
import { browserNames, openBrowser, openPage } from './browsers.ts'
import { type Bus, openBus, publish } from './bus.ts'
import { gif, png, RED } from './frames.ts'

/** `opened` resolves with the head; `until(text)` when the text has arrived; `length` is of all that has. */
const READER_PAGE = `<!doctype html><title>ours</title><script>
  let all = ''
  const waiting = []
  function arrive(text) {
    all = text
    for (const { wanted, resolve } of waiting) if (all.includes(wanted)) resolve(all)
  }
  function until(wanted) {
    return new Promise(resolve => {
      waiting.push({ wanted, resolve })
      arrive(all)
    })
  }
  async function readByFetch(url) {
    const answer = await fetch(url)
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    void (async () => {
      for (;;) {
        const { done, value } = await reader.read()
        arrive(all + (done ? '(end)' : value))
        if (done) return
      }
    })()
    return answer.headers.get('content-type')
  }
  function readByRequest(url) {
    const request = new XMLHttpRequest()
    request.onprogress = () => arrive(request.responseText)
    request.onload = () => arrive(request.responseText + '(end)')
    request.open('GET', url)
    request.send()
    return new Promise(resolve => {
      request.onreadystatechange = () => {
        if (request.readyState >= 2) resolve(request.getResponseHeader('content-type'))
      }
    })
  }
</script>`

const FORM_PAGE = `<!doctype html><title>ours</title>
<form method="post" enctype="multipart/form-data" action="/msgbus/form/files">
<input type="file" name="file" multiple><button>Send files</button></form>
<form method="post" enctype="multipart/form-data" action="/msgbus/form/text">
<textarea name="text"></textarea><button>Send text</button></form>`

async function openReader(t: Test, browser: Browser): Promise<{ bus: Bus; page: Page }> {
  const bus = await openBus(t, { pages: { 'index.html': READER_PAGE } })
  const page = await openPage(t, browser)
  await page.goto(bus.url, { waitUntil: 'domcontentloaded' })
  return { bus, page }
}

async function openForm(t: Test, browser: Browser): Promise<{ bus: Bus; page: Page; stream: Connection }> {
  const bus = await openBus(t, { pages: { 'index.html': FORM_PAGE } })
  const page = await openPage(t, browser)
  await page.goto(bus.url, { waitUntil: 'domcontentloaded' })
  return { bus, page, stream: await subscribe(t, bus, '/msgbus/') }
}

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    for (const [way, read] of [
      ['fetch()', 'readByFetch'],
      ['XMLHttpRequest', 'readByRequest'],
    ] as const) {
      await t.test(`${way} gets the head at once and each part before the next one is published`, async t => {
        const { bus, page } = await openReader(t, browser)
        const { boundary } = bus.server.bus
        const type = await page.evaluate(`${read}('/msgbus/news')`)
        t.equal(type, `multipart/x-mixed-replace; boundary=${boundary}`)
        let expected = `--${boundary}\r\n`
        for (const [at, text] of ['one', 'two <b>', 'three: ä'].entries()) {
          const id = publish(bus, 'news', 'text/html; charset=utf-8', text)
          const length = Buffer.byteLength(text)
          expected += `Content-Type: text/html; charset=utf-8\r\nContent-Length: ${length}\r\nMsgbus-Id: ${id}\r\nMsgbus-Time: 1700000000000\r\n\r\n`
          expected += `${text}\r\n--${boundary}\r\n`
          const all = await page.evaluate(`until(${JSON.stringify(`${text}\r\n--${boundary}\r\n`)})`)
          t.equal(all, expected, `part ${at + 1}`)
        }
        await bus.server.close()
        t.equal(await page.evaluate("until('(end)')"), `${expected}--${boundary}--\r\n(end)`)
      })
    }

    await t.test('an HTML form publishes its files, and its page stays', async t => {
      const { bus, page, stream } = await openForm(t, browser)
      const { boundary } = bus.server.bus
      await page.locator('input').setInputFiles([
        { name: 'a.gif', mimeType: 'image/gif', buffer: gif(RED) },
        { name: 'b.png', mimeType: 'image/png', buffer: png(RED) },
      ])
      // The driver's own click waits for the navigation that an answer of 204 does not make.
      await page.getByText('Send files').dispatchEvent('click')
      for (const [type, body] of [
        ['image/gif', gif(RED)],
        ['image/png', png(RED)],
      ] as const) {
        const part = await stream.readPart(boundary)
        t.equal(part.headers.get('content-location'), '/msgbus/form/files')
        t.equal(part.headers.get('content-type'), type)
        t.equal(part.body, body.toString('latin1'))
      }
      t.equal(page.url(), `${bus.url}/`)
      t.equal(await page.evaluate('document.title'), 'ours')
    })

    await t.test('an HTML form publishes its fields as text', async t => {
      const { bus, page, stream } = await openForm(t, browser)
      await page.locator('textarea').fill('two\nlines: ä')
      await page.getByText('Send text').dispatchEvent('click')
      const part = await stream.readPart(bus.server.bus.boundary)
      t.equal(part.headers.get('content-location'), '/msgbus/form/text')
      t.equal(part.headers.get('content-type'), 'text/plain; charset=utf-8')
      t.equal(Buffer.from(part.body, 'latin1').toString(), 'two\r\nlines: ä')
      t.equal(page.url(), `${bus.url}/`)
    })
  })
}
