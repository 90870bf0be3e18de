// Prints the figures of the file store: publishes per second with a sync before each answer, beside a plain loop of write and
// fdatasync that brings as many bytes to the disk at a time; how fast history is read back; how long it takes to open 1 GiB
// after the process was killed. About two minutes; needs 3 GiB of disk.
//
//   npm run bench:store [-- DIRECTORY]     a directory on the disk that is to be measured; by default the system's for temporary files

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Draft } from '../src/message.ts'
import { recordBytes } from '../src/store/file/record.ts'
import { type FileStore, openFileStore } from '../src/store/file.ts'
import { median } from './peers/report.ts'

const PUBLISHERS = [1, 64, 1_000]
const BODY_BYTES = 100
const ROUNDS = 5
const ROUND_MS = 1_500

const REPLAY_BYTES = 256 * 2 ** 20
const REPLAY_BODIES = [100, 1_024, 65_536]

const STORE_BYTES = 2 ** 30
const STORE_BODY_BYTES = 4_096
const ROOMY = { maxCount: Infinity, maxBytes: Infinity, maxTotalBytes: Infinity, maxTotalCount: Infinity }

function draftOf(at: number, byteCount: number): Draft {
  const body = Buffer.alloc(byteCount, `${at} `)
  return { channel: `bench/${at % 10}`, type: 'application/octet-stream', sender: null, body }
}

interface Published {
  readonly perSecond: number
  /** Messages that were written at a time. */
  readonly meanGroup: number
}

async function publish(path: string, publisherCount: number): Promise<Published> {
  const store = await openFileStore(path)
  let count = 0
  let groupCount = 0
  let isInGroup = false
  store.follow(() => {
    count++
    if (isInGroup) return
    isInGroup = true
    groupCount++
    queueMicrotask(() => {
      isInGroup = false
    })
  })
  let isOver = false
  const startedMs = performance.now()
  const publishers = Array.from({ length: publisherCount }, async (_, at) => {
    const draft = draftOf(at, BODY_BYTES)
    while (!isOver) await store.append([draft])
  })
  await sleep(ROUND_MS)
  isOver = true
  await Promise.all(publishers)
  const perSecond = (count / (performance.now() - startedMs)) * 1000
  await store.close()
  return { perSecond, meanGroup: count / groupCount }
}

function writePlainly(path: string, groupCount: number): number {
  const group = Buffer.alloc(Math.round(groupCount * recordBytes(draftOf(0, BODY_BYTES))), 1)
  const file = openSync(path, 'w')
  let count = 0
  const startedMs = performance.now()
  while (performance.now() - startedMs < ROUND_MS) {
    writeSync(file, group)
    fdatasyncSync(file)
    count += groupCount
  }
  const perSecond = (count / (performance.now() - startedMs)) * 1000
  closeSync(file)
  return perSecond
}

async function fill(store: FileStore, byteCount: number, bodyBytes: number): Promise<void> {
  const groupCount = Math.max(1, Math.floor(2 ** 20 / bodyBytes))
  for (let at = 0; at * bodyBytes < byteCount; at += groupCount) {
    await store.append(Array.from({ length: groupCount }, (_, offset) => draftOf(at + offset, bodyBytes)))
  }
}

async function replay(path: string, bodyBytes: number): Promise<string> {
  const filled = await openFileStore(path, { ...ROOMY, syncIntervalMs: 1_000 })
  // Many small ones would only take longer to write.
  const byteCount = bodyBytes < 1_000 ? REPLAY_BYTES / 8 : REPLAY_BYTES
  await fill(filled, byteCount, bodyBytes)
  await filled.close()
  const store = await openFileStore(path, ROOMY)
  const startedMs = performance.now()
  let count = 0
  for (let seq = 0; seq < store.lastSeq;) {
    const page = await store.read({ paths: [''], afterSeq: seq, maxCount: 256 })
    count += page.messages.length
    seq = page.seq
  }
  const seconds = (performance.now() - startedMs) / 1000
  await store.close()
  return `${((count * bodyBytes) / 1e6 / seconds).toFixed(0)} MB/s, ${thousands(count / seconds)} messages/s`
}

async function recover(path: string): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--fill', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'close')
  const startedMs = performance.now()
  const store = await openFileStore(path, ROOMY)
  const seconds = (performance.now() - startedMs) / 1000
  const count = store.lastSeq
  await store.close()
  return `${seconds.toFixed(2)} s for ${thousands(count)} messages of ${STORE_BODY_BYTES} bytes`
}

async function fillAndWait(path: string): Promise<void> {
  const store = await openFileStore(path, { ...ROOMY, syncIntervalMs: 1_000 })
  await fill(store, STORE_BYTES, STORE_BODY_BYTES)
  process.stdout.write('full\n')
  setInterval(() => undefined, 1_000)
}

function thousands(value: number): string {
  return value < 10_000 ? value.toFixed(0) : `${Math.round(value / 1000).toLocaleString('en')} k`
}

async function printFigures(folder: string): Promise<void> {
  let number = 0
  const next = (): string => join(folder, `${++number}`)
  process.stdout.write(`publishes per second, ${BODY_BYTES} bytes, fsync=always\n`)
  for (const publisherCount of PUBLISHERS) {
    const rounds: { readonly store: number; readonly plain: number; readonly group: number }[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const { perSecond, meanGroup } = await publish(next(), publisherCount)
      rounds.push({ store: perSecond, plain: writePlainly(next(), meanGroup), group: meanGroup })
    }
    const store = median(rounds.map(round => round.store))
    const plain = median(rounds.map(round => round.plain))
    const ratio = median(rounds.map(round => round.store / round.plain))
    const group = median(rounds.map(round => round.group))
    process.stdout.write(
      `${`${publisherCount}`.padStart(6)} publishers: ${thousands(store)}, plain loop ${thousands(plain)}, ` +
        `ratio ${ratio.toFixed(2)} (groups of ${group.toFixed(0)})\n`,
    )
  }
  for (const bodyBytes of REPLAY_BODIES) {
    process.stdout.write(`replay, ${bodyBytes} bytes: ${await replay(next(), bodyBytes)}\n`)
  }
  process.stdout.write(`opened after kill -9: ${await recover(next())}\n`)
}

const [first, second] = process.argv.slice(2)
if (first === '--fill' && second !== undefined) {
  await fillAndWait(second)
} else {
  const folder = mkdtempSync(join(first ?? tmpdir(), 'msgbus-bench-'))
  try {
    await printFigures(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
