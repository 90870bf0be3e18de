// The live console in real browsers, in use: by keys alone, by its address, with a thousand channels, on a phone. What it
// shows is in console.test.ts, what can be done with it in console-publish.test.ts.

import t from 'tap'
import { browserNames, openBrowser } from './browsers.ts'
import { type Bus, publish } from './bus.ts'
import {
  isLive,
  messages,
  openConsole,
  openConsoleBus,
  rowOf,
  says,
  shoot,
  show,
  showsText,
  texts,
} from './console-page.ts'
import { png, RED } from './frames.ts'

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    await t.test('it can be used by keys alone, and says where one is', async t => {
      const bus = await openConsoleBus(t)
      for (const channel of ['a/1', 'a/2', 'b/1']) publish(bus, channel, 'text/plain', `on ${channel}`)
      const page = await openConsole(t, browser, bus)
      await rowOf(page, 'b/1').waitFor()
      await page.keyboard.press('Tab')
      await page.keyboard.type('a/')
      await rowOf(page, 'b/1').waitFor({ state: 'detached' })
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowUp')
      await page.keyboard.press('End')
      const list = page.getByRole('listbox', { name: 'Channels' })
      const active = await list.getAttribute('aria-activedescendant')
      t.equal(await page.locator(`#${active ?? ''} .name`).innerText(), 'a/2')
      await page.keyboard.press('Enter')
      await isLive(page)
      await showsText(page, 'on a/2')
      t.equal(await rowOf(page, 'a/2').getAttribute('aria-selected'), 'true')
      await page.keyboard.press('Home')
      await page.keyboard.press(' ')
      await showsText(page, 'on a/1')
      t.equal(await page.title(), 'a/1 · msgbus console')
    })

    await t.test('what is shown stands in the address', async t => {
      const bus = await openConsoleBus(t)
      publish(bus, 'a&b=c#d/%41', 'text/plain', 'odd')
      publish(bus, 'news', 'text/plain', 'new')
      const page = await openConsole(t, browser, bus)
      await show(page, 'a&b=c#d/%41')
      await showsText(page, 'odd')
      await show(page, 'news')
      await showsText(page, 'new')
      await page.goto(`${bus.url}/_/#channel=a%26b%3Dc%23d/`)
      await showsText(page, 'odd')
      t.equal(await messages(page).getByRole('button', { name: 'a&b=c#d/%41' }).count(), 1, 'a whole tree')
      await page.goBack()
      await showsText(page, 'new')
      await page.goBack()
      await showsText(page, 'odd')
      await page.reload()
      await showsText(page, 'odd')
      await page.getByRole('button', { name: /^The whole bus/ }).click()
      await showsText(page, 'new')
      t.strictSame(await texts(page), ['new', 'odd'])
      await messages(page).getByRole('button', { name: 'a&b=c#d/%41' }).click()
      await showsText(page, 'odd')
      t.strictSame(await texts(page), ['odd'])
      const subscribedCount = bus.log.events.filter(event => event.name === 'sub').length
      await bus.log.until('unsub', subscribedCount - 1)
      const counts = bus.server.bus.subscriberCounts()
      t.strictSame([...counts], [['a&b=c#d/%41', 1]], 'one subscription at a time')
    })

    await t.test('a thousand channels are found, ordered and scrolled through', async t => {
      const bus = await openConsoleBus(t)
      for (let number = 0; number < 1_000; number++)
        publish(bus, `sensor/${number}`, 'text/plain', `${number}`)
      const page = await openConsole(t, browser, bus)
      const rows = page.locator('#rows .row')
      await says(page.locator('#listed'), /^1000 channels$/)
      await page.getByLabel('Sort by').selectOption('name')
      await says(rows.first(), /sensor\/0/)
      t.ok((await rows.count()) < 40, 'only those in sight are in the page')
      t.equal(await rows.first().getAttribute('aria-setsize'), '1000')
      await page.getByRole('listbox', { name: 'Channels' }).focus()
      await page.keyboard.press('End')
      await rowOf(page, 'sensor/999').waitFor()
      t.equal(await rowOf(page, 'sensor/999').getAttribute('aria-posinset'), '1000')
      await page.getByRole('searchbox').fill('SENSOR/77')
      await says(page.locator('#listed'), /^11 of 1000 channels$/)
      t.equal(await rows.count(), 11)
      await show(page, 'sensor/777')
      await showsText(page, '777')
      publish(bus, 'sensor/1000', 'text/plain', 'x')
      await page.getByRole('searchbox').fill('')
      await says(page.locator('#listed'), /^the newest 1000 of 1,001 channels$/)
      await page.getByLabel('Sort by').selectOption('newest')
      await page.getByRole('listbox', { name: 'Channels' }).evaluate('list => { list.scrollTop = 0 }')
      await says(rows.first(), /sensor\/1000/)
    })

    await t.test('on a phone there is one column, and nothing sticks out of it', async t => {
      const bus = await openConsoleBus(t)
      const long = `long/${'name'.repeat(60)}`
      publish(bus, long, 'text/plain', 'word'.repeat(200), 'sender'.repeat(20))
      const page = await openConsole(t, browser, bus, { viewport: { width: 360, height: 640 } })
      const overflow = `{
        const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement
        ;[scrollWidth - clientWidth, scrollHeight - clientHeight]
      }`
      await rowOf(page, long).waitFor()
      t.strictSame(await page.evaluate(overflow), [0, 0])
      await show(page, long)
      await showsText(page, 'word'.repeat(200))
      t.notOk(await rowOf(page, long).isVisible())
      await page.getByRole('button', { name: 'curl', exact: true }).click()
      await page.locator('#publishing > summary').click()
      await page.getByRole('form', { name: 'Publish' }).waitFor()
      t.strictSame(await page.evaluate(overflow), [0, 0])
      await page.getByRole('button', { name: 'Back to the channels' }).click()
      await rowOf(page, long).waitFor()
      await bus.log.until('unsub')
      t.equal(bus.server.bus.subscriberCounts().size, 0, 'nothing is read that is not shown')
    })

    await t.test('its pictures, light, dark and narrow', async t => {
      const bus = await openConsoleBus(t)
      fill(bus)
      for (const [label, options] of [
        ['light', {}],
        ['dark', { colorScheme: 'dark' }],
        ['phone', { viewport: { width: 360, height: 720 } }],
      ] as const) {
        const page = await openConsole(t, browser, bus, options)
        await rowOf(page, 'ci/build').waitFor()
        // Firefox does not let the driver choose.
        const isDark = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        if (label === 'dark' && isDark !== true) continue
        await shoot(page, `${name}-${label}-list`)
        await page.getByRole('button', { name: /^The whole bus/ }).click()
        await messages(page).nth(5).waitFor()
        await shoot(page, `${name}-${label}-bus`)
      }
      t.pass('taken')
    })
  })
}

/** Some of everything. */
function fill(bus: Bus): void {
  publish(
    bus,
    'logs/web',
    'text/plain',
    '127.0.0.1 GET /index.html 200\n127.0.0.1 GET /style.css 304',
    'nginx',
  )
  publish(bus, 'chatdemo', 'text/plain; charset=utf-8', 'Good morning! ☀', 'alice')
  publish(bus, 'firmware', 'application/octet-stream', new Uint8Array(256))
  publish(
    bus,
    'pages/home',
    'text/html',
    '<h1>News</h1><p style="color: teal">Something happened.</p>',
    'bob',
  )
  publish(
    bus,
    'ci/build',
    'application/json',
    '{"job":812,"state":"passed","steps":[{"name":"test"}]}',
    'runner-2',
  )
  publish(bus, 'cam/front', 'image/png', png(RED), 'cam-1')
}
