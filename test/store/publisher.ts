// A process that publishes into a file store until it has done what it was told to, or is killed. It prints what it knows:
// `open EPOCH SEQ`, then `SEQ NUMBER` for each message that was acknowledged, or `refused CODE NUMBER`, at last `closed`.
// Not a test.

import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FileStoreOptions, openFileStore } from '../../src/store/file.ts'
import { draftOf } from './workload.ts'

export interface Work {
  readonly path: string
  readonly options: FileStoreOptions
  /** Numbers of the messages, see `workload.ts`. */
  readonly first: number
  readonly count: number
  /** How many publish at the same time, each waiting for its answer before it goes on. */
  readonly publishers: number
}

const { path, options, first, count, publishers } = JSON.parse(process.argv[2] ?? '') as Work

const LOOK_AGAIN_MS = 1
const never = new Int32Array(new SharedArrayBuffer(4))

// Written at once: what is in the pipe is there even if this process is not. A full pipe is waited for.
function say(line: string): void {
  let rest = Buffer.from(`${line}\n`)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(never, 0, 0, LOOK_AGAIN_MS)
    }
  }
}

const store = await openFileStore(path, options)
say(`open ${store.epoch} ${store.lastSeq}`)
let next = first

async function publish(): Promise<void> {
  while (next < first + count) {
    const number = next++
    try {
      const [message] = await store.append([draftOf(number)])
      say(`${message?.seq} ${number}`)
    } catch (error) {
      say(`refused ${(error as { code?: string }).code} ${number}`)
      // Room comes back while others do something about it.
      await sleep(20)
    }
  }
}

await Promise.all(Array.from({ length: publishers }, publish))
await store.close()
say('closed')
