// EventSource as browsers have it: text, binary and gaps as events, and coming back by itself, after the time that it was
// told, to where it was, while the server was away.

import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import { createServer } from '../../src/server.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { browserNames, openBrowser, openPage } from './browsers.ts'
import { type Bus as TestBus, openBus, publish } from './bus.ts'
import { gif, RED } from './frames.ts'

const DOCUMENT = readFileSync('doc/protocol/native.md', 'utf8')
const [, EXAMPLE = ''] = /\n```js\n(const events = new EventSource.*?)```\n/s.exec(DOCUMENT) ?? []

/** Collects what the example writes to the console; `until(text)` resolves with all of it once a line is that text. */
const PAGE = `<!doctype html><title>ours</title><script>
  const lines = []
  const waiting = []
  function check() {
    for (const { wanted, resolve } of waiting) if (lines.includes(wanted)) resolve(lines)
  }
  function until(wanted) {
    return new Promise(resolve => {
      waiting.push({ wanted, resolve })
      check()
    })
  }
  console.log = (...words) => {
    lines.push(words.join(' '))
    check()
  }
  ${EXAMPLE}
  const timesMs = []
  for (const type of ['open', 'error']) events.addEventListener(type, () => timesMs.push(performance.now()))
  events.addEventListener('open', () => console.log('open'))
  events.addEventListener('error', () => console.log('error ' + events.readyState))
</script>`

async function open(t: Test, page: Page, bus: Bus): Promise<TestBus> {
  const server = await openBus(t, { bus, pages: { 'index.html': PAGE } })
  await page.goto(server.url, { waitUntil: 'domcontentloaded' })
  await until(page, 'open')
  return server
}

function until(page: Page, line: string): Promise<readonly string[]> {
  return page.evaluate<readonly string[]>(`until(${JSON.stringify(line)})`)
}

/** Opens another server for the same bus at the address of one that is closed. */
async function comeBack(t: Test, { port }: TestBus, bus: Bus): Promise<void> {
  const server = createServer({ bus })
  t.teardown(() => server.close(0))
  await server.listen({ port })
}

/** Lets every stream tell the longest time to wait before coming back. */
function slowDown(t: Test): void {
  const { random } = Math
  t.teardown(() => {
    Math.random = random
  })
  Math.random = () => 0.99
}

await t.test('the document has the example', t => {
  t.match(EXAMPLE, /new EventSource\('\/msgbus\/NAME'\)/)
  t.end()
})

for (const name of browserNames) {
  await t.test(name, async t => {
    const browser = await openBrowser(t, name)
    if (browser === null) return

    await t.test('text and bytes arrive as events, each as soon as it is published', async t => {
      const bus = new Bus()
      const page = await openPage(t, browser)
      const server = await open(t, page, bus)
      const evil = [
        'a\n\ndata: b\n\nevent: reset\ndata: true\n\n',
        '\ufeffx\u2028y',
        'a\rid: 7\r\rb',
        '',
        '<b>ä',
      ]
      for (const [at, text] of evil.entries()) {
        const id = publish(server, 'NAME', 'text/plain; charset=utf-8', text)
        const lines = await until(page, `${id} ${text.replace(/\r\n?/g, '\n')}`)
        t.equal(lines.length, at + 2, 'and nothing else')
      }
      publish(server, 'NAME', 'image/gif', gif(RED))
      const lines = await until(page, 'image/gif')
      t.equal(lines.length, evil.length + 2)
    })

    await t.test('after the stream was cut, it goes on behind the last event, in its own time', async t => {
      slowDown(t)
      const bus = new Bus()
      const page = await openPage(t, browser)
      const server = await open(t, page, bus)
      const first = publish(server, 'NAME', 'text/plain', '1')
      await until(page, `${first} 1`)
      await server.server.close()
      await until(page, 'error 0')
      const second = publish(server, 'NAME', 'text/plain', '2')
      await comeBack(t, server, bus)
      const third = publish(server, 'NAME', 'text/plain', '3')
      const lines = await until(page, `${third} 3`)
      t.same(lines, ['open', `${first} 1`, 'error 0', 'open', `${second} 2`, `${third} 3`])
      // It was told to wait for 4.97 s. Both browsers wait for less by themselves, or for as long.
      const pauseMs = await page.evaluate<number>('timesMs[2] - timesMs[1]')
      t.ok(pauseMs > 4_000, `not before it was told to: ${pauseMs} ms`)
    })

    await t.test('what is gone meanwhile, and another history, are events of their own', async t => {
      const bus = new Bus({ store: new MemoryStore({ maxCount: 1 }) })
      const page = await openPage(t, browser)
      const server = await open(t, page, bus)
      const first = publish(server, 'NAME', 'text/plain', '1')
      await until(page, `${first} 1`)
      await server.server.close()
      for (const text of ['2', '3', '4']) publish(server, 'NAME', 'text/plain', text)
      const again = createServer({ bus })
      await again.listen({ port: server.port })
      await until(page, '2 messages are gone')
      await until(page, `${bus.position.epoch}-4 4`)
      await again.close()
      await comeBack(t, server, new Bus())
      await until(page, 'another history')
    })
  })
}
