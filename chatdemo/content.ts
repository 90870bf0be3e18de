// What there is to show of a line: text, a picture, a document or a file, by the type it was published with. Decides, and
// shows nothing itself.

import type { ReceivedMessage } from '../client/index.ts'
import { readMarks } from '../client/marks.ts'
import { essenceOf } from '../client/message.ts'

export type Content =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'picture'; readonly blob: Blob; readonly fileName: string }
  | { readonly kind: 'file'; readonly blob: Blob; readonly fileName: string }
  /** HTML and SVG: shown in a frame that may do nothing; a file's name is null for what was sent as it is. */
  | { readonly kind: 'document'; readonly message: ReceivedMessage; readonly fileName: string | null }

// What browsers show in an `<img>`, SVG apart.
const PICTURE = /^image\/(?!svg)/
const TEXT = /^(?:text\/|application\/(?:.*\+)?(?:json|xml)$)/
const DOCUMENTS: readonly string[] = ['text/html', 'application/xhtml+xml', 'image/svg+xml']

export function contentOf(message: ReceivedMessage): Content {
  const essence = essenceOf(message.type)
  const { fileName } = readMarks(message.type)
  if (DOCUMENTS.includes(essence)) return { kind: 'document', message, fileName }
  if (PICTURE.test(essence)) return contentOfFile(message.blob(), essence, fileName)
  if (TEXT.test(essence) && fileName === null) return { kind: 'text', text: message.text() }
  return contentOfFile(message.blob(), essence, fileName)
}

/** Of a file that is being sent, or was. */
export function contentOfFile(blob: Blob, type: string, fileName: string | null): Content {
  const kind = PICTURE.test(type) ? 'picture' : 'file'
  return { kind, blob, fileName: fileName ?? nameFor(type) }
}

/** A name for something that came without: `picture.jpeg`, `file.pdf`, `file`. */
function nameFor(type: string): string {
  const [, main, ending = ''] = /^(\w+)\/([a-z0-9]{2,5})$/.exec(type) ?? []
  return `${main === 'image' ? 'picture' : 'file'}${ending === '' ? '' : `.${ending}`}`
}
