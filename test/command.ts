// Runs a real program beside a test and reads what it prints while it runs. Text stands for bytes here, one character
// each (latin1). A program that still runs when its test ends is killed. Not a test.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { Test } from 'tap'

const TIMEOUT_MS = 60_000
const SHOWN_CHARACTERS = 1000

export interface CommandOptions {
  /** Directory to run in. */
  readonly cwd?: string
  /** Variables in addition to those of the test. */
  readonly env?: Readonly<Record<string, string>>
  /** All that it reads from stdin; nothing by default. */
  readonly input?: string | Uint8Array
  /** True to leave stdin open for {@link Command.write}. */
  readonly isInteractive?: boolean
}

export interface Ending {
  /** Null if a signal ended it. */
  readonly code: number | null
  /** All of stdout that was not read before. */
  readonly stdout: string
  readonly stderr: string
}

/** A program that runs, and what it has printed and nobody has read yet. */
export class Command {
  readonly #name: string
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #news = new EventEmitter()
  #stdout = ''
  #stderr = ''
  #isOver = false

  constructor(t: Test, name: string, args: readonly string[], options: CommandOptions = {}) {
    const { cwd, env, input = '', isInteractive = false } = options
    this.#name = name
    const child = spawn(name, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...ownEnvironment(), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A shell's pipeline is one group, so that all of it can be ended.
      detached: true,
    })
    this.#child = child
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      this.#stdout += text
      this.#news.emit('news')
    })
    child.stderr.setEncoding('latin1').on('data', (text: string) => {
      this.#stderr += text
    })
    child.on('error', error => {
      this.#stderr += String(error)
    })
    child.on('close', () => {
      this.#isOver = true
      this.#news.emit('news')
    })
    // A program may end without having read what it was given.
    child.stdin.on('error', () => undefined)
    child.stdin.write(input)
    if (!isInteractive) child.stdin.end()
    t.teardown(async () => {
      this.signal('SIGKILL')
      if (!this.#isOver) await once(child, 'close')
    })
  }

  /** Writes to the stdin of an interactive program. */
  write(text: string): void {
    this.#child.stdin.write(text, 'latin1')
  }

  /** Ends the stdin of an interactive program. */
  end(): void {
    this.#child.stdin.end()
  }

  /** Sends a signal to the program and what it started; does nothing once it has ended. */
  signal(name: NodeJS.Signals): void {
    const { pid } = this.#child
    if (this.#isOver || pid === undefined) return
    try {
      process.kill(-pid, name)
    } catch (error) {
      // All of it ended just now, and this process has not heard of it yet.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  /** Reads stdout up to and including the first occurrence of a text. */
  async readThrough(text: string): Promise<string> {
    await this.#until(JSON.stringify(text), () => this.#stdout.includes(text))
    return this.#take(this.#stdout.indexOf(text) + text.length)
  }

  /** Reads exactly so many bytes of stdout. */
  async read(byteCount: number): Promise<string> {
    await this.#until(`${byteCount} bytes`, () => this.#stdout.length >= byteCount)
    return this.#take(byteCount)
  }

  /** Waits until the program has ended and its output is closed. */
  async ended(): Promise<Ending> {
    await this.#until('the end', () => this.#isOver)
    return { code: this.#child.exitCode, stdout: this.#take(this.#stdout.length), stderr: this.#stderr }
  }

  #take(byteCount: number): string {
    const text = this.#stdout.slice(0, byteCount)
    this.#stdout = this.#stdout.slice(byteCount)
    return text
  }

  async #until(what: string, isTrue: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    while (!isTrue()) {
      if (this.#isOver || signal.aborted) {
        const reason = this.#isOver
          ? `it ended with ${this.#child.exitCode ?? 'a signal'}`
          : 'it took too long'
        const printed = JSON.stringify(this.#stdout.slice(0, SHOWN_CHARACTERS))
        throw new Error(
          `Cannot read ${what} of ${this.#name}: ${reason}; there is ${printed}\n${this.#stderr}`,
        )
      }
      await once(this.#news, 'news', { signal }).catch(() => undefined)
    }
  }
}

// A user would not start a program from npm or tap: what they tell the programs that they start changes what npm, for
// one, does.
function ownEnvironment(): NodeJS.ProcessEnv {
  const isForTests = (name: string): boolean => /^(?:_?TAP|TS_NODE_|npm_)/.test(name)
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForTests(name)))
}

/** Runs a program to its end, and fails unless it ended well. */
export async function run(
  t: Test,
  name: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Ending> {
  const ending = await new Command(t, name, args, options).ended()
  if (ending.code !== 0) throw new Error(`${name} ended with ${ending.code ?? 'a signal'}: ${ending.stderr}`)
  return ending
}
