// CRC-32 as zlib, PNG and Ethernet have it. Node's own where there is one (20.15, 22.2), else a table.

import * as zlib from 'node:zlib'

type Crc32 = (bytes: Uint8Array, before?: number) => number

const POLYNOMIAL = 0xedb88320
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 0 ? rest >>> 1 : (rest >>> 1) ^ POLYNOMIAL
  return rest
})

/** Checksum of bytes, or of those before and these, given the one of those before. 0 to 2^32 - 1. */
export const crc32: Crc32 = (zlib as { readonly crc32?: Crc32 }).crc32 ?? crc32ByTable

/** The same without Node's help. */
export function crc32ByTable(bytes: Uint8Array, before = 0): number {
  let rest = ~before
  for (const byte of bytes) rest = (rest >>> 8) ^ (TABLE[(rest ^ byte) & 0xff] ?? 0)
  return ~rest >>> 0
}
