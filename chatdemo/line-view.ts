// One line of the log: who, when and what. Knows nothing of the lines around it.

import { type BodyView, showContent } from './body-view.ts'
import type { Content } from './content.ts'
import { make } from './page.ts'

const TONE_COUNT = 8

export interface Line {
  /** Null for somebody without a name. */
  readonly author: string | null
  /** Whether it was written in this browser. */
  readonly isOwn: boolean
  readonly time: Date
  readonly content: Content
}

export interface LineView {
  readonly element: HTMLElement
  readonly line: Line
  readonly byteCount: number
  readonly release: () => void
}

export function showLine(line: Line, onEnlarge: (picture: HTMLImageElement) => void): LineView {
  const { author, isOwn, time, content } = line
  const from = isOwn ? 'you' : (author ?? 'anonymous')
  const body: BodyView = showContent(content, { from, onEnlarge })
  const element = make(
    'article',
    { className: isOwn ? 'line own' : 'line' },
    portrait(author),
    make(
      'p',
      { className: 'about' },
      make('b', { className: 'author' }, make('bdi', {}, isOwn ? 'You' : from)),
      make('time', { dateTime: time.toISOString(), title: time.toLocaleString() }, clockOf(time)),
    ),
    make('div', { className: 'body' }, ...body.elements),
  )
  return { element, line, byteCount: byteCountOf(content), release: body.release }
}

/** A coloured disc with the first letter of a name; the same name always has the same colour. */
export function portrait(name: string | null): HTMLElement {
  const letters = Array.from(name ?? '')
  const disc = make('span', { className: 'portrait', ariaHidden: 'true' }, letters[0]?.toUpperCase() ?? '?')
  const sum = letters.reduce((total, letter) => (total * 31 + (letter.codePointAt(0) ?? 0)) % 65_521, 7)
  disc.dataset.tone = name === null ? 'none' : `${sum % TONE_COUNT}`
  return disc
}

/** The day of a line in words, for whoever reads it today. */
export function dayOf(time: Date, today = new Date()): string {
  const yesterday = new Date(today)
  yesterday.setDate(today.getDate() - 1)
  if (time.toDateString() === today.toDateString()) return 'Today'
  if (time.toDateString() === yesterday.toDateString()) return 'Yesterday'
  return time.toLocaleDateString('en', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
}

function clockOf(time: Date): string {
  return time.toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' })
}

function byteCountOf(content: Content): number {
  switch (content.kind) {
    case 'text':
      return 2 * content.text.length
    case 'document':
      return content.message.byteLength
    default:
      return content.blob.size
  }
}
