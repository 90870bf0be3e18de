// @ts-check
// Bundles the client library for browsers: one file that a page loads, and one that the client loads by itself when a
// transport is asked for that is not the usual one. Writes nothing.

import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')

// Names of properties that only the client's own files know. None of them is seen by a page, belongs to the platform,
// travels, or is exported by a file: what `import()` gives keeps its names.
const INTERNAL_NAMES = `
  access append batches begin beginningIn boundary bufferedByteCount byteCount consume contentLength controller copy
  cut delimiter encodePath enter filledByteCount finish goOn hasBegun hasText identify inTime
  indexIn isBare isClosed isEmpty isInsidePart isResumed keptByteCount lineAt lose members nameByteCount
  notMsgbus offer onClose onEmpty onLeave onPart onSplit openMultipart pageUrl paths position readAt readBody
  readLine request retryAfterMs retryMs room streamUrl toPayload user
`
  .trim()
  .split(/\s+/)

/**
 * The files of the bundle, by name; `client.js` first.
 * @returns {Promise<ReadonlyMap<string, Uint8Array>>}
 */
export async function bundleClient() {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: { client: join(ROOT, 'client', 'index.ts') },
    bundle: true,
    charset: 'utf8',
    chunkNames: 'client-[name]',
    format: 'esm',
    legalComments: 'none',
    logLevel: 'warning',
    mangleProps: new RegExp(`^(?:${INTERNAL_NAMES.join('|')})$`),
    minify: true,
    outdir: join(ROOT, 'dist', 'client'),
    platform: 'browser',
    splitting: true,
    target: 'es2022',
    write: false,
  })
  return new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]))
}
