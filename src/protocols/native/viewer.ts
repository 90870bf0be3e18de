// The page that a browser tab gets which cannot show a stream of documents itself. It is one self-contained file, made
// by the build; here it gets a policy under which nothing runs but its own script.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface Viewer {
  readonly html: string
  readonly contentSecurityPolicy: string
}

/** @throws {Error} if the build has not made the page. */
export function loadViewer(): Viewer {
  const html = readFileSync(new URL('../../../pages/viewer.html', import.meta.url), 'utf8')
  const script = /<script[^>]*>([\s\S]*?)<\/script>/.exec(html)?.[1] ?? ''
  const scriptHash = createHash('sha256').update(script).digest('base64')
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src 'sha256-${scriptHash}'`,
    // Frames with published HTML inherit this policy: their styles may show, nothing of them may run or be fetched.
    "style-src 'unsafe-inline'",
    'frame-src blob:',
    'img-src blob: data:',
    'media-src blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; ')
  return { html, contentSecurityPolicy }
}
