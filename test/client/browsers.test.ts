// The cases of body.ts in real browsers, with the bundle that the package ships: a page of the bus itself loads it, and
// over each transport subscribes with a connection that is shared and with such that are not.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { browserNames, openBrowser, openPage } from '../browser/browsers.ts'
import { openBus } from '../browser/bus.ts'
import { cases } from './body.ts'
import { type Line, openLine } from './line.ts'

const DIST = join(process.cwd(), 'dist')

/** `run` takes a case by its number, and returns what it saw. */
const PAGE = `<!doctype html><title>client</title><script type="module">
  import { connect } from './client.js'
  import { cases } from './body.js'
  window.run = (number, options) =>
    cases[number].run({ connect, url: location.origin, options, cut: () => window.cut(), streamCount: () => window.streamCount() })
</script>`

/** The bundle, and the cases as they are compiled. */
function pageFiles(): Record<string, string> {
  const bundle = readdirSync(join(DIST, 'client')).filter(name => /^client(?:-.*)?\.js$/.test(name))
  const files = bundle.map(name => [name, readFileSync(join(DIST, 'client', name), 'utf8')] as const)
  const body = readFileSync(join(DIST, 'test', 'client', 'body.js'), 'utf8')
  return { ...Object.fromEntries(files), 'body.js': body, 'index.html': PAGE }
}

for (const browserName of browserNames) {
  await t.test(browserName, async t => {
    const browser = await openBrowser(t, browserName)
    if (browser === null) return
    for (const { transport, isShared } of [
      { transport: 'multipart', isShared: true },
      { transport: 'multipart', isShared: false },
      { transport: 'sse', isShared: true },
      { transport: 'websocket', isShared: true },
    ]) {
      await t.test(`${transport}, ${isShared ? 'shared' : 'each its own'}`, async t => {
        const page = await openPage(t, browser)
        let line: Line | null = null
        let countStreams = (): number => 0
        await page.exposeFunction('cut', () => line?.cut())
        await page.exposeFunction('streamCount', () => countStreams())
        for (const [number, { name, wanted, options }] of cases.entries()) {
          if (options?.isShared !== undefined && options.isShared !== isShared) continue
          await t.test(name, async t => {
            const { port, log } = await openBus(t, { pages: pageFiles() })
            const count = (event: string): number => log.events.filter(({ name }) => name === event).length
            countStreams = () => count('sub') - count('unsub')
            line = await openLine(t, port)
            await page.goto(line.url)
            const request = JSON.stringify([number, { transport, isShared }])
            const seen: unknown = await page.evaluate(`run(...${request}).then(JSON.stringify)`)
            t.strictSame(JSON.parse(seen as string), wanted)
          })
        }
      })
    }
  })
}
