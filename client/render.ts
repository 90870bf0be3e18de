// Shows the body of a message in a page, by its type, such that nothing of it ever runs: text as text, pictures as
// pictures, HTML in a frame without any permission. Needs a DOM.

import type { ReceivedMessage } from './stream.ts'

/** An element for the body; `release` frees what it holds once it is taken out of the page. */
export interface Rendering {
  readonly element: HTMLElement
  release(): void
}

export function renderBody(message: ReceivedMessage, page: Document): Rendering {
  const essence = /^[^;\s]*/.exec(message.type)?.[0].toLowerCase() ?? ''
  if (/^image\/(?!svg)/.test(essence)) return renderPicture(message, page)
  if (essence === 'text/html' || essence === 'application/xhtml+xml' || essence === 'image/svg+xml') {
    return renderFrame(message, page)
  }
  if (essence.startsWith('text/') || /^application\/(?:.*\+)?(?:json|xml)$/.test(essence)) {
    return renderText(decodeText(message), page)
  }
  return renderText(`${message.body.length.toLocaleString('en')} bytes of ${message.type}`, page)
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

function decodeText({ type, body }: ReceivedMessage): string {
  const charset = /;\s*charset="?([^";\s]+)/i.exec(type)?.[1] ?? 'utf-8'
  try {
    return new TextDecoder(charset).decode(body)
  } catch {
    // An unknown charset: the bytes are shown as best they can be.
    return new TextDecoder().decode(body)
  }
}
