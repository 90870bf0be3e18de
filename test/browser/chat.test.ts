// The chat page as it is shipped, open in both browsers at once: what one of them says, the other one shows. Rooms, files,
// what goes wrong on the way, and what somebody means harm with are tests of their own.

import t from 'tap'
import { publish as post } from '../wire/server.ts'
import { untilElement } from './browsers.ts'
import { publish } from './bus.ts'
import { lines, openBrowsers, openChat, say, shoot, showsLine, takeName, texts, until } from './chat-page.ts'
import { jpeg, RED } from './frames.ts'

await t.test('the chat page', async t => {
  const browsers = await openBrowsers(t)
  if (browsers === null) return

  for (const [from, to] of [
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ] as const) {
    await t.test(`what is said in ${from} arrives in ${to}, with its name and its time`, async t => {
      const { pages } = await openChat(t, browsers)
      await say(pages[from], 'hello')
      await showsLine(pages[to], 'hello')
      await takeName(pages[from], 'Jürgen ☃')
      await say(pages[from], 'named: ä ☃')
      await showsLine(pages[from], 'named: ä ☃', 'You')
      await showsLine(pages[to], 'named: ä ☃', 'Jürgen ☃')
      for (const page of Object.values(pages)) {
        t.same(await texts(page), ['hello', 'named: ä ☃'], 'in order, each once')
        t.equal(await page.locator('.pending .line').count(), 0)
        t.match(await lines(page).last().locator('time').getAttribute('datetime'), /^\d{4}-\d\d-\d\dT/)
        t.equal(await page.locator('.day').innerText(), 'Today')
      }
      t.equal(await pages[from].locator('.own').count(), 2)
      t.equal(await pages[to].locator('.own').count(), 0)
      t.equal(await pages[from].locator('#text').inputValue(), '', 'ready for the next')
    })
  }

  await t.test('Enter sends and Shift with Enter does not, and nothing is not sent', async t => {
    const { pages } = await openChat(t, browsers)
    for (const page of Object.values(pages)) {
      const text = page.locator('#text')
      await text.press('Enter')
      await text.pressSequentially('one')
      await text.press('Shift+Enter')
      await text.pressSequentially('two')
      await text.press('Enter')
      await page.getByText('one\ntwo', { exact: true }).first().waitFor()
    }
    for (const page of Object.values(pages)) {
      await lines(page).nth(1).waitFor()
      t.same(await texts(page), ['one\ntwo', 'one\ntwo'])
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
      await page.locator('a.file').getByText('8 bytes').waitFor()
      await showsLine(page, 'posted')
      await untilElement(page.locator('.picture img'), RED)
      await page.frameLocator('.line iframe').getByText('document', { exact: true }).waitFor()
      t.equal(await lines(page).count(), 4)
      t.same(await page.locator('.line:not(.follows) .author').allInnerTexts(), ['anonymous'], 'one block')
    }
  })

  await t.test('addresses are links, and nothing else of a text is', async t => {
    const { pages } = await openChat(t, browsers)
    const text =
      'See (https://example.com/a?b=1&c=%20). javascript:alert(1) http:// ftp://x https://ü.example/é!'
    await say(pages.chromium, text)
    for (const page of Object.values(pages)) {
      const links = lines(page).locator('.text a')
      await links.nth(1).waitFor()
      t.same(await links.allInnerTexts(), ['https://example.com/a?b=1&c=%20', 'https://ü.example/é'])
      t.equal(await links.first().getAttribute('href'), 'https://example.com/a?b=1&c=%20')
      t.equal(await links.first().getAttribute('rel'), 'noopener noreferrer')
      t.same(await texts(page), [text])
    }
  })

  await t.test('the name and the own lines stay over a reload', async t => {
    const { pages } = await openChat(t, browsers)
    for (const page of Object.values(pages)) {
      await takeName(page, '  Ann\u202e  of \t Gables ')
      await say(page, 'mine')
      await lines(page).last().locator('.author').getByText('You').waitFor({ state: 'attached' })
      await page.reload()
      await showsLine(page, 'mine', 'You')
      t.equal(await page.locator('#own-name').innerText(), 'Ann of Gables')
      t.notOk(await page.locator('#name').isVisible(), 'not asked again')
      await page.locator('#change-name').click()
      await page.getByRole('button', { name: 'Keep it' }).click()
      t.equal(await page.locator('#own-name').innerText(), 'Ann of Gables')
      await takeName(page, '')
      t.equal(await page.locator('#own-name').innerText(), 'anonymous')
    }
  })

  await t.test('only the last five hundred lines are kept, and the end stays in view', async t => {
    const { bus, pages } = await openChat(t, browsers)
    for (let at = 1; at <= 510; at++) publish(bus, 'chatdemo', 'text/plain', `line ${at}`)
    for (const page of Object.values(pages)) {
      await showsLine(page, 'line 510')
      t.equal(await lines(page).count(), 500)
      t.equal((await texts(page))[0], 'line 11')
      t.equal(await page.locator('.log .day').count(), 1)
      await until(
        page,
        "(log => log.scrollHeight - log.scrollTop - log.clientHeight < 2)(document.querySelector('.log'))",
      )
      await page.locator('#newest').waitFor({ state: 'hidden' })
      await page.evaluate("document.querySelector('.log').scrollTop = 0")
      await page.locator('#newest').getByText('Newest lines').waitFor()
    }
    publish(bus, 'chatdemo', 'text/plain', 'one more')
    for (const page of Object.values(pages)) {
      await page.locator('#newest').getByText('1 new line').click()
      await page.locator('#newest').waitFor({ state: 'hidden' })
      await until(page, "document.title === 'chatdemo · msgbus chat'")
      await showsLine(page, 'one more')
    }
    await shoot(pages.chromium, 'long-chromium')
  })
})
