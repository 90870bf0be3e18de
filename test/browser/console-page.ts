// What the tests of the console share: the page as it is served, and what a person finds and does there. Not a test.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import { Bus as MessageBus } from '../../src/bus/bus.ts'
import { MAX_WAIT_MS } from './browsers.ts'
import { type Bus, type BusOptions, openBus } from './bus.ts'

const SHOTS = join(process.cwd(), 'test-artefacts')

/** Starts a server whose clock runs. */
export function openConsoleBus(t: Test, options: BusOptions = {}): Promise<Bus> {
  return openBus(t, { bus: new MessageBus(), ...options })
}

export interface TabOptions extends BrowserContextOptions {
  /** True where documents are shown that the policy of the page has to stop, and that says so. */
  readonly isHostile?: boolean
}

/** Opens the console and waits until it is connected. */
export async function openConsole(
  t: Test,
  browser: Browser,
  bus: Bus,
  { path = '', url = bus.url, ...options }: TabOptions & { path?: string; url?: string } = {},
): Promise<Page> {
  const page = await openTab(t, browser, options)
  await page.goto(`${url}/_/${path}`)
  await hasState(page, 'connected')
  return page
}

/** Opens an empty tab with a profile of its own. What its page, or the policy of that, complains about fails the test. */
export async function openTab(
  t: Test,
  browser: Browser,
  { isHostile = false, ...options }: TabOptions = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(MAX_WAIT_MS)
  page.on('crash', () => {
    t.fail('the tab crashed')
  })
  page.on('pageerror', ({ message }) => {
    // The driver's own, for a screenshot.
    if (!isHostile && !message.includes('blocked an inline style')) t.fail(`an error in the page: ${message}`)
  })
  page.on('console', entry => {
    // A server that is gone or says no is what some tests are about.
    const isExpected = isHostile || /ERR_|Failed to load resource/.test(entry.text())
    if (entry.type() === 'error' && !isExpected) t.fail(`the page complains: ${entry.text()}`)
  })
  return page
}

export async function hasState(page: Page, state: string): Promise<void> {
  await page.locator('#state').getByText(state, { exact: true }).waitFor()
}

/** A channel in the list. */
export function rowOf(page: Page, channel: string): Locator {
  const name = page.locator('.name').getByText(channel, { exact: true })
  return page.getByRole('option').filter({ has: name })
}

/** Shows a channel, and waits until it is live. */
export async function show(page: Page, channel: string): Promise<void> {
  await rowOf(page, channel).click()
  await page.locator('#name').getByText(channel, { exact: true }).waitFor()
  await isLive(page)
}

export async function isLive(page: Page, words = 'live'): Promise<void> {
  await page.locator('#reading').getByText(words, { exact: true }).waitFor()
}

/** The messages that are shown, newest first. */
export function messages(page: Page): Locator {
  return page.locator('#messages > article')
}

/** Waits until exactly this text is the whole body of the newest message. */
export async function showsText(page: Page, text: string): Promise<void> {
  await messages(page).first().locator('.body > pre').getByText(text, { exact: true }).waitFor()
}

/** Texts of all messages that are text, newest first. */
export function texts(page: Page): Promise<string[]> {
  return messages(page).locator('.body > pre').allInnerTexts()
}

/** Waits until an element says something that matches. */
export async function says(element: Locator, pattern: RegExp): Promise<void> {
  await element.filter({ hasText: pattern }).waitFor()
}

/** Leaves a picture of the page in test-artefacts/, for people to look at. */
export async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true })
  await page.screenshot({ path: join(SHOTS, `console-${name}.png`), caret: 'initial' })
}
