// The one clock of both tools: monotonic, in nanoseconds, and shared by the processes of one machine, so that a message
// can be timed from one process to another.

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { crc32 } from './crc32.ts'

export const NS_PER_MS = 1e6
export const NS_PER_S = 1e9

/** Nanoseconds since some fixed moment of this machine. Exact for 104 days of uptime, off by some ns after that. */
export function nowNs(): number {
  return Number(process.hrtime.bigint())
}

/** 16 bits that tell the clock of this machine from that of another. */
export function clockId(): number {
  return crc32(Buffer.from(bootId() ?? hostname())) & 0xffff
}

// The same in every container of one kernel, which is what the clock belongs to.
function bootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')
  } catch {
    // Not Linux.
    return null
  }
}
