// Finding and making elements of the page. Text only ever goes in as text.

/** @throws {TypeError} if the page has no such element. */
export function find<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id)
  if (!(element instanceof kind)) throw new TypeError(`Cannot find "${id}" in the page`)
  return element
}

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...content: readonly (string | Node)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.append(...content)
  return element
}

/** Changes a text only if it is another one: everything else is work for the browser and noise for a screen reader. */
export function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/**
 * Has something drawn with the next frame, once, however often it is asked for until then; in a hidden tab, when it is
 * shown again. What takes long is drawn less often.
 */
export function drawing(draw: () => void): () => void {
  let isDue = false
  let restUntilMs = 0
  const run = (): void => {
    isDue = false
    const startedMs = performance.now()
    draw()
    const endedMs = performance.now()
    restUntilMs = endedMs + 4 * (endedMs - startedMs)
  }
  return () => {
    if (isDue) return
    isDue = true
    const restMs = restUntilMs - performance.now()
    if (restMs <= 0) requestAnimationFrame(run)
    else setTimeout(() => requestAnimationFrame(run), restMs)
  }
}
