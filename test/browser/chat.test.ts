// The chat page as it is shipped, open in both browsers at once: what one of them says, the other one shows, and nothing
// of it runs. Screenshots go to the directory that MSGBUS_SHOTS names.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { publish as post } from '../wire/server.ts'
import { type BrowserName, browserNames, openBrowser, openPage, untilElement } from './browsers.ts'
import { type Bus, type BusOptions, openBus, publish } from './bus.ts'
import { GREEN, jpeg, png, RED } from './frames.ts'

const CHATDEMO = fileURLToPath(new URL('../../chatdemo', import.meta.url))

interface Chat {
  readonly bus: Bus
  /** One in each browser. */
  readonly pages: Readonly<Record<BrowserName, Page>>
}

function openChatBus(t: Test, options: BusOptions = {}): Promise<Bus> {
  return openBus(t, { rootDir: CHATDEMO, ...options })
}

/** Opens the chat in both browsers and waits until both listen. */
async function openChat(
  t: Test,
  browsers: Readonly<Record<BrowserName, Browser>>,
  path = '/',
): Promise<Chat> {
  const bus = await openChatBus(t)
  const [chromium, firefox] = await Promise.all(
    browserNames.map(async name => {
      const page = await openPage(t, browsers[name])
      await page.goto(`${bus.url}${path}`)
      return page
    }),
  )
  if (chromium === undefined || firefox === undefined)
    throw new Error('Cannot open the chat in both browsers')
  await bus.log.until('sub', browserNames.length)
  return { bus, pages: { chromium, firefox } }
}

async function say(page: Page, text: string, name = ''): Promise<void> {
  await page.locator('#name').fill(name)
  await page.locator('#text').fill(text)
  await page.locator('#text').press('Enter')
}

/** Waits for a line of the chat with exactly this text. */
async function showsLine(page: Page, text: string, sender = 'anonymous'): Promise<void> {
  const entry = page.locator('article', { has: page.getByText(text, { exact: true }) })
  await entry.locator('b').getByText(sender, { exact: true }).waitFor()
}

async function hasState(page: Page, state: string): Promise<void> {
  await page.locator('#state').getByText(state, { exact: true }).waitFor()
}

async function shoot(page: Page, name: string): Promise<void> {
  const directory = process.env.MSGBUS_SHOTS
  if (directory !== undefined && directory !== '')
    await page.screenshot({ path: join(directory, `chat-${name}.png`) })
}

await t.test('the chat page', async t => {
  const opened = await Promise.all(browserNames.map(name => openBrowser(t, name)))
  const [chromium, firefox] = opened
  if (chromium == null || firefox == null) return
  const browsers = { chromium, firefox }

  for (const [from, to] of [
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ] as const) {
    await t.test(`what is said in ${from} arrives in ${to}, with its name`, async t => {
      const { pages } = await openChat(t, browsers)
      for (const page of Object.values(pages)) await hasState(page, 'connected')
      await say(pages[from], 'hello')
      await showsLine(pages[to], 'hello')
      await say(pages[from], 'named: ä ☃', 'dug')
      for (const page of Object.values(pages)) {
        await showsLine(page, 'named: ä ☃', 'dug')
        t.same(
          await page.locator('article pre').allInnerTexts(),
          ['hello', 'named: ä ☃'],
          'in order, each once',
        )
      }
      t.equal(await pages[from].locator('#text').inputValue(), '', 'ready for the next')
      await shoot(pages[to], to)
    })

    await t.test(`a picture that is dropped in ${from} shows in ${to}`, async t => {
      const { pages } = await openChat(t, browsers)
      const base64 = png(GREEN).toString('base64')
      await pages[from].locator('#name').fill('dug')
      await pages[from].evaluate(`{
        const bytes = Uint8Array.from(atob('${base64}'), character => character.charCodeAt(0))
        const dataTransfer = new DataTransfer()
        dataTransfer.items.add(new File([bytes], 'a.png', { type: 'image/png' }))
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))
      }`)
      for (const page of Object.values(pages)) {
        const picture = page.locator('article img')
        t.equal(await picture.getAttribute('alt'), 'Picture from dug')
        await untilElement(picture, GREEN)
      }
    })
  }

  await t.test('hostile text and names stay text', async t => {
    const { bus, pages } = await openChat(t, browsers)
    const hostile = [
      '<img src=x onerror="document.title=1">',
      '<script>document.title = 1</script>',
      '</pre><h1>big</h1>',
      'javascript:alert(1) &lt;b&gt; "\' `${1}`',
    ]
    for (const text of hostile) {
      await say(pages.chromium, text)
      for (const page of Object.values(pages)) await showsLine(page, text)
      publish(bus, 'chatdemo', 'text/plain', `named ${text}`, text)
      for (const page of Object.values(pages)) await showsLine(page, `named ${text}`, text)
    }
    for (const page of Object.values(pages)) {
      t.equal(await page.title(), 'msgbus chat')
      t.equal(await page.locator('article :is(h1, img, script)').count(), 0)
      t.equal(await page.locator('article').count(), 2 * hostile.length)
    }
  })

  await t.test('what a program posts shows: text, a picture, a document, anything', async t => {
    const { bus, pages } = await openChat(t, browsers)
    const type = 'application/x-www-form-urlencoded'
    await post(t, bus, '/msgbus/chatdemo', 'hi=there', { type, headers: ['User-Agent: curl/8.0'] })
    await post(t, bus, '/msgbus/chatdemo', 'posted')
    await post(t, bus, '/msgbus/chatdemo', jpeg(RED).toString('latin1'), { type: 'image/jpeg' })
    await post(t, bus, '/msgbus/chatdemo', '<p>document', { type: 'text/html' })
    for (const page of Object.values(pages)) {
      await showsLine(page, `8 bytes of ${type}`)
      await showsLine(page, 'posted')
      await untilElement(page.locator('article img'), RED)
      await page.frameLocator('article iframe').getByText('document', { exact: true }).waitFor()
      t.equal(await page.locator('article').count(), 4)
    }
    await shoot(pages.chromium, 'posted-chromium')
    await shoot(pages.firefox, 'posted-firefox')
  })

  await t.test('a restart shows in its state, and afterwards it goes on', async t => {
    const { bus, pages } = await openChat(t, browsers)
    await say(pages.chromium, 'before')
    for (const page of Object.values(pages)) await showsLine(page, 'before')
    await bus.server.close()
    for (const page of Object.values(pages)) await hasState(page, 'disconnected, trying again')
    const next = await openChatBus(t, { listen: { port: bus.port } })
    for (const page of Object.values(pages)) await hasState(page, 'connected')
    t.equal(next.log.events.filter(({ name }) => name === 'sub').length, 2)
    await say(pages.firefox, 'after')
    for (const page of Object.values(pages)) {
      await showsLine(page, 'after')
      t.same(await page.locator('article pre').allInnerTexts(), ['before', 'after'])
    }
  })

  await t.test('what cannot be sent is said so', async t => {
    const { bus, pages } = await openChat(t, browsers)
    await bus.server.close()
    for (const page of Object.values(pages)) {
      await say(page, 'lost')
      await page
        .locator('#notice')
        .getByText(/^not sent: /)
        .waitFor()
      t.equal(await page.locator('article').count(), 0)
    }
  })

  await t.test('another room in the address is another channel', async t => {
    const { bus, pages } = await openChat(t, browsers, '/#team%20ä/one')
    for (const page of Object.values(pages)) t.equal(await page.locator('#room').innerText(), 'team ä/one')
    publish(bus, 'chatdemo', 'text/plain', 'elsewhere')
    await say(pages.chromium, 'in the room')
    for (const page of Object.values(pages)) {
      await showsLine(page, 'in the room')
      t.equal(await page.locator('article').count(), 1)
    }
    await pages.firefox.evaluate("location.hash = '#two'")
    await bus.log.until('sub', 3)
    publish(bus, 'two', 'text/plain', 'moved')
    await showsLine(pages.firefox, 'moved')
    t.equal(await pages.firefox.locator('#room').innerText(), 'two')
    t.equal(await pages.firefox.locator('article').count(), 1)
  })

  await t.test('only the last five hundred lines are kept', async t => {
    const { bus, pages } = await openChat(t, browsers)
    for (let count = 1; count <= 510; count++) publish(bus, 'chatdemo', 'text/plain', `line ${count}`)
    for (const page of Object.values(pages)) {
      await showsLine(page, 'line 510')
      t.equal(await page.locator('article').count(), 500)
      t.equal(await page.locator('article pre').first().innerText(), 'line 11')
      t.ok(
        await page.evaluate('messages.scrollHeight - messages.scrollTop - messages.clientHeight < 1'),
        'at the end',
      )
    }
  })
})
