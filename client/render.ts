// Shows the body of a message in a page, by its type, such that nothing of it ever runs: text as text, pictures as
// pictures, HTML in a frame without any permission. Needs a DOM.

import { essenceOf, type ReceivedMessage } from './message.ts'

/** An element for the body; `release` frees what it holds once it is taken out of the page. */
export interface Rendering {
  readonly element: HTMLElement
  release(): void
}

/** How a type can be shown. A document could run, a picture cannot. */
export type Kind = 'picture' | 'document' | 'text' | 'other'

export function renderBody(message: ReceivedMessage, page: Document): Rendering {
  switch (kindOf(message.type)) {
    case 'picture':
      return renderPicture(message, page)
    case 'document':
      return renderFrame(message, page)
    case 'text':
      return renderText(message.text(), page)
    case 'other':
      return renderText(`${message.body.length.toLocaleString('en')} bytes of ${message.type}`, page)
  }
}

export function kindOf(type: string): Kind {
  const essence = essenceOf(type)
  if (/^image\/(?!svg)/.test(essence)) return 'picture'
  if (/^(?:text\/html|application\/xhtml\+xml|image\/svg\+xml)$/.test(essence)) return 'document'
  return /^text\/|^application\/(?:.*\+)?(?:json|xml)$/.test(essence) ? 'text' : 'other'
}

function renderPicture(message: ReceivedMessage, page: Document): Rendering {
  const picture = page.createElement('img')
  const url = URL.createObjectURL(new Blob([message.body], { type: message.type }))
  picture.alt = `Picture${message.sender === null ? '' : ` from ${message.sender}`}`
  picture.src = url
  return {
    element: picture,
    release: () => {
      URL.revokeObjectURL(url)
    },
  }
}

function renderFrame(message: ReceivedMessage, page: Document): Rendering {
  const frame = page.createElement('iframe')
  // Not even its own origin: no scripts, no forms, no navigation of this page.
  frame.setAttribute('sandbox', '')
  frame.title = `Document${message.sender === null ? '' : ` from ${message.sender}`}`
  const url = URL.createObjectURL(new Blob([message.body], { type: message.type }))
  frame.src = url
  return {
    element: frame,
    release: () => {
      URL.revokeObjectURL(url)
    },
  }
}

function renderText(text: string, page: Document): Rendering {
  const block = page.createElement('pre')
  block.textContent = text
  return { element: block, release: () => undefined }
}
