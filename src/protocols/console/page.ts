// The page itself: one self-contained file, made by the build. Here it is told where it is, and gets a policy under which
// nothing runs but its own script.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface PageOptions {
  /** Where the native protocol is mounted. */
  readonly prefix: string
  /** True when the server asks for a password, which belongs into the commands that the page shows. */
  readonly hasPassword: boolean
}

export interface Page {
  readonly html: string
  readonly contentSecurityPolicy: string
}

/** @throws {Error} if the build has not made the page. */
export function loadPage({ prefix, hasPassword }: PageOptions): Page {
  const file = readFileSync(new URL('../../../pages/console.html', import.meta.url), 'utf8')
  const html = file.replace(
    '<!-- options -->',
    () =>
      `<meta id="server" name="msgbus" content="${escapeAttribute(JSON.stringify({ prefix, hasPassword }))}">`,
  )
  const script = /<script[^>]*>([\s\S]*?)<\/script>/.exec(html)?.[1] ?? ''
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    // Frames with published HTML inherit this policy: their styles may show, nothing of them may run or be fetched.
    "style-src 'unsafe-inline'",
    // The icon is part of the page.
    'img-src blob: data:',
    'frame-src blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // What was published is never read as HTML by this page, not even by mistake.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
  return { html, contentSecurityPolicy }
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
