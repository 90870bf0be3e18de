// Shows the content of a line. Nothing of it ever runs: text is text, links are made of it one by one, files can be
// saved but not opened in this origin, documents lie in a frame without any permission.

import type { ReceivedMessage } from '../client/index.ts'
import { renderBody } from '../client/render.ts'
import type { Content } from './content.ts'
import { describeBytes, make } from './page.ts'

/** What is longer is cut, with the whole of it as a file. */
const MAX_SHOWN_LENGTH = 10_000

// Ends before a mark that more likely ends the sentence.
const LINK = /\bhttps?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/gi

/** Elements for a content; `release` frees what they hold once they are out of the page. */
export interface BodyView {
  readonly elements: readonly HTMLElement[]
  readonly release: () => void
}

export interface BodyOptions {
  /** Words for whoever sent it, as in `Picture from Ann`. */
  readonly from: string
  readonly onEnlarge: (picture: HTMLImageElement) => void
}

export function showContent(content: Content, options: BodyOptions): BodyView {
  switch (content.kind) {
    case 'text':
      return showText(content.text)
    case 'picture':
      return showPicture(content.blob, content.fileName, options)
    case 'file':
      return showFile(content.blob, content.fileName)
    case 'document':
      return showDocument(content.message, content.fileName, options)
  }
}

function showDocument(message: ReceivedMessage, fileName: string | null, { from }: BodyOptions): BodyView {
  const rendering = renderBody(message, document)
  rendering.element.title = `Document from ${from}`
  // Without its scripts there may be nothing to see in the frame.
  const file = fileName === null ? null : showFile(message.blob(), fileName)
  return {
    elements: [rendering.element, ...(file?.elements ?? [])],
    release: () => {
      rendering.release()
      file?.release()
    },
  }
}

function showText(text: string): BodyView {
  const block = make('p', { className: 'text', dir: 'auto' }, ...linkify(text.slice(0, MAX_SHOWN_LENGTH)))
  if (text.length <= MAX_SHOWN_LENGTH) return { elements: [block], release: () => undefined }
  block.append(' …')
  const file = showFile(new Blob([text]), 'text.txt')
  return { elements: [block, ...file.elements], release: file.release }
}

/** The same text, with links where addresses stand in it. */
function linkify(text: string): readonly (Node | string)[] {
  const pieces: (Node | string)[] = []
  let end = 0
  for (const { 0: address, index } of text.matchAll(LINK)) {
    if (!URL.canParse(address)) continue
    const link = make('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, address)
    pieces.push(text.slice(end, index), link)
    end = index + address.length
  }
  return [...pieces, text.slice(end)]
}

function showPicture(blob: Blob, fileName: string, { from, onEnlarge }: BodyOptions): BodyView {
  const url = URL.createObjectURL(blob)
  const picture = make('img', { alt: `Picture from ${from}`, decoding: 'async' })
  const button = make(
    'button',
    { type: 'button', className: 'picture', title: `Enlarge ${fileName}` },
    picture,
  )
  let file: BodyView | null = null
  button.addEventListener('click', () => {
    onEnlarge(picture)
  })
  picture.addEventListener('error', () => {
    // No picture after all, or of a kind that this browser does not know.
    file = showFile(blob, fileName)
    button.replaceWith(...file.elements)
  })
  picture.src = url
  return {
    elements: [button],
    release: () => {
      URL.revokeObjectURL(url)
      file?.release()
    },
  }
}

function showFile(blob: Blob, fileName: string): BodyView {
  // Whatever it says it is: opened in a tab, a document would be one of our own origin.
  const url = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }))
  const link = make(
    'a',
    { className: 'file', href: url, download: fileName },
    make('bdi', { className: 'file-name' }, fileName),
    make('span', { className: 'file-size' }, describeBytes(blob.size)),
  )
  return {
    elements: [link],
    release: () => {
      URL.revokeObjectURL(url)
    },
  }
}
