// @ts-check
// Prints how large the client library is that a page loads, and fails if the file that every page needs is larger with
// gzip than promised. Builds what it measures.

import process from 'node:process'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { bundleClient } from './client-bundle.js'

/** Of `client.js`, with gzip. */
const MAX_BYTES = 8 * 1024

for (const [name, bytes] of await bundleClient()) {
  const gzipBytes = gzipSync(bytes, { level: 9 }).length
  const brotliBytes = brotliCompressSync(bytes).length
  process.stdout.write(`${name}: ${bytes.length} bytes, ${gzipBytes} with gzip, ${brotliBytes} with brotli\n`)
  if (name === 'client.js' && gzipBytes >= MAX_BYTES) {
    process.stderr.write(`${name} is ${gzipBytes} bytes with gzip: less than ${MAX_BYTES} wanted\n`)
    process.exitCode = 1
  }
}
