// What somebody means harm with in the chat page: texts, names, types, rooms, files and announcements that are HTML or
// worse. All of it is shown, or left out, and nothing of it runs.

import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { publish } from './bus.ts'
import {
  hasLines,
  hasPeople,
  lines,
  openBrowsers,
  openChat,
  openRoom,
  say,
  showsLine,
  takeName,
  texts,
} from './chat-page.ts'

const ATTACKS = [
  '<img src=x onerror="hacked=1">',
  '<script>hacked = 1</script>',
  '</p></article><h1>big</h1>',
  'javascript:hacked=1 &lt;b&gt; "\' `${1}`',
]

const SCRIPT = 'top.hacked = parent.hacked = self.hacked = 1'

/** Asserts that nothing ran, and that there is no element but those of the page itself. */
async function isUnharmed(t: Test, page: Page): Promise<void> {
  t.equal(await page.evaluate("typeof hacked + document.querySelectorAll('h1, script').length"), 'undefined2')
  t.match(await page.title(), /msgbus chat$/)
}

await t.test('harm that is meant to the chat page', async t => {
  const browsers = await openBrowsers(t)
  if (browsers === null) return

  await t.test('texts, senders and names stay text', async t => {
    const { bus, pages } = await openChat(t, browsers)
    for (const attack of ATTACKS) {
      await say(pages.chromium, attack)
      publish(bus, 'chatdemo', 'text/plain', `named ${attack}`, attack)
      for (const page of Object.values(pages)) await showsLine(page, `named ${attack}`, attack)
    }
    await takeName(pages.firefox, '<h1 onclick=hacked=1>')
    await say(pages.firefox, 'last')
    await showsLine(pages.chromium, 'last', '<h1 onclick=hacked=1>')
    await hasPeople(pages.chromium, 'anonymous (you)', '<h1 onclick=hacked=1>')
    for (const page of Object.values(pages)) {
      await hasLines(page, 2 * ATTACKS.length + 1)
      await isUnharmed(t, page)
    }
  })

  await t.test('a name in the type counts only with the sender that belongs to it', async t => {
    const { bus, pages } = await openChat(t, browsers)
    const said: readonly (readonly [type: string, sender: string | null, shown: string])[] = [
      ["text/plain; name*=utf-8''J%C3%BCrgen", 'Jurgen', 'Jürgen'],
      ["text/plain; name*=utf-8''Ann", 'Mallory', 'Mallory'],
      ["text/plain; name*=utf-8''%ff%fe", 'raw', 'raw'],
      ["text/plain; name*=utf-8''%E2%80%AEnnA%00%0A", 'nnA', 'nnA'],
      ["text/plain; name*=utf-8''%E6%9D%8E", null, '李'],
      ['text/plain; name=Ann', null, 'anonymous'],
      ['text/plain', '\t ', 'anonymous'],
      ['text/plain', 'x'.repeat(1_000), 'x'.repeat(64)],
    ]
    for (const [at, [type, sender]] of said.entries()) publish(bus, 'chatdemo', type, `line ${at}`, sender)
    for (const page of Object.values(pages)) {
      for (const [at, [, , shown]] of said.entries()) await showsLine(page, `line ${at}`, shown)
    }
  })

  await t.test('documents and pictures with scripts are shown without them', async t => {
    const { bus, pages } = await openChat(t, browsers)
    const picture = `<svg xmlns="http://www.w3.org/2000/svg" onload="${SCRIPT}"><script>${SCRIPT}</script><text y="20">svg</text></svg>`
    const page = `<meta http-equiv="refresh" content="0;url=javascript:${SCRIPT}"><p>html</p><img src="x:" onerror="${SCRIPT}"><script>${SCRIPT}</script>`
    publish(bus, 'chatdemo', 'text/html', page)
    publish(bus, 'chatdemo', 'TEXT/HTML; charset=x', page)
    publish(
      bus,
      'chatdemo',
      'application/xhtml+xml',
      `<html xmlns="http://www.w3.org/1999/xhtml"><p>html</p><script>${SCRIPT}</script></html>`,
    )
    publish(bus, 'chatdemo', 'image/svg+xml', picture)
    publish(bus, 'chatdemo', 'image/png', picture)
    publish(bus, 'chatdemo', 'text/xml', picture)
    publish(bus, 'chatdemo', "text/html; filename*=utf-8''a.html", page)
    publish(bus, 'chatdemo', 'text/plain', 'last')
    for (const page of Object.values(pages)) {
      await showsLine(page, 'last')
      const frames = page.locator('.line iframe')
      t.equal(await frames.count(), 5)
      for (let at = 0; at < 5; at++) t.equal(await frames.nth(at).getAttribute('sandbox'), '')
      await page.frameLocator('.line iframe >> nth=0').getByText('html').waitFor()
      await page.frameLocator('.line iframe >> nth=3').getByText('svg').waitFor()
      await page.locator('a.file').getByText('picture.png').waitFor()
      t.same(await texts(page), [picture, 'last'])
      await isUnharmed(t, page)
    }
  })

  await t.test('types that are none, or hold more than they should, do no harm', async t => {
    const { bus, pages } = await openChat(t, browsers)
    const types = [
      '"><img src=x onerror=hacked=1>',
      "text/x; filename*=utf-8''..%2F..%2Fetc%2Fpasswd",
      "text/x; filename*=utf-8''%3Cscript%3Ehacked%3D1%3C%2Fscript%3E",
      '__proto__/constructor; nonce=__proto__',
      'text/x-javascript; nonce=<script>',
      `text/plain; nonce=${'n'.repeat(200)}`,
    ]
    for (const [at, type] of types.entries()) publish(bus, 'chatdemo', type, `body ${at}`)
    publish(bus, 'chatdemo', 'text/plain', 'last')
    for (const page of Object.values(pages)) {
      await showsLine(page, 'last')
      t.equal(await lines(page).count(), types.length + 1)
      await isUnharmed(t, page)
    }
  })

  await t.test('rooms in the address stay text', async t => {
    const { bus } = await openChat(t, browsers)
    for (const browser of Object.values(browsers)) {
      for (const attack of ATTACKS) {
        const page = await openRoom(t, browser, bus, `/#${encodeURIComponent(attack.replaceAll('/', ''))}`)
        t.equal(await page.locator('#room').innerText(), attack.replaceAll('/', ''))
        await say(page, 'here')
        await showsLine(page, 'here', 'You')
        await isUnharmed(t, page)
      }
      const page = await openRoom(t, browser, bus, '/#%zz,__proto__,constructor,a%2Cb')
      t.same(await page.locator('.room bdi').allInnerTexts(), ['%zz', '__proto__', 'constructor', 'a,b'])
      await isUnharmed(t, page)
    }
  })

  await t.test('announcements that are none make nobody appear', async t => {
    const { bus, pages } = await openChat(t, browsers)
    const type = 'application/x-msgbus-presence+json'
    const wrong = [
      'null',
      '1',
      '{',
      '[]',
      '{}',
      '{"visitor":"<b>","name":"x","isHere":true}',
      '{"visitor":"0123456789","name":1,"isHere":true}',
      '{"visitor":"0123456789","name":"x","isHere":"yes"}',
      '{"__proto__":{"visitor":"0123456789","name":"x","isHere":true}}',
    ]
    for (const body of wrong) publish(bus, 'chatdemo/presence', type, body)
    publish(bus, 'chatdemo/presence', 'text/plain', '{"visitor":"0123456789","name":"x","isHere":true}')
    publish(bus, 'chatdemo', type, '{"visitor":"0123456789","name":"x","isHere":true}')
    publish(bus, 'chatdemo/presence', type, '{"visitor":"0123456789","name":"<h1>Eve","isHere":true}')
    for (const page of Object.values(pages)) {
      await hasPeople(page, 'anonymous (you)', '<h1>Eve', 'anonymous')
      t.equal(await lines(page).count(), 0)
      await isUnharmed(t, page)
    }
    for (let at = 0; at < 700; at++) {
      publish(
        bus,
        'chatdemo/presence',
        type,
        JSON.stringify({ visitor: `visitor_${at}`, name: `v${at}`, isHere: true }),
      )
    }
    publish(bus, 'chatdemo', 'text/plain', 'last')
    for (const page of Object.values(pages)) {
      await showsLine(page, 'last')
      t.ok(Number(await page.locator('#people-count').innerText()) <= 501)
    }
  })
})
