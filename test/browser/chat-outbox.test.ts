// Sending from the chat page while things go wrong: a server that stops, an answer that gets lost. Whatever happens,
// a line is there once, and in its order.

import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Bus as MessageBus } from '../../src/bus/bus.ts'
import { openPage } from './browsers.ts'
import { publish } from './bus.ts'
import {
  hasLines,
  hasState,
  openBrowsers,
  openChat,
  openChatBus,
  openRoom,
  pendingLines,
  say,
  showsLine,
  texts,
} from './chat-page.ts'

const NAMES = ['chromium', 'firefox'] as const

/** Serves the chat from a server that takes each line for good, but breaks the connection off instead of saying so. */
async function openLossyServer(t: Test): Promise<{ readonly url: string; readonly lostCount: () => number }> {
  const { server } = await openChatBus(t)
  const lost = new Set<string>()
  const http = createHttpServer((req, res) => {
    const { 'content-type': type = '' } = req.headers
    if (req.method !== 'POST' || req.url !== '/msgbus/chatdemo' || lost.has(type)) {
      server.handle(req, res)
      return
    }
    lost.add(type)
    void buffer(req).then(body => {
      void server.bus.publish({ channel: 'chatdemo', type, sender: null, body })
      req.socket.destroy()
    })
  })
  t.teardown(() => {
    http.close()
    http.closeAllConnections()
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, lostCount: () => lost.size }
}

/** Serves the chat from a server that says yes to the first line, forgets it and takes no other one until it is healed. */
async function openForgetfulServer(
  t: Test,
): Promise<{ readonly url: string; readonly cut: () => void; readonly heal: () => void }> {
  const { server } = await openChatBus(t)
  let isCut = false
  let isWell = false
  let lineCount = 0
  const http = createHttpServer((req, res) => {
    if (isCut) req.socket.destroy()
    else if (isWell || req.method !== 'POST' || req.url !== '/msgbus/chatdemo') server.handle(req, res)
    else if (lineCount++ > 0) req.socket.destroy()
    else req.resume().on('end', () => res.writeHead(204, { 'Msgbus-Id': '0-1' }).end())
  })
  t.teardown(() => {
    http.close()
    http.closeAllConnections()
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    cut: () => {
      isCut = true
      http.closeAllConnections()
    },
    heal: () => {
      isCut = false
      isWell = true
    },
  }
}

function numbered(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, at) => `line ${first + at}`)
}

await t.test('sending from the chat page', async t => {
  const browsers = await openBrowsers(t)
  if (browsers === null) return

  for (const isKept of [true, false]) {
    await t.test(
      `a restart in the middle loses and doubles nothing, history ${isKept ? 'kept' : 'gone'}`,
      async t => {
        const messages = new MessageBus()
        const { bus, pages } = await openChat(t, browsers, '/', { bus: messages })
        for (const line of numbered(1, 5)) await say(pages.chromium, line)
        const closed = bus.server.close(0)
        for (const line of numbered(6, 10)) await say(pages.chromium, line)
        await closed
        for (const page of Object.values(pages)) await hasState(page, 'Connection lost, trying again')
        for (const line of numbered(11, 12)) await say(pages.chromium, line)
        await pendingLines(pages.chromium).last().getByText('sending').waitFor()
        await pendingLines(pages.chromium).getByText('not sent, trying again').first().waitFor()
        const next = { bus: isKept ? messages : new MessageBus(), listen: { port: bus.port } }
        await openChatBus(t, next)
        for (const page of Object.values(pages)) {
          await hasLines(page, 12)
          t.same(await texts(page), numbered(1, 12))
          await hasState(page, 'Connected')
        }
        await say(pages.firefox, 'after')
        for (const page of Object.values(pages)) {
          await hasLines(page, 13)
          t.same(await texts(page), [...numbered(1, 12), 'after'])
        }
      },
    )
  }

  for (const name of NAMES) {
    await t.test(`a line whose answer gets lost in ${name} is sent again and shown once`, async t => {
      const { url, lostCount } = await openLossyServer(t)
      const pages = await Promise.all(
        [browsers[name], browsers.firefox].map(async browser => {
          const page = await openPage(t, browser)
          await page.goto(url)
          await hasState(page, 'Connected')
          return page
        }),
      )
      const [page] = pages
      if (page === undefined) throw new Error('Cannot open the chat')
      await say(page, 'once')
      await say(page, 'and on')
      for (const page of pages) {
        await hasLines(page, 2)
        t.same(await texts(page), ['once', 'and on'])
      }
      t.equal(lostCount(), 2)
    })
  }

  await t.test('a line that was accepted and then lost goes before what was said after it', async t => {
    const { url, cut, heal } = await openForgetfulServer(t)
    const page = await openPage(t, browsers.chromium)
    await page.goto(url)
    await hasState(page, 'Connected')
    await say(page, 'first')
    await pendingLines(page).getByText('first').waitFor()
    await say(page, 'second')
    await pendingLines(page).getByText('not sent, trying again').first().waitFor()
    cut()
    await hasState(page, 'Connection lost, trying again')
    heal()
    await hasLines(page, 2)
    t.same(await texts(page), ['first', 'second'])
  })

  await t.test('the same line twice on the bus is shown once, also to who comes later', async t => {
    const { bus, pages } = await openChat(t, browsers)
    const type = 'text/plain; charset=utf-8; nonce=0123456789abcdef01234567'
    publish(bus, 'chatdemo', type, 'once', 'dug')
    publish(bus, 'chatdemo', 'text/plain', 'between', 'dug')
    publish(bus, 'chatdemo', type, 'once', 'dug')
    publish(bus, 'chatdemo', 'text/plain', 'last', 'dug')
    const later = await openRoom(t, browsers.firefox, bus)
    for (const page of [...Object.values(pages), later]) {
      await showsLine(page, 'last', 'dug')
      t.same(await texts(page), ['once', 'between', 'last'])
    }
  })
})
