// The live console in real browsers, in use: publishing, the commands for a shell, a restart of the server, its password, keys,
// a thousand channels, a phone. What it shows is in console.test.ts.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../command.ts'
import { needs } from '../needs.ts'
import { parsePart, subscribe } from '../wire/server.ts'
import { browserNames, openBrowser, untilElement } from './browsers.ts'
import { type Bus, publish } from './bus.ts'
import {
  hasState,
  isLive,
  messages,
  openConsole,
  openConsoleBus,
  openTab,
  rowOf,
  says,
  shoot,
  show,
  showsText,
  texts,
} from './console-page.ts'
import { png, RED } from './frames.ts'

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, at) => at))

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    await t.test('text and files are published byte for byte, with their types', async t => {
      const bus = await openConsoleBus(t)
      const { boundary } = bus.server.bus
      const reader = await subscribe(t, bus, '/msgbus/a%2C%20b/c')
      const page = await openConsole(t, browser, bus)
      const publishing = page.getByRole('form', { name: 'Publish' })
      const result = page.locator('#published')
      await show(page, 'a, b/c')
      t.equal(await publishing.getByLabel('Channel').inputValue(), 'a, b/c')
      await publishing.getByRole('button', { name: 'Publish' }).click()
      await says(result, /^Nothing to publish/)
      await publishing.getByLabel('Text').fill('ä ☃\n<b>')
      await publishing.getByLabel('Text').press('Control+Enter')
      const text = parsePart(await reader.readChunk(), boundary)
      t.equal(text.body, Buffer.from('ä ☃\n<b>').toString('latin1'))
      t.equal(text.headers.get('content-type'), 'text/plain; charset=utf-8')
      await says(result, new RegExp(`^Published ${text.headers.get('msgbus-id') ?? ''}$`))
      await showsText(page, 'ä ☃ <b>')
      t.equal(await publishing.getByLabel('Text').inputValue(), '')
      await publishing.getByLabel('Type').fill('application/json')
      await publishing.getByLabel('Text').fill('{"with":"files"}')
      await publishing.getByLabel('Files').setInputFiles([
        { name: 'every.bin', mimeType: '', buffer: EVERY_BYTE },
        { name: 'red.png', mimeType: 'image/png', buffer: png(RED) },
      ])
      await publishing.getByRole('button', { name: 'Publish' }).click()
      const parts = []
      for (let count = 0; count < 3; count++) parts.push(parsePart(await reader.readChunk(), boundary))
      t.strictSame(
        parts.map(({ headers, body }) => [headers.get('content-type'), body]),
        [
          ['application/json', '{"with":"files"}'],
          ['application/octet-stream', EVERY_BYTE.toString('latin1')],
          ['image/png', png(RED).toString('latin1')],
        ],
      )
      await untilElement(messages(page).first().locator('img'), RED)
      await page.evaluate(`{
        const files = new DataTransfer()
        files.items.add(new File(['dropped'], 'note.txt', { type: 'text/plain' }))
        document.getElementById('panel').dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }))
      }`)
      await publishing.getByRole('button', { name: 'Publish' }).click()
      await showsText(page, 'dropped')
      t.equal(parsePart(await reader.readChunk(), boundary).headers.get('content-type'), 'text/plain')
      await publishing.getByLabel('Channel').fill('../x')
      await publishing.getByLabel('Text').fill('nowhere')
      await publishing.getByRole('button', { name: 'Publish' }).click()
      await says(result, /^not published: Cannot use /)
      t.equal(await publishing.getByLabel('Text').inputValue(), 'nowhere', 'nothing is lost')
    })

    await t.test('it goes on by itself when the server is back', async t => {
      const bus = await openConsoleBus(t)
      publish(bus, 'news', 'text/plain', 'before')
      publish(bus, 'forgotten', 'text/plain', 'x')
      const page = await openConsole(t, browser, bus)
      await show(page, 'news')
      await showsText(page, 'before')
      await bus.server.close()
      await hasState(page, 'disconnected, trying again')
      await isLive(page, 'disconnected, trying again')
      const next = await openConsoleBus(t, { listen: { port: bus.port } })
      publish(next, 'news', 'text/plain', 'meanwhile')
      publish(next, 'other', 'text/plain', 'x')
      await hasState(page, 'connected')
      await isLive(page)
      await showsText(page, 'meanwhile')
      publish(next, 'news', 'text/plain', 'after')
      await showsText(page, 'after')
      t.strictSame(await texts(page), ['after', 'meanwhile', 'before'])
      await rowOf(page, 'other').waitFor()
      t.equal(await rowOf(page, 'forgotten').count(), 0, 'what is listed is of the new one')
    })

    await t.test('with a password it is for those who know it', async t => {
      const bus = await openConsoleBus(t, { password: 'secret' })
      publish(bus, 'news', 'text/plain', 'first')
      const stranger = await openTab(t, browser)
      // Firefox leaves a tab without a password where it was.
      const answer = await stranger.request.get(`${bus.url}/_/`)
      t.equal(answer.status(), 401)
      for (const how of [
        { httpCredentials: { username: 'dug', password: 'secret' } },
        { url: `http://dug:secret@127.0.0.1:${bus.port}` },
      ]) {
        const page = await openConsole(t, browser, bus, how)
        await show(page, 'news')
        await showsText(page, 'first')
        await page.getByRole('form', { name: 'Publish' }).getByLabel('Text').fill('of dug')
        await page.getByRole('button', { name: 'Publish', exact: true }).click()
        await showsText(page, 'of dug')
        t.match(await messages(page).first().locator('.sender').innerText(), 'dug')
        await page.getByRole('button', { name: 'curl', exact: true }).click()
        t.match(await page.locator('#commands').innerText(), `curl -N -u "$USER" '${bus.url}/msgbus/news'`)
        publish(bus, 'news', 'text/plain', 'first')
      }
    })

    await t.test('its commands do in a shell what it does, whatever the names', async t => {
      if (!needs(t, 'curl') || !needs(t, 'timeout')) return
      const bus = await openConsoleBus(t)
      const channel = `it's "$(touch x)" [1-3]{a,b}`
      publish(bus, channel, 'text/plain', 'first', 'dug')
      const page = await openConsole(t, browser, bus)
      await show(page, channel)
      await page.getByRole('button', { name: 'curl', exact: true }).click()
      const [subscribeCode, publishCode] = [0, 1].map(at => page.locator('#commands code').nth(at))
      if (subscribeCode === undefined || publishCode === undefined) throw new TypeError('there are two')
      const form = page.getByRole('form', { name: 'Publish' })
      const text = `it's \`touch y\` @$HOME !! \\n\n"ä"`
      await form.getByLabel('Text').fill(text)
      const dir = t.testdir({})
      const command = await publishCode.innerText()
      await run(t, '/bin/sh', ['-c', command], { cwd: dir })
      await showsText(page, text.replace('\n', ' '))
      t.equal(await messages(page).first().locator('.type').innerText(), 'text/plain; charset=utf-8')
      await form.getByLabel('Text').fill('')
      await form
        .getByLabel('Files')
        .setInputFiles({ name: "it's -1.png", mimeType: 'image/png', buffer: png(RED) })
      await says(publishCode, /--data-binary/)
      mkdirSync(dir, { recursive: true })
      writeFileSync(join(dir, "it's -1.png"), png(RED))
      await run(t, '/bin/sh', ['-c', await publishCode.innerText()], { cwd: dir })
      await untilElement(messages(page).first().locator('img'), RED)
      await page.getByRole('textbox', { name: 'Sender' }).fill("d'ug*")
      await isLive(page, 'live, filtered')
      t.match(await subscribeCode.innerText(), "?sender=d'\\''ug*'")
      await page.getByRole('textbox', { name: 'Sender' }).fill('dug')
      await says(subscribeCode, /sender=dug/)
      const once = `${await subscribeCode.innerText()} -sS 2>/dev/null`.replace(
        "?sender=dug'",
        "?sender=dug&since=all&poll&as=ndjson'",
      )
      const { stdout } = await run(t, '/bin/sh', ['-c', once], { cwd: dir })
      t.match(JSON.parse(stdout.split('\n')[0] ?? ''), { sender: 'dug', body: 'first' })
    })

    await t.test('a command is copied as it stands', async t => {
      const bus = await openConsoleBus(t)
      publish(bus, 'news', 'text/plain', 'first')
      const page = await openConsole(t, browser, bus)
      await show(page, 'news')
      await page.getByRole('button', { name: 'curl', exact: true }).click()
      await page.getByRole('button', { name: 'Copy the subscribe command' }).click()
      await page.locator('#commands').getByText('Copied', { exact: true }).waitFor()
      const text = page.getByRole('form', { name: 'Publish' }).getByLabel('Text')
      await text.focus()
      await page.keyboard.press('Control+V')
      t.equal(await text.inputValue(), `curl -N '${bus.url}/msgbus/news'`)
    })

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
      await page.goBack()
      await showsText(page, 'odd')
      await page.reload()
      await showsText(page, 'odd')
      await page.getByRole('button', { name: /^The whole bus/ }).click()
      await showsText(page, 'new')
      t.strictSame(await texts(page), ['new', 'odd'])
      await messages(page).getByRole('button', { name: 'a&b=c#d/%41' }).click()
      await isLive(page)
      t.strictSame(await texts(page), ['odd'])
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
      t.same(bus.server.bus.subscriberCounts().size, 0, 'nothing is read that is not shown')
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
  publish(bus, 'firmware', 'application/octet-stream', EVERY_BYTE)
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
