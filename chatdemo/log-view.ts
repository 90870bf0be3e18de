// The log of one room: its lines in the order of the bus, those on their way below them, and the end in view for
// whoever has not scrolled away from it. Old lines go when there are too many.

import { dayOf, type Line, type LineView, showLine } from './line-view.ts'
import { make } from './page.ts'
import { PendingView } from './pending-view.ts'

const MAX_LINES = 500
const MAX_BYTES = 64_000_000
/** So far above the end is still at the end. */
const END_PIXELS = 48
/** Lines of one person that follow each other so closely are one block. */
const BLOCK_MS = 5 * 60_000

export interface LogOptions {
  readonly room: string
  readonly onEnlarge: (picture: HTMLImageElement) => void
  /** Called when the end comes into view, and when it leaves it. */
  readonly onScroll: () => void
}

export class LogView {
  readonly element: HTMLElement
  readonly pending: PendingView
  readonly #options: LogOptions
  readonly #list = make('div', { className: 'lines' })
  readonly #growth = new ResizeObserver(() => {
    this.#keepEnd()
  })
  readonly #views: LineView[] = []
  #byteCount = 0
  #isAtEnd = true
  #top = 0

  constructor(options: LogOptions) {
    this.#options = options
    this.pending = new PendingView(options.onEnlarge)
    this.element = make(
      'section',
      // Not read out until what was said before is there.
      {
        className: 'log',
        ariaLabel: `Messages in ${options.room}`,
        ariaLive: 'off',
        tabIndex: 0,
        hidden: true,
      },
      this.#list,
      this.pending.element,
    )
    this.element.role = 'log'
    this.element.addEventListener('scroll', () => {
      this.#onScroll()
    })
    for (const element of [this.element, this.#list, this.pending.element]) this.#growth.observe(element)
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd
  }

  get isEmpty(): boolean {
    return this.#views.length === 0
  }

  add(line: Line): void {
    const view = showLine(line, this.#options.onEnlarge)
    const last = this.#list.lastElementChild
    const previous = this.#views.at(-1)
    const isSameDay = previous?.line.time.toDateString() === line.time.toDateString()
    if (!isSameDay) this.addNotice(dayOf(line.time), 'day')
    else if (last === previous.element && continues(previous.line, line))
      view.element.classList.add('follows')
    this.#list.append(view.element)
    this.#views.push(view)
    this.#byteCount += view.byteCount
    while (this.#views.length > MAX_LINES || (this.#byteCount > MAX_BYTES && this.#views.length > 1))
      this.#drop()
    this.#keepEnd()
  }

  /** Puts a sentence between the lines. */
  addNotice(text: string, className = 'notice'): void {
    this.#list.append(make('p', { className }, make('span', {}, text)))
    this.#keepEnd()
  }

  /** From now on new lines are read out. */
  startReading(): void {
    this.element.ariaLive = 'polite'
  }

  show(): void {
    this.element.hidden = false
    if (!this.#isAtEnd) this.element.scrollTop = this.#top
    this.#keepEnd()
  }

  hide(): void {
    this.element.hidden = true
  }

  goToEnd(): void {
    this.#isAtEnd = true
    this.#keepEnd()
    this.#options.onScroll()
  }

  close(): void {
    this.#growth.disconnect()
    for (const view of this.#views.splice(0)) view.release()
    this.pending.close()
    this.element.remove()
  }

  #keepEnd(): void {
    if (this.#isAtEnd && !this.element.hidden) this.element.scrollTop = this.element.scrollHeight
  }

  #onScroll(): void {
    const { scrollHeight, scrollTop, clientHeight, hidden } = this.element
    if (hidden) return
    const wasAtEnd = this.#isAtEnd
    this.#top = scrollTop
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < END_PIXELS
    if (this.#isAtEnd !== wasAtEnd) this.#options.onScroll()
  }

  #drop(): void {
    const view = this.#views.shift()
    if (view === undefined) return
    view.release()
    view.element.remove()
    this.#byteCount -= view.byteCount
    // What stood above it says nothing any more, except for the day of the line that is first now.
    const first = this.#views[0]?.element
    for (const element of [...this.#list.children]) {
      if (element === first) break
      if (element.className !== 'day' || element.nextElementSibling !== first) element.remove()
    }
    first?.classList.remove('follows')
  }
}

function continues(previous: Line, line: Line): boolean {
  const isSamePerson = previous.author === line.author && previous.isOwn === line.isOwn
  return isSamePerson && line.time.getTime() - previous.time.getTime() < BLOCK_MS
}
