// Kills processes that publish, and checks what is left: everything that was acknowledged, once, in order, byte for byte.
// Not a test.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type FileStore, type FileStoreOptions, openFileStore } from '../../src/store/file.ts'
import type { Work } from './publisher.ts'
import { numberOf } from './workload.ts'

const PUBLISHER = fileURLToPath(new URL('publisher.js', import.meta.url))

// More than any process publishes before it is killed.
const ENDLESS = 1_000_000

/** What a process that publishes has said. */
export interface Said {
  readonly epoch: string | undefined
  /** Number of each message that was acknowledged, by its seq. */
  readonly acknowledged: ReadonlyMap<number, number>
  readonly refusals: readonly string[]
  readonly isClosed: boolean
}

/**
 * Starts a process that publishes.
 * @param before A program that runs it, with its arguments.
 */
export function startPublisher(work: Work, before: readonly string[] = [], env = {}): ChildProcess {
  const [program, ...args] = [...before, process.execPath, PUBLISHER, JSON.stringify(work)]
  // tap has every node load things of its own.
  return spawn(program, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** Collects what it says until it ends. */
export async function listen(child: ChildProcess): Promise<Said> {
  let text = ''
  child.stdout?.setEncoding('latin1').on('data', (data: string) => {
    text += data
  })
  await once(child, 'close')
  return readSaid(text)
}

function readSaid(text: string): Said {
  // A line that was not written whole was not said.
  const lines = text.split('\n').slice(0, -1)
  const acknowledged = lines.flatMap((line): [number, number][] => {
    const [, seq, number] = /^(\d+) (\d+)$/.exec(line) ?? []
    return seq === undefined ? [] : [[Number(seq), Number(number)]]
  })
  return {
    epoch: /^open (\S+)/.exec(lines[0] ?? '')?.[1],
    acknowledged: new Map(acknowledged),
    refusals: lines.flatMap(line => /^refused (\S+)/.exec(line)?.[1] ?? []),
    isClosed: lines.at(-1) === 'closed',
  }
}

/** Reads all numbers that are kept, in order. */
export async function readNumbers(store: FileStore): Promise<readonly (number | null)[]> {
  const numbers: (number | null)[] = []
  for (let seq = 0; seq < store.lastSeq;) {
    const page = await store.read({ paths: [''], afterSeq: seq, maxCount: 256 })
    for (const message of page.messages) {
      // A hole, or something in its place.
      if (message.seq !== numbers.length + 1)
        throw new Error(`seq ${message.seq} stands at ${numbers.length + 1}`)
      numbers.push(numberOf(message))
    }
    seq = page.seq
  }
  return numbers
}

/** One store whose processes are killed again and again, and what must be in it. */
export class Victim {
  readonly #path: string
  readonly #options: FileStoreOptions
  #epoch: string | undefined
  #known: readonly number[] = []
  #round = 0

  constructor(path: string, options: FileStoreOptions = {}) {
    this.#path = path
    this.#options = options
  }

  /** Messages that are in it. */
  get messageCount(): number {
    return this.#known.length
  }

  /**
   * Has a process publish, kills it after a while, and checks the store.
   * @throws {Error} that says what is wrong.
   */
  async killOnce(publishers: number, delayMs: number): Promise<void> {
    const first = ++this.#round * ENDLESS
    const work = { path: this.#path, options: this.#options, first, count: ENDLESS, publishers }
    const child = startPublisher(work)
    const said = listen(child)
    await once(child.stdout ?? child, 'data')
    await sleep(delayMs)
    child.kill('SIGKILL')
    await this.check(first, await said)
  }

  /** Checks what is in the store after a process that published from a number on. */
  async check(first: number, { epoch, acknowledged }: Said): Promise<void> {
    const store = await openFileStore(this.#path, this.#options)
    try {
      this.#epoch ??= epoch ?? store.epoch
      if (store.epoch !== this.#epoch) throw new Error(`epoch ${store.epoch} follows ${this.#epoch}`)
      const numbers = await readNumbers(store)
      const before = this.#known
      for (const [at, number] of numbers.entries()) {
        // What came from this process is there in the order in which it was handed in, and nothing in between is missing.
        const expected = before[at] ?? first + at - before.length
        if (number !== expected) throw new Error(`seq ${at + 1} is ${number}, not ${expected}`)
      }
      if (numbers.length < before.length) throw new Error(`${numbers.length} left of ${before.length}`)
      for (const [seq, number] of acknowledged) {
        if (numbers[seq - 1] !== number)
          throw new Error(`seq ${seq} was acknowledged as ${number}, and is ${numbers[seq - 1]}`)
      }
      this.#known = numbers.map(Number)
    } finally {
      await store.close()
    }
  }
}
