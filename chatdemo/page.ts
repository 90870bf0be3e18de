// What every part of the chat page needs of the DOM: finding what stands in index.html, and making elements from text.
// Nothing here takes HTML.

type Properties<Kind extends HTMLElement> = Partial<Omit<Kind, 'innerHTML' | 'outerHTML' | 'srcdoc'>>

/**
 * Finds an element of index.html.
 * @throws {TypeError} If it is not there, or of another kind.
 */
export function find<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id)
  if (!(element instanceof kind)) throw new TypeError(`Cannot find "${id}" in the page`)
  return element
}

/** Makes an element; strings among the children are text. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties<HTMLElementTagNameMap[Name]> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name)
  Object.assign(element, properties)
  element.append(...children)
  return element
}

/** `1 file`, `2 files`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** `812 bytes`, `24 kB`, `3.1 MB`. */
export function describeBytes(byteCount: number): string {
  if (byteCount < 1_000) return count(byteCount, 'byte')
  const [scale, unit] = byteCount < 1_000_000 ? [1_000, 'kB'] : [1_000_000, 'MB']
  const amount = byteCount / scale
  return `${amount < 10 ? Math.round(amount * 10) / 10 : Math.round(amount)} ${unit}`
}
