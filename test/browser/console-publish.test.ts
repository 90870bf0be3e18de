// The live console in real browsers, at work: publishing text and files, the commands for a shell, a restart of the server, its
// password. What it shows is in console.test.ts, how it is to be used in console-use.test.ts.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../command.ts'
import { needs } from '../needs.ts'
import { parsePart, subscribe } from '../wire/server.ts'
import { browserNames, openBrowser, untilElement } from './browsers.ts'
import { publish } from './bus.ts'
import {
  hasState,
  isLive,
  messages,
  openConsole,
  openConsoleBus,
  openTab,
  rowOf,
  says,
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
      await publishing.getByLabel('Type').fill('json')
      await publishing.getByLabel('Text').fill('{"with":"files"}')
      // The server would make bytes without a type of it. What is published next is the next that is read.
      await publishing.getByLabel('Text').press('Control+Enter')
      t.equal(await publishing.locator('#publish-type:invalid').count(), 1)
      await publishing.getByLabel('Type').fill('application/json')
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

    await t.test('whoever tries again after a file that failed publishes the rest', async t => {
      const bus = await openConsoleBus(t)
      const page = await openConsole(t, browser, bus)
      const publishing = page.getByRole('form', { name: 'Publish' })
      const types: (string | undefined)[] = []
      await page.route('**/msgbus/files', async route => {
        types.push(
          await route
            .request()
            .headerValue('content-type')
            .then(type => type ?? undefined),
        )
        await (types.length === 2 ? route.abort() : route.continue())
      })
      await publishing.getByLabel('Channel').fill('files')
      await publishing.getByLabel('Files').setInputFiles([
        { name: 'one', mimeType: 'a/one', buffer: EVERY_BYTE },
        { name: 'two', mimeType: 'a/two', buffer: EVERY_BYTE },
      ])
      await publishing.getByRole('button', { name: 'Publish' }).click()
      await says(page.locator('#published'), /^1 published, then not published: /)
      await publishing.getByRole('button', { name: 'Publish' }).click()
      await says(page.locator('#published'), /^Published /)
      t.strictSame(types, ['a/one', 'a/two', 'a/two'])
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
      const asked = { httpCredentials: { username: 'dug', password: 'secret' } }
      const inAddress = { url: `http://dug:secret@127.0.0.1:${bus.port}` }
      // Firefox may not close a window any more whose question the driver has answered.
      for (const how of name === 'firefox' ? [inAddress] : [asked, inAddress]) {
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
  })
}
