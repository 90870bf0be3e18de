// How the chat page looks and is used: on a phone, with a keyboard alone, in the light and in the dark. Leaves pictures of
// it in test-artefacts/.

import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { type Bus, publish } from './bus.ts'
import {
  type Browsers,
  give,
  hasLines,
  hasPeople,
  hasState,
  lines,
  openBrowsers,
  openChatBus,
  say,
  shoot,
  takeName,
  until,
} from './chat-page.ts'
import { GREEN, png } from './frames.ts'

const SIZES = { phone: { width: 360, height: 640 }, wide: { width: 1200, height: 750 } } as const
const NAMES = ['chromium', 'firefox'] as const

interface Look {
  readonly size: keyof typeof SIZES
  readonly colorScheme: 'light' | 'dark'
}

async function openLook(
  t: Test,
  browsers: Browsers,
  name: (typeof NAMES)[number],
  url: string,
  look: Look,
): Promise<Page> {
  const { size, colorScheme } = look
  const context = await browsers[name].newContext({ viewport: SIZES[size], colorScheme })
  t.teardown(() => context.close())
  const page = await context.newPage()
  await page.goto(url)
  await hasState(page, 'Connected')
  return page
}

/** What needs room: long words, long names, long rooms, wide and high pictures, a document, a file. */
function fill(bus: Bus): void {
  publish(bus, 'kitchen', 'text/plain', 'w'.repeat(400), 'x'.repeat(200))
  publish(bus, 'kitchen', 'text/plain', `https://example.com/${'path/'.repeat(60)}`, 'Ann')
  publish(bus, 'kitchen', 'text/plain', 'Bread is out of the oven.', 'Ann')
  publish(bus, 'kitchen', 'text/html', `<pre>${'wide '.repeat(80)}</pre>`, 'build-bot')
  publish(
    bus,
    'kitchen',
    `application/pdf; filename*=utf-8''${'long-name-'.repeat(12)}.pdf`,
    'pdf',
    'build-bot',
  )
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="3000" height="40"/>'
  publish(bus, 'kitchen', 'image/svg+xml', svg, 'build-bot')
  publish(bus, 'kitchen', "text/plain; name*=utf-8''%D7%93%D7%A0%D7%94", 'שלום and hello')
  publish(bus, 'a-room-with-a-very-long-name-that-goes-on', 'text/plain', 'unread', 'Ben')
}

/** Asserts that nothing has to be scrolled to the side, and that nothing sticks out. */
async function fits(t: Test, page: Page): Promise<void> {
  const found = await page.evaluate<[number, string[]]>(`[
    document.documentElement.scrollWidth - innerWidth,
    [...document.querySelectorAll('aside, main, main *, #people')]
      .filter(element => element.getClientRects().length > 0 && element.localName !== 'bdi')
      .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
      .map(element => element.outerHTML.slice(0, 80)),
  ]`)
  t.same(found, [0, []])
}

await t.test('the looks of the chat page', async t => {
  const browsers = await openBrowsers(t)
  if (browsers === null) return

  for (const look of [
    { size: 'phone', colorScheme: 'dark' },
    { size: 'phone', colorScheme: 'light' },
    { size: 'wide', colorScheme: 'light' },
    { size: 'wide', colorScheme: 'dark' },
  ] as const) {
    await t.test(`everything fits, ${look.size} and ${look.colorScheme}`, async t => {
      const bus = await openChatBus(t)
      const url = `${bus.url}/#kitchen,a-room-with-a-very-long-name-that-goes-on,garden`
      for (const name of NAMES) {
        const page = await openLook(t, browsers, name, url, look)
        await fits(t, page)
        await shoot(page, `${look.size}-${look.colorScheme}-${name}-empty`)
        await takeName(page, 'Mei')
        fill(bus)
        await say(page, 'Coming! Keep me a slice, please.')
        await give(page, 'drop', { name: 'green.png', type: 'image/png', bytes: png(GREEN) })
        await lines(page).last().locator('.picture').waitFor()
        await fits(t, page)
        await shoot(page, `${look.size}-${look.colorScheme}-${name}`)
        if (look.size === 'phone') {
          await page.locator('summary').click()
          await page.locator('#people').waitFor()
          await fits(t, page)
          await shoot(page, `phone-${look.colorScheme}-${name}-people`)
        }
      }
    })
  }

  await t.test(
    'on a phone the first room, the field for another and its button are seen at once',
    async t => {
      const bus = await openChatBus(t)
      for (const name of NAMES) {
        const page = await openLook(t, browsers, name, bus.url, { size: 'phone', colorScheme: 'light' })
        // What is scrolled out of a strip is no less there for the driver.
        const hidden = "document.querySelector('nav').scrollWidth - document.querySelector('nav').clientWidth"
        t.equal(await page.evaluate(hidden), 0, name)
      }
    },
  )

  await t.test('a long name leaves the time in one piece, and an empty line is seen', async t => {
    const bus = await openChatBus(t)
    publish(bus, 'chatdemo', 'text/plain', 'one', 'Ann')
    publish(bus, 'chatdemo', 'text/plain', '', 'x'.repeat(200))
    for (const name of NAMES) {
      const page = await openLook(t, browsers, name, bus.url, { size: 'phone', colorScheme: 'light' })
      await hasLines(page, 2)
      for (const part of ['time', '.text']) {
        const heights = await lines(page)
          .locator(part)
          .evaluateAll(elements =>
            elements.map(element => (element as { clientHeight?: number }).clientHeight),
          )
        t.equal(new Set(heights).size, 1, `${part} in ${name}: ${heights.join()}`)
      }
    }
  })

  for (const name of NAMES) {
    await t.test(`everything can be done with the keyboard in ${name}`, async t => {
      const bus = await openChatBus(t)
      publish(bus, 'chatdemo', 'image/png', png(GREEN))
      const page = await openLook(t, browsers, name, bus.url, { size: 'wide', colorScheme: 'light' })
      const { keyboard } = page
      const goTo = async (selector: string, key: 'Tab' | 'Shift+Tab'): Promise<void> => {
        for (let count = 0; count < 30; count++) {
          if ((await page.evaluate(`document.activeElement.matches('${selector}')`)) === true) return
          await keyboard.press(key)
        }
        throw new Error(`Cannot reach ${selector} with ${key}`)
      }
      await until(page, "document.activeElement.id === 'text'")
      await keyboard.type('first')
      await keyboard.press('Enter')
      await hasLines(page, 2)
      await goTo('#name', 'Shift+Tab')
      await keyboard.type('Ann')
      await keyboard.press('Enter')
      await hasPeople(page, 'Ann (you)')
      await until(page, "document.activeElement.id === 'text'")
      await goTo('.picture', 'Shift+Tab')
      await keyboard.press('Enter')
      await page.locator('#large-picture').waitFor()
      await keyboard.press('Escape')
      await until(page, "document.activeElement.matches('.picture')")
      await goTo('.log', 'Shift+Tab')
      await goTo('summary', 'Shift+Tab')
      await keyboard.press('Enter')
      await page.locator('#people').waitFor({ state: 'hidden' })
      await goTo('#join-name', 'Shift+Tab')
      await keyboard.type('garden')
      await keyboard.press('Enter')
      await hasState(page, 'Connected')
      await until(page, "document.activeElement.id === 'text'")
      await keyboard.type('second')
      await keyboard.press('Enter')
      await hasLines(page, 1)
      await goTo('.room', 'Shift+Tab')
      await goTo('.leave', 'Shift+Tab')
      await keyboard.press('Enter')
      await until(page, "document.querySelectorAll('.room').length === 1")
      await goTo('#change-name', 'Tab')
      await keyboard.press('Enter')
      await until(page, "document.activeElement.id === 'name'")
    })
  }

  await t.test('every part has a name for who hears it', async t => {
    const bus = await openChatBus(t)
    publish(bus, 'chatdemo', 'image/png', png(GREEN), 'dug')
    publish(bus, 'chatdemo', 'text/html', 'document', 'dug')
    for (const name of NAMES) {
      const page = await openLook(t, browsers, name, bus.url, { size: 'phone', colorScheme: 'light' })
      await hasLines(page, 2)
      for (const [role, title] of [
        ['log', 'Messages in chatdemo'],
        ['textbox', 'Message chatdemo'],
        ['textbox', 'What may the others call you?'],
        ['textbox', 'Name of a room to join'],
        ['button', 'Send'],
        ['button', 'Join'],
        ['button', 'chatdemo'],
        ['button', 'Take a name'],
        ['img', 'Picture from dug'],
        ['navigation', 'Rooms'],
      ] as const) {
        t.equal(await page.getByRole(role, { name: title, exact: true }).count(), 1, `${role} ${title}`)
      }
      t.equal(await page.getByLabel('Send pictures or files').count(), 1)
      t.equal(await page.getByTitle('Document from dug').count(), 1)
      t.equal(await page.getByRole('status').innerText(), 'Connected')
    }
  })
})
