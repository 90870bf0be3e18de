// Shows the body of a message to somebody who looks closer: JSON in folds, the beginning of a long text, and of what is no
// text its size and first bytes in hex. The rest as `render.ts` shows it; nothing of it ever runs. Needs a DOM.

import { essenceOf, type ReceivedMessage } from './message.ts'
import { kindOf, renderBody, type Rendering } from './render.ts'

const MAX_TEXT_LENGTH = 8_000
const MAX_JSON_BYTES = 1024 * 1024
const MAX_ENTRIES = 200
const MAX_HEX_BYTES = 512
const HEX_LINE_BYTES = 16

const JSON_TYPE = /^(?:application|text)\/(?:.*\+)?json$/

// Text, though the name does not say so.
const TEXT_TYPE =
  /^application\/(?:x-www-form-urlencoded|x-ndjson|jsonl|javascript|yaml|x-yaml|toml|sql|graphql|x-sh)$/

export function renderDetails(message: ReceivedMessage, page: Document): Rendering {
  const { type, body } = message
  const essence = essenceOf(type)
  const kind = kindOf(type)
  if (body.length === 0) return still(noteOf('empty', page))
  if (JSON_TYPE.test(essence) && body.length <= MAX_JSON_BYTES) return still(renderJson(message.text(), page))
  if (kind === 'text' || TEXT_TYPE.test(essence)) return still(renderLongText(message.text(), page))
  if (kind === 'other') return still(renderHex(body, page))
  const rendering = renderBody(message, page)
  const { element } = rendering
  element.setAttribute('loading', 'lazy')
  // What is called a picture and is none.
  element.addEventListener('error', () => {
    element.replaceWith(renderHex(body, page))
  })
  return rendering
}

function still(element: HTMLElement): Rendering {
  return { element, release: () => undefined }
}

function textBlock(text: string, page: Document): HTMLElement {
  const block = page.createElement('pre')
  block.textContent = text
  return block
}

function noteOf(text: string, page: Document): HTMLElement {
  const note = page.createElement('p')
  note.className = 'note'
  note.textContent = text
  return note
}

function renderLongText(text: string, page: Document): HTMLElement {
  if (text.length <= MAX_TEXT_LENGTH) return textBlock(text, page)
  const box = page.createElement('div')
  const restLength = text.length - MAX_TEXT_LENGTH
  const rest = fold(`${restLength.toLocaleString('en')} more characters`, page, () => [
    textBlock(text.slice(MAX_TEXT_LENGTH), page),
  ])
  box.append(textBlock(text.slice(0, MAX_TEXT_LENGTH), page), rest)
  return box
}

/** Something that is made when it is opened for the first time, so that nothing is too large to be shown folded. */
function fold(
  summary: string | Node,
  page: Document,
  make: () => readonly Node[],
  isOpen = false,
): HTMLElement {
  const details = page.createElement('details')
  const head = page.createElement('summary')
  head.append(summary)
  details.append(head)
  const fill = (): void => {
    details.append(...make())
  }
  details.open = isOpen
  if (isOpen) fill()
  else details.addEventListener('toggle', fill, { once: true })
  return details
}

/** A number as it was written: this page would round a long one. */
class WrittenNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

function renderJson(text: string, page: Document): HTMLElement {
  let value: unknown
  try {
    // Browsers that do not hand over the source yet show what they have read.
    const keepNumber = (_key: string, found: unknown, context?: { readonly source?: string }): unknown =>
      typeof found === 'number' ? new WrittenNumber(context?.source ?? String(found)) : found
    value = JSON.parse(text, keepNumber)
  } catch {
    return renderLongText(text, page)
  }
  const box = page.createElement('div')
  box.className = 'json'
  box.append(jsonNode(value, [], page, true))
  return box
}

function jsonNode(value: unknown, label: readonly Node[], page: Document, isOpen = false): HTMLElement {
  if (value === null || typeof value !== 'object' || value instanceof WrittenNumber) {
    const line = page.createElement('div')
    line.append(...label, jsonScalar(value, page))
    return line
  }
  const isList = Array.isArray(value)
  const entries = Object.entries(value)
  const summary = page.createElement('span')
  const count = entries.length.toLocaleString('en')
  summary.append(...label, mark('count', isList ? `[${count}]` : `{${count}}`, page))
  return fold(summary, page, () => jsonEntries(entries, isList, page), isOpen)
}

function jsonEntries(entries: readonly [string, unknown][], isList: boolean, page: Document): HTMLElement[] {
  const shown = entries.slice(0, MAX_ENTRIES).map(([key, value]) => {
    return jsonNode(
      value,
      [mark('key', isList ? key : JSON.stringify(key), page), page.createTextNode(': ')],
      page,
    )
  })
  const rest = entries.slice(MAX_ENTRIES)
  if (rest.length === 0) return shown
  const more = `${rest.length.toLocaleString('en')} more`
  return [...shown, fold(more, page, () => jsonEntries(rest, isList, page))]
}

function jsonScalar(value: unknown, page: Document): HTMLElement {
  if (value instanceof WrittenNumber) return mark('number', value.text, page)
  if (typeof value !== 'string') return mark('word', String(value), page)
  const text = JSON.stringify(value)
  if (text.length <= MAX_TEXT_LENGTH) return mark('string', text, page)
  const box = page.createElement('span')
  const more = `${(text.length - MAX_TEXT_LENGTH).toLocaleString('en')} more characters`
  box.append(mark('string', text.slice(0, MAX_TEXT_LENGTH), page), mark('count', ` ${more}`, page))
  return box
}

function mark(className: string, text: string, page: Document): HTMLElement {
  const element = page.createElement('span')
  element.className = className
  element.textContent = text
  return element
}

function renderHex(bytes: Uint8Array, page: Document): HTMLElement {
  const box = page.createElement('div')
  const shown = bytes.subarray(0, MAX_HEX_BYTES)
  const lines = Array.from({ length: Math.ceil(shown.length / HEX_LINE_BYTES) }, (_, row) =>
    hexLine(shown.subarray(row * HEX_LINE_BYTES, (row + 1) * HEX_LINE_BYTES), row * HEX_LINE_BYTES),
  )
  const block = textBlock(lines.join('\n'), page)
  block.className = 'hex'
  const size = `${bytes.length.toLocaleString('en')} ${bytes.length === 1 ? 'byte' : 'bytes'}`
  const isCut = bytes.length > shown.length
  box.append(noteOf(isCut ? `${size}, the first ${shown.length} of them:` : `${size}:`, page), block)
  return box
}

function hexLine(bytes: Uint8Array, offset: number): string {
  const pairs = Array.from(bytes, byte => byte.toString(16).padStart(2, '0'))
  const halves = [pairs.slice(0, 8).join(' '), pairs.slice(8).join(' ')]
  const text = Array.from(bytes, byte => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
  return `${offset.toString(16).padStart(4, '0')}  ${halves.join('  ').padEnd(48)}  ${text.join('')}`
}
