// What a server refuses, in the chat page: it is said, in words, and nothing that somebody wrote is lost by it.

import type { Page } from 'playwright-core'
import t from 'tap'
import { type BrowserName, withLogin } from './browsers.ts'
import {
  give,
  hasLines,
  lines,
  openBrowsers,
  openChat,
  openChatBus,
  openRoom,
  pendingLines,
  say,
  showsLine,
  takeName,
  texts,
} from './chat-page.ts'

const NAMES = ['chromium', 'firefox'] as const

await t.test('refusals in the chat page', async t => {
  const browsers = await openBrowsers(t)
  if (browsers === null) return

  await t.test('what the server refuses is said, and can be sent again or discarded', async t => {
    const { pages } = await openChat(t, browsers)
    const file = { name: 'large.bin', type: 'application/zip', bytes: new Uint8Array(3 * 1024 * 1024) }
    for (const page of Object.values(pages)) {
      await give(page, 'drop', file)
      await pendingLines(page)
        .getByText(/^not sent: .*1048576/)
        .waitFor()
      await say(page, 'goes on')
      await pendingLines(page).nth(1).waitFor({ state: 'detached' })
      await page.getByRole('button', { name: 'Send again' }).click()
      await pendingLines(page)
        .getByText(/^not sent: .*1048576/)
        .waitFor()
      await page.getByRole('button', { name: 'Discard' }).click()
      await pendingLines(page).first().waitFor({ state: 'detached' })
    }
    for (const page of Object.values(pages)) {
      await hasLines(page, 2)
      t.same(await texts(page), ['goes on', 'goes on'])
    }
  })

  await t.test('a file that is far too large does not hold up what follows', async t => {
    const { pages } = await openChat(t, browsers)
    for (const name of NAMES) {
      const page = pages[name]
      await page.evaluate(`{
        const files = new DataTransfer()
        files.items.add(new File([new Uint8Array(40_000_000)], 'huge.bin', { type: 'application/zip' }))
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }))
      }`)
      await pendingLines(page).getByText('huge.bin').waitFor()
      await say(page, `${name} goes on`)
      // Firefox may learn no more than that the connection breaks off.
      await pendingLines(page)
        .getByText(/^not sent: /)
        .waitFor()
      await showsLine(page, `${name} goes on`, 'You')
      await page.getByRole('button', { name: 'Discard' }).click()
    }
  })

  await t.test('a server with a password knows people by the name they logged in with', async t => {
    const bus = await openChatBus(t, { password: 'open sesame' })
    // A page that makes the browser ask for the password again waits for ever: here nobody answers.
    const openAs = (name: BrowserName, user: string): Promise<Page> =>
      openRoom(t, browsers[name], { ...bus, url: withLogin(bus.url, user, 'open sesame') }, '')
    for (const name of NAMES) {
      const page = await openAs(name, name)
      await takeName(page, 'Ann')
      await say(page, `from ${name}`)
      await showsLine(page, `from ${name}`, 'You')
    }
    const page = await openAs('firefox', 'reader')
    for (const name of NAMES) await showsLine(page, `from ${name}`, name)
  })

  await t.test('a room that cannot be is said so', async t => {
    const bus = await openChatBus(t)
    for (const name of NAMES) {
      const page = await openRoom(t, browsers[name], bus, '/#good,..')
      await page.getByRole('button', { name: '..', exact: true }).click()
      await page
        .locator('#state')
        .getByText(/"\.\."/)
        .waitFor()
      t.equal(await lines(page).count(), 0)
    }
  })
})
