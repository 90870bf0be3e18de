// Pictures and files in the chat page, in both browsers at once: by drop, by paste and by the button; shown in line, made
// larger and smaller, and saved.

import { readFileSync } from 'node:fs'
import t from 'tap'
import { untilElement } from './browsers.ts'
import { publish } from './bus.ts'
import { give, lines, openBrowsers, openChat, pendingLines, takeName, until } from './chat-page.ts'
import { BLUE, GREEN, png, RED } from './frames.ts'

await t.test('files in the chat page', async t => {
  const browsers = await openBrowsers(t)
  if (browsers === null) return

  for (const [from, to] of [
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ] as const) {
    await t.test(`pictures that are dropped, pasted and chosen in ${from} show in ${to}`, async t => {
      const { pages } = await openChat(t, browsers)
      await takeName(pages[from], 'dug')
      await give(pages[from], 'drop', { name: 'green.png', type: 'image/png', bytes: png(GREEN) })
      await lines(pages[to]).locator('.picture img').waitFor()
      await give(pages[from], 'paste', { name: 'blue.png', type: 'image/png', bytes: png(BLUE) })
      await lines(pages[to]).nth(1).locator('.picture img').waitFor()
      await pages[from]
        .locator('#files')
        .setInputFiles([{ name: 'red.png', mimeType: 'image/png', buffer: png(RED) }])
      for (const page of Object.values(pages)) {
        const pictures = lines(page).locator('.picture img')
        await pictures.nth(2).waitFor()
        t.equal(await pictures.count(), 3)
        for (const [at, color] of [GREEN, BLUE, RED].entries()) {
          await pictures.nth(at).scrollIntoViewIfNeeded()
          await untilElement(pictures.nth(at), color)
        }
        const from = page === pages[to] ? 'dug' : 'you'
        t.equal(await pictures.first().getAttribute('alt'), `Picture from ${from}`)
        t.equal(await page.locator('.picture').first().getAttribute('title'), 'Enlarge green.png')
      }
    })
  }

  await t.test('a picture is enlarged by a click, and goes back by Escape or another click', async t => {
    const { bus, pages } = await openChat(t, browsers)
    publish(bus, 'chatdemo', 'image/png', png(GREEN))
    for (const page of Object.values(pages)) {
      await page.locator('.picture').click()
      await page.locator('#large-picture').waitFor()
      await page.keyboard.press('Escape')
      await page.locator('#large-picture').waitFor({ state: 'hidden' })
      await until(page, "document.activeElement.className === 'picture'")
      await page.locator('.picture').press('Enter')
      await page.getByRole('button', { name: 'Close' }).click()
      await page.locator('#large-picture').waitFor({ state: 'hidden' })
    }
  })

  await t.test('a file can be saved under its name, with its bytes, and not be opened here', async t => {
    const { pages } = await openChat(t, browsers)
    for (const page of Object.values(pages)) {
      await page.evaluate(`{
        const make = URL.createObjectURL
        globalThis.blobTypes = []
        URL.createObjectURL = blob => (blobTypes.push(blob.type), make.call(URL, blob))
      }`)
    }
    const bytes = Buffer.from('<script>window.hacked = 1</script>')
    await give(pages.chromium, 'drop', { name: 'größe "1".xyz', type: 'text/x-thing', bytes })
    for (const page of Object.values(pages)) {
      const link = lines(page).locator('a.file')
      await link.getByText('34 bytes').waitFor()
      t.equal(await link.getAttribute('download'), 'größe "1".xyz')
      t.match(await link.getAttribute('href'), /^blob:/)
      // In a tab of its own it would be a document of this origin otherwise.
      t.match(await page.evaluate('blobTypes.join()'), /^application\/octet-stream(?:,|$)/)
    }
    // Of what it saves, the driver of Firefox tells nothing.
    const saved = pages.chromium.waitForEvent('download')
    await lines(pages.chromium).locator('a.file').click()
    t.same(readFileSync(await (await saved).path()), bytes)
  })

  await t.test('a picture that is too large is made smaller, any other file is not', async t => {
    const { pages } = await openChat(t, browsers)
    for (const page of Object.values(pages)) {
      // Noise, which no format makes small.
      const length = await page.evaluate(`(async () => {
        const canvas = new OffscreenCanvas(1400, 900)
        const context = canvas.getContext('2d')
        const image = context.createImageData(1400, 900)
        for (let at = 0; at < image.data.length; at += 65536)
          crypto.getRandomValues(image.data.subarray(at, Math.min(at + 65536, image.data.length)))
        context.putImageData(image, 0, 0)
        const file = new File([await canvas.convertToBlob()], 'noise.png', { type: 'image/png' })
        const files = new DataTransfer()
        files.items.add(file)
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }))
        return file.size
      })()`)
      t.ok(Number(length) > 1_048_576)
    }
    for (const page of Object.values(pages)) {
      await until(page, "document.querySelectorAll('.lines .picture img').length === 2")
      await until(
        page,
        "[...document.querySelectorAll('.lines .picture img')].every(({ naturalWidth }) => naturalWidth > 300)",
      )
      t.equal(await page.locator('.picture').first().getAttribute('title'), 'Enlarge noise.jpg')
      t.equal(await pendingLines(page).count(), 0)
    }
  })

  await t.test('a page that is sent as a file is shown, and can be saved under its name', async t => {
    const { pages } = await openChat(t, browsers)
    const bytes = Buffer.from('<p>page</p>')
    await give(pages.chromium, 'drop', { name: 'a page.html', type: 'text/html', bytes })
    for (const page of Object.values(pages)) {
      const link = lines(page).locator('a.file')
      await link.getByText('11 bytes').waitFor()
      t.equal(await link.getAttribute('download'), 'a page.html')
      await page.frameLocator('.lines iframe').getByText('page').waitFor()
    }
  })

  await t.test('what is no picture after all is a file', async t => {
    const { bus, pages } = await openChat(t, browsers)
    publish(bus, 'chatdemo', 'image/png', 'not a picture')
    publish(bus, 'chatdemo', 'video/mp4', 'not a film')
    publish(bus, 'chatdemo', "application/pdf; filename*=utf-8''a%20b.pdf", 'not a document')
    for (const page of Object.values(pages)) {
      const links = lines(page).locator('a.file .file-name')
      await until(page, "document.querySelectorAll('.lines a.file').length === 3")
      t.same(await links.allInnerTexts(), ['picture.png', 'file.mp4', 'a b.pdf'])
      t.equal(await page.locator('.picture').count(), 0)
    }
  })
})
