// Who is here: the people of the room that is shown, each name once, yourself first.

import { portrait } from './line-view.ts'
import { find, make } from './page.ts'

const WIDE = '(min-width: 48rem)'

interface Person {
  readonly name: string
  readonly words: string
}

export class PeopleView {
  readonly #list = find('people', HTMLElement)
  readonly #count = find('people-count', HTMLElement)
  #shown = ''

  constructor() {
    const box = find('people-box', HTMLDetailsElement)
    const wide = matchMedia(WIDE)
    box.open = wide.matches
    // On a phone it covers the log.
    wide.addEventListener('change', () => {
      box.open = wide.matches
    })
  }

  /** @param ownName Empty for somebody without one, as are those of the others. */
  update(ownName: string, names: readonly string[]): void {
    const people = [{ name: ownName, words: ownName || 'anonymous' }, ...peopleOf(ownName, names)]
    const key = people.map(({ words }) => words).join('\n')
    if (key === this.#shown) return
    this.#shown = key
    this.#count.textContent = `${people.length}`
    this.#list.replaceChildren(
      ...people.map(({ name, words }, at) => {
        // Beside the name, however long that is.
        const mark = at === 0 ? [make('span', { className: 'you' }, '\u00a0(you)')] : []
        return make('li', {}, portrait(name || null), make('bdi', {}, words), ...mark)
      }),
    )
  }
}

/** Pages under one name are one person; those without are strangers to each other. */
function peopleOf(ownName: string, names: readonly string[]): readonly Person[] {
  const named = [...new Set(names)].filter(name => name !== '' && name !== ownName)
  const strangers = names.filter(name => name === '')
  const people = named.sort((a, b) => a.localeCompare(b)).map(name => ({ name, words: name }))
  return [...people, ...strangers.map(name => ({ name, words: 'anonymous' }))]
}
