// What the tests of the chat page share: the page as it is shipped, open in both browsers at once, and what a person
// does and sees there. Not a test.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import { Bus as MessageBus } from '../../src/bus/bus.ts'
import { type BrowserName, browserNames, MAX_WAIT_MS, openBrowser, openPage } from './browsers.ts'
import { type Bus, type BusOptions, openBus } from './bus.ts'

const CHATDEMO = fileURLToPath(new URL('../../chatdemo', import.meta.url))
const SHOTS = join(process.cwd(), 'test-artefacts')

export type Browsers = Readonly<Record<BrowserName, Browser>>

export interface Chat {
  readonly bus: Bus
  /** One in each browser. */
  readonly pages: Readonly<Record<BrowserName, Page>>
}

/** Launches both browsers; null if one is not installed, and then the test was skipped. */
export async function openBrowsers(t: Test): Promise<Browsers | null> {
  const [chromium, firefox] = await Promise.all(browserNames.map(name => openBrowser(t, name)))
  return chromium == null || firefox == null ? null : { chromium, firefox }
}

/** Starts a server with the chat page and a clock that runs. */
export function openChatBus(t: Test, options: BusOptions = {}): Promise<Bus> {
  return openBus(t, { rootDir: CHATDEMO, bus: new MessageBus(), ...options })
}

/** Opens the chat in one browser, with nobody's name. */
export async function openRoom(t: Test, browser: Browser, bus: Bus, path = '/'): Promise<Page> {
  const page = await openPage(t, browser)
  page.on('pageerror', ({ message }) => {
    // In Firefox, what the policy of the page keeps out is one too: there, it does what it is for.
    if (!message.includes('settings blocked')) t.fail(`an error in the page: ${message}`)
  })
  await page.goto(`${bus.url}${path}`)
  await hasState(page, 'Connected')
  return page
}

/** Opens the chat in both browsers. */
export async function openChat(
  t: Test,
  browsers: Browsers,
  path = '/',
  options: BusOptions = {},
): Promise<Chat> {
  const bus = await openChatBus(t, options)
  const [chromium, firefox] = await Promise.all([
    openRoom(t, browsers.chromium, bus, path),
    openRoom(t, browsers.firefox, bus, path),
  ])
  return { bus, pages: { chromium, firefox } }
}

/** Answers the question for a name. */
export async function takeName(page: Page, name: string): Promise<void> {
  if (!(await page.locator('#name').isVisible())) await page.locator('#change-name').click()
  await page.locator('#name').fill(name)
  await page.getByRole('button', { name: 'Use this name' }).click()
}

export async function say(page: Page, text: string): Promise<void> {
  await page.locator('#text').fill(text)
  await page.locator('#text').press('Enter')
}

/** Lines of the room that is shown, in their order; those that are still on their way are others. */
export function lines(page: Page): Locator {
  return page.locator('.log:not([hidden]) .lines .line')
}

export function pendingLines(page: Page): Locator {
  return page.locator('.log:not([hidden]) .pending .line')
}

/** Waits for a line with exactly this text. */
export async function showsLine(page: Page, text: string, author = 'anonymous'): Promise<void> {
  const line = lines(page).filter({ has: page.getByText(text, { exact: true }) })
  await line.locator('.author').getByText(author, { exact: true }).waitFor({ state: 'attached' })
}

/** Waits until the room holds exactly so many lines, and nothing is on its way. */
export async function hasLines(page: Page, count: number): Promise<void> {
  await until(page, `document.querySelectorAll('.log:not([hidden]) .lines .line').length === ${count}`)
  await pendingLines(page).first().waitFor({ state: 'detached' })
}

export function texts(page: Page): Promise<string[]> {
  return lines(page).locator('.text').allInnerTexts()
}

export async function hasState(page: Page, state: string): Promise<void> {
  await page.locator('#state').getByText(state, { exact: true }).waitFor()
}

/** Waits until exactly these people are here, yourself first. */
export async function hasPeople(page: Page, ...names: readonly string[]): Promise<void> {
  const shown = `Array.from(
    document.querySelectorAll('#people bdi'),
    name => name.textContent + (name.nextSibling?.textContent ?? '').replace('\\u00a0', ' '),
  ).join()`
  await until(page, `${shown} === ${JSON.stringify(names.join())}`)
}

/** Waits until an expression is true in the page, without its policy against evaluating text. */
export async function until(page: Page, expression: string): Promise<void> {
  const found = page.evaluate(
    `new Promise(resolve => {
      const look = () => { if (${expression}) resolve(true); else setTimeout(look, 20) }
      look()
    })`,
  )
  const deadline = AbortSignal.timeout(MAX_WAIT_MS)
  const late = new Promise((_, reject) => {
    deadline.addEventListener('abort', () => {
      reject(new Error(`Waited too long for ${expression}`))
    })
  })
  await Promise.race([found, late])
}

export interface TestFile {
  readonly name: string
  readonly type: string
  readonly bytes: Uint8Array
}

/** Drops a file on the page, or pastes it, as a person would. */
export async function give(
  page: Page,
  how: 'drop' | 'paste',
  { name, type, bytes }: TestFile,
): Promise<void> {
  await page.evaluate(
    `{
      const bytes = Uint8Array.from(atob('${Buffer.from(bytes).toString('base64')}'), letter => letter.charCodeAt(0))
      const files = new DataTransfer()
      files.items.add(new File([bytes], ${JSON.stringify(name)}, { type: ${JSON.stringify(type)} }))
      const options = { bubbles: true, cancelable: true }
      if ('${how}' === 'drop') document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: files, ...options }))
      else {
        // Firefox leaves out what it is given.
        const event = new ClipboardEvent('paste', options)
        Object.defineProperty(event, 'clipboardData', { value: files })
        document.getElementById('text').dispatchEvent(event)
      }
    }`,
  )
}

/** Leaves a picture of the page in test-artefacts/, for people to look at. */
export async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true })
  await page.screenshot({ path: join(SHOTS, `chat-${name}.png`), caret: 'initial' })
}
