// The live console in real browsers: what it shows of a bus and of each message, and that nothing of that ever runs. What can
// be done with it is in console-publish.test.ts, how it is to be used in console-use.test.ts.

import t, { type Test } from 'tap'
import { subscribe } from '../wire/server.ts'
import { browserNames, openBrowser, untilElement } from './browsers.ts'
import { type Bus, publish, Site } from './bus.ts'
import {
  isLive,
  messages,
  openConsole,
  openConsoleBus,
  rowOf,
  says,
  show,
  showsText,
  texts,
} from './console-page.ts'
import { GREEN, jpeg, png, RED } from './frames.ts'

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, at) => at))

/** Publishes a few messages now and then, until the test is over. */
function keepPublishing(t: Test, bus: Bus, channel: string): void {
  const clock = setInterval(() => {
    publish(bus, channel, 'text/plain', 'tick', 'clock')
  }, 50)
  t.teardown(() => {
    clearInterval(clock)
  })
}

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    await t.test('channels appear with rate, readers, bytes, last message and a graph', async t => {
      const bus = await openConsoleBus(t)
      const page = await openConsole(t, browser, bus)
      await page.getByText('No channel is open yet').waitFor()
      await page.locator('#totals').getByText('0/s', { exact: true }).waitFor()
      publish(bus, 'quiet', 'application/json; charset=utf-8', '{"a":1}', 'dug')
      keepPublishing(t, bus, 'busy/one')
      const quiet = rowOf(page, 'quiet')
      await says(quiet.locator('.last'), /(?:now|ago) · application\/json · 7 B · dug$/)
      await says(quiet.locator('.subscribers'), /^0 readers$/)
      await says(quiet.locator('.bytes'), /^7 B$/)
      await says(rowOf(page, 'busy/one').locator('.rate'), /^[1-9][0-9.]*\/s$/)
      await says(page.locator('#everything .rate'), /^[1-9][0-9.]*\/s$/)
      await rowOf(page, 'busy/one').locator('.graph .line[d^="M"]').waitFor({ state: 'attached' })
      const reader = await subscribe(t, bus, '/msgbus/quiet')
      await subscribe(t, bus, '/msgbus/busy/')
      await says(quiet.locator('.subscribers'), /^1 reader$/)
      await says(rowOf(page, 'busy/one').locator('.subscribers'), /^1 reader$/)
      reader.socket.destroy()
      await says(quiet.locator('.subscribers'), /^0 readers$/)
      await says(quiet.locator('.rate'), /^0\/s$/)
      t.match(await page.locator('#listed').innerText(), /^2 channels$/)
    })

    await t.test('a channel shows its last messages, and what comes by its type', async t => {
      const bus = await openConsoleBus(t)
      for (let number = 1; number <= 25; number++) publish(bus, 'news', 'text/plain', `old ${number}`)
      const page = await openConsole(t, browser, bus)
      await show(page, 'news')
      await showsText(page, 'old 25')
      t.strictSame(
        await texts(page),
        Array.from({ length: 20 }, (_, at) => `old ${25 - at}`),
      )
      const newest = messages(page).first()
      publish(bus, 'news', 'text/plain; charset=iso-8859-1', Buffer.from('<b>ä</b>', 'latin1'), 'dug')
      await showsText(page, '<b>ä</b>')
      t.match(await newest.locator('.about').innerText(), /dug\s+text\/plain; charset=iso-8859-1\s+8 B/)
      publish(bus, 'news', 'application/x-www-form-urlencoded', 'a=1')
      await showsText(page, 'a=1')
      publish(bus, 'news', 'text/html; charset=utf-8', '<style>p { color: red }</style><p>document ä</p>')
      await newest.frameLocator('iframe').getByText('document ä', { exact: true }).waitFor()
      publish(
        bus,
        'news',
        'image/svg+xml',
        '<svg xmlns="http://www.w3.org/2000/svg"><rect width="10000" height="10000" fill="lime"/></svg>',
      )
      await newest.locator('iframe').waitFor()
      await untilElement(newest.locator('iframe'), GREEN)
      for (const [type, body] of [
        ['image/png', png(RED)],
        ['image/jpeg', jpeg(RED)],
      ] as const) {
        publish(bus, 'news', type, body)
        await newest.getByText(type).waitFor()
        await untilElement(newest.locator('img'), RED)
      }
      publish(bus, 'news', 'image/png', 'no picture')
      await newest.locator('.hex').waitFor()
      publish(bus, 'news', 'application/octet-stream', Buffer.concat([EVERY_BYTE, EVERY_BYTE, EVERY_BYTE]))
      await newest.getByText('768 bytes, the first 512 of them:').waitFor()
      const hex = (await newest.locator('.hex').innerText()).split('\n')
      t.equal(hex[0], '0000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  ................')
      t.equal(hex[4], '0040  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO')
      t.equal(hex.length, 32)
      publish(bus, 'news', 'video/mp4', '')
      await newest.getByText('empty', { exact: true }).waitFor()
      publish(bus, 'news', 'text/plain', `${'a'.repeat(8000)}${'b'.repeat(5000)}`)
      await newest.getByText('5,000 more characters').click()
      await newest.getByText('b'.repeat(5000), { exact: true }).waitFor()
    })

    await t.test(
      'JSON is folded, keeps its numbers to the last digit, and is text if it is none',
      async t => {
        const bus = await openConsoleBus(t)
        publish(bus, 'news', 'text/plain', 'first')
        const page = await openConsole(t, browser, bus)
        await show(page, 'news')
        const newest = messages(page).first()
        publish(
          bus,
          'news',
          'application/ld+json',
          '{"id":12345678901234567890,"list":[1.50,{"deep":"<b>"}],"__proto__":null}',
        )
        await newest.getByText('"id": 12345678901234567890').waitFor()
        await newest.getByText('"__proto__": null').waitFor()
        t.equal(await newest.getByText('1.50').count(), 0, 'folded')
        await newest.getByText('"list": [2]').click()
        await newest.getByText('0: 1.50').waitFor()
        await newest.getByText('1: {1}').click()
        await newest.getByText('"deep": "<b>"').waitFor()
        publish(bus, 'news', 'application/json', JSON.stringify(Array.from({ length: 450 }, (_, at) => at)))
        await newest.getByText('[450]').waitFor()
        await newest.getByText('250 more').click()
        await newest.getByText('50 more', { exact: true }).click()
        await newest.getByText('449: 449').waitFor()
        publish(bus, 'news', 'application/json', '{"broken"')
        await showsText(page, '{"broken"')
        publish(bus, 'news', 'application/json', '['.repeat(100_000))
        await newest.getByText('92,000 more characters').waitFor()
      },
    )

    await t.test('nothing that was published runs, whatever it is and wherever it stands', async t => {
      const site = await Site.open(t)
      const url = `http://127.0.0.1:${site.port}`
      const script = `void fetch('${url}/ran', { mode: 'no-cors' }); top.document.title = 'taken'`
      const markup = `<img src="${url}/img" onerror="${script}"><script>${script}</script><iframe src="${url}/frame"></iframe>`
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="${script}"><image href="${url}/svg"/><script>${script}</script><text y="20">shown</text></svg>`
      const bus = await openConsoleBus(t)
      const channel = `<img src=x onerror="top.document.title='taken'">`
      publish(bus, channel, 'text/plain', 'first')
      const page = await openConsole(t, browser, bus, { isHostile: true })
      await page.evaluate("document.cookie = 'secret=1; path=/'")
      await show(page, channel)
      t.equal(await page.title(), `${channel} · msgbus console`)
      const newest = messages(page).first()
      for (const type of ['text/html', 'application/xhtml+xml', 'image/svg+xml']) {
        const body =
          type === 'image/svg+xml'
            ? svg
            : `<html xmlns="http://www.w3.org/1999/xhtml"><body><p>shown</p>${type === 'text/html' ? markup : markup.replaceAll(/<img[^>]*>/g, '')}<a href="javascript:${script}">link</a></body></html>`
        publish(bus, channel, type, body, '<script>1</script>')
        await newest.getByText(type, { exact: true }).waitFor()
        await newest.frameLocator('iframe').getByText('shown', { exact: true }).waitFor()
        if (type === 'text/html') await newest.frameLocator('iframe').getByText('link').click()
        t.equal(await newest.frameLocator('iframe').locator(':root').evaluate('origin'), 'null')
      }
      publish(bus, channel, 'text/plain', markup, '<b>sender</b>')
      await showsText(page, markup)
      publish(bus, channel, 'application/json', JSON.stringify({ [markup]: markup }))
      await newest.locator('.key').getByText(JSON.stringify(markup), { exact: true }).waitFor()
      publish(bus, channel, `text/plain; x="${markup.replaceAll('"', "'").slice(0, 100)}"`, 'hostile type')
      await showsText(page, 'hostile type')
      publish(bus, channel, 'application/octet-stream', markup)
      await newest.locator('.hex').waitFor()
      t.equal(await page.locator('script').count(), 1, 'its own')
      t.equal(await page.locator('[onerror], [onload]').count(), 0)
      t.equal(await page.title(), `${channel} · msgbus console`)
      await t.rejects(
        page.evaluate("document.body.innerHTML = '<p>'"),
        /Trusted|Sink type mismatch/,
        'not even by mistake',
      )
      const tab = await page.context().newPage()
      await tab.goto(`${url}/sentinel`)
      t.strictSame(site.requests, ['GET /sentinel'], 'nothing was asked for anywhere else')
    })

    await t.test('messages are filtered by type and by sender, from the past on', async t => {
      const bus = await openConsoleBus(t)
      publish(bus, 'news', 'text/plain', 'old of alice', 'alice')
      publish(bus, 'news', 'text/plain', 'old of bob', 'bob')
      publish(bus, 'news', 'text/markdown', '# old of alice', 'alice')
      const page = await openConsole(t, browser, bus)
      await show(page, 'news')
      await showsText(page, '# old of alice')
      await page.getByRole('textbox', { name: 'Sender' }).fill('ali*')
      await isLive(page, 'live, filtered')
      await showsText(page, '# old of alice')
      t.strictSame(await texts(page), ['# old of alice', 'old of alice'])
      await page.getByLabel('Type', { exact: true }).first().fill('text/plain')
      await page.keyboard.press('Enter')
      await showsText(page, 'old of alice')
      await isLive(page, 'live, filtered')
      t.match(await page.evaluate('location.hash'), /^#channel=news&type=text%2Fplain&sender=ali\*$/)
      publish(bus, 'news', 'text/plain', 'of bob', 'bob')
      publish(bus, 'news', 'text/html', 'of alice', 'alice')
      publish(bus, 'news', 'text/plain', 'of alice', 'alice')
      await showsText(page, 'of alice')
      t.strictSame(await texts(page), ['of alice', 'old of alice'])
      await page.getByRole('textbox', { name: 'Sender' }).fill('*'.repeat(30))
      await says(page.locator('#reading'), /^Cannot use this filter/)
      await page.getByRole('textbox', { name: 'Sender' }).fill('')
      await showsText(page, 'of alice')
      t.strictSame(await texts(page), ['of alice', 'of bob', 'old of bob', 'old of alice'])
    })

    await t.test('while it is paused what comes is counted, and shown afterwards', async t => {
      const bus = await openConsoleBus(t)
      publish(bus, 'news', 'text/plain', 'before')
      const page = await openConsole(t, browser, bus)
      await show(page, 'news')
      await showsText(page, 'before')
      await page.getByRole('button', { name: 'Pause' }).click()
      const button = page.locator('#pause')
      for (const count of [1, 2, 3]) {
        publish(bus, 'news', 'text/plain', `message ${count}`)
        await says(button, new RegExp(`^Resume \\(${count} new\\)$`))
      }
      t.strictSame(await texts(page), ['before'])
      t.equal(await button.getAttribute('aria-pressed'), 'true')
      for (let count = 4; count <= 300; count++) publish(bus, 'news', 'text/plain', `message ${count}`)
      await says(button, /^Resume \(300 new\)$/)
      await button.click()
      await showsText(page, 'message 300')
      t.equal(await messages(page).count(), 200, 'the last ones')
      await page.getByText('100 not shown', { exact: true }).waitFor()
      t.equal(await button.innerText(), 'Pause')
    })

    await t.test('the last 200 messages stay in the page', async t => {
      const bus = await openConsoleBus(t)
      publish(bus, 'news', 'text/plain', 'first')
      const page = await openConsole(t, browser, bus)
      await show(page, 'news')
      await showsText(page, 'first')
      for (let round = 1; round <= 5; round++) {
        for (let count = 1; count <= 90; count++) publish(bus, 'news', 'text/plain', `${round}-${count}`)
        await showsText(page, `${round}-90`)
      }
      const shown = await texts(page)
      t.equal(shown.length, 200)
      t.strictSame([shown[0], shown[199]], ['5-90', '3-71'])
    })
  })
}
