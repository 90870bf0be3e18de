// The rooms of the chat page, in both browsers at once: in the address and at the side, what was not read, what was said
// before, and who is there.

import type { Page } from 'playwright-core'
import t from 'tap'
import { openPage } from './browsers.ts'
import { publish } from './bus.ts'
import {
  hasPeople,
  hasState,
  lines,
  openBrowsers,
  openChat,
  openChatBus,
  openRoom,
  say,
  showsLine,
  takeName,
  texts,
  until,
} from './chat-page.ts'

/** Waits until the list of rooms says this: `kitchen`, or `garden 2 unread lines`. */
async function hasRooms(page: Page, ...names: readonly string[]): Promise<void> {
  const shown =
    "Array.from(document.querySelectorAll('.room'), room => room.innerText.replace(/\\s+/g, ' ').trim()).join()"
  await until(page, `${shown} === ${JSON.stringify(names.join())}`)
}

await t.test('the rooms of the chat page', async t => {
  const browsers = await openBrowsers(t)
  if (browsers === null) return

  await t.test('rooms of the address are channels, with a count of what was not read', async t => {
    const { bus, pages } = await openChat(t, browsers, '/#team%20ä/one,two')
    for (const page of Object.values(pages)) await hasRooms(page, 'team ä/one', 'two')
    publish(bus, 'chatdemo', 'text/plain', 'elsewhere')
    await say(pages.chromium, 'in the first')
    publish(bus, 'two', 'text/plain', 'in the second')
    publish(bus, 'two', 'text/plain', 'and again')
    for (const page of Object.values(pages)) {
      await showsLine(page, 'in the first', page === pages.chromium ? 'You' : 'anonymous')
      await hasRooms(page, 'team ä/one', 'two 2 unread lines')
      t.equal(await page.title(), '(2) team ä/one · msgbus chat')
      t.equal(await lines(page).count(), 1)
      await page.locator('#text').fill('begun')
      await page.getByRole('button', { name: 'two 2 unread' }).click()
      await showsLine(page, 'and again')
      await hasRooms(page, 'team ä/one', 'two')
      t.equal(await page.title(), 'two · msgbus chat')
      t.equal(await page.locator('#room').innerText(), 'two')
      t.equal(await page.locator('#text').inputValue(), '')
      await page.getByRole('button', { name: 'team ä/one', exact: true }).click()
      t.equal(await page.locator('#text').inputValue(), 'begun', 'waits in its room')
    }
    const count = (event: string): number => bus.log.events.filter(({ name }) => name === event).length
    // What was given up for a wider one is noticed by the server a little later.
    if (count('sub') > 2) await bus.log.until('unsub', count('sub') - 2)
    t.equal(count('sub') - count('unsub'), 2, 'one connection for each page')
  })

  await t.test('rooms are joined and left, by hand and by the address', async t => {
    const { bus, pages } = await openChat(t, browsers, '/#one')
    for (const [name, page] of Object.entries(pages)) {
      await page.locator('#join-name').fill('#two ')
      await page.locator('#join-name').press('Enter')
      await hasRooms(page, 'one', 'two')
      await until(page, "location.hash === '#one,two'")
      t.equal(await page.locator('#room').innerText(), 'two')
      await hasState(page, 'Connected')
      publish(bus, 'one', 'text/plain', 'one')
      await hasRooms(page, 'one 1 unread line', 'two')
      await page.getByRole('button', { name: 'Leave one' }).click()
      await hasRooms(page, 'two')
      await until(page, "location.hash === '#two'")
      await page.evaluate(`location.hash = '#${name},two'`)
      await hasRooms(page, name, 'two')
      t.equal(await page.locator('#room').innerText(), 'two')
      publish(bus, name, 'text/plain', 'moved')
      await page.getByRole('button', { name: `${name} 1 unread` }).click()
      await showsLine(page, 'moved')
      await page.reload()
      await showsLine(page, 'moved')
      t.equal(await page.locator('#room').innerText(), name, 'a reload comes back to it')
      await page.evaluate(`location.hash = '#four,${name}'`)
      await hasRooms(page, 'four', name)
      await page.getByRole('button', { name: 'Leave four' }).click()
    }
  })

  await t.test('what was said before is there, the last of it, and is not read out', async t => {
    const bus = await openChatBus(t)
    for (let at = 1; at <= 60; at++) publish(bus, 'chatdemo', 'text/plain', `line ${at}`, 'dug')
    for (let at = 1; at <= 60; at++) publish(bus, 'other', 'text/plain', `other ${at}`)
    for (const browser of Object.values(browsers)) {
      const page = await openRoom(t, browser, bus, '/#chatdemo,other')
      await showsLine(page, 'line 60', 'dug')
      t.same(
        await texts(page),
        Array.from({ length: 50 }, (_, at) => `line ${at + 11}`),
      )
      await page.locator('.log[aria-label="Messages in chatdemo"][aria-live="polite"]').waitFor()
      await hasRooms(page, 'chatdemo', 'other 50 unread lines')
      t.equal(await page.locator('.log').first().getAttribute('role'), 'log')
    }
  })

  for (const [name, browser] of Object.entries(browsers)) {
    await t.test(`who is silent for long is taken to be gone in ${name}, and who is not stays`, async t => {
      const bus = await openChatBus(t)
      const announce = (visitor: string, name: string): void => {
        const body = JSON.stringify({ visitor, name, isHere: true })
        publish(bus, 'chatdemo/presence', 'application/x-msgbus-presence+json', body)
      }
      const page = await openPage(t, browser)
      await page.clock.install()
      await page.goto(bus.url)
      await hasState(page, 'Connected')
      announce('visitor_1', 'Ann')
      announce('visitor_2', 'Ben')
      await hasPeople(page, 'anonymous (you)', 'Ann', 'Ben')
      await page.clock.runFor(60_000)
      announce('visitor_2', 'Bea')
      await hasPeople(page, 'anonymous (you)', 'Ann', 'Bea')
      await page.clock.runFor(30_000)
      await hasPeople(page, 'anonymous (you)', 'Bea')
    })
  }

  await t.test('people come, change their name and leave', async t => {
    const { bus, pages } = await openChat(t, browsers)
    const { chromium, firefox } = pages
    for (const page of [chromium, firefox]) await hasPeople(page, 'anonymous (you)', 'anonymous')
    await takeName(chromium, 'Ann')
    await takeName(firefox, 'Ben')
    await hasPeople(chromium, 'Ann (you)', 'Ben')
    await hasPeople(firefox, 'Ben (you)', 'Ann')
    const third = await openRoom(t, browsers.firefox, bus)
    await hasPeople(third, 'anonymous (you)', 'Ann', 'Ben')
    await takeName(third, 'Ann')
    await hasPeople(firefox, 'Ben (you)', 'Ann')
    await third.close()
    await takeName(firefox, 'Bea')
    await hasPeople(chromium, 'Ann (you)', 'Bea')
    await firefox.evaluate("location.hash = '#elsewhere'")
    await hasPeople(chromium, 'Ann (you)')
    await firefox.evaluate("location.hash = '#chatdemo'")
    await hasPeople(chromium, 'Ann (you)', 'Bea')
    await firefox.close()
    await hasPeople(chromium, 'Ann (you)')
    const fourth = await openRoom(t, browsers.firefox, bus)
    await hasPeople(fourth, 'anonymous (you)', 'Ann')
    await chromium.close()
    await hasPeople(fourth, 'anonymous (you)')
    t.equal(await fourth.locator('.line').count(), 0, 'none of it is a line')
  })
})
