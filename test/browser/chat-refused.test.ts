// What a server refuses, in the chat page: it is said, in words, and nothing that somebody wrote is lost by it.

import t from 'tap'
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
