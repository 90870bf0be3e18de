// What the tests of the program share: it runs as a process of its own, as its users run it, and is stopped by its own
// id when the test is over. Not a test.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

/** Nothing that is waited for may take longer, on a busy machine too. */
const MAX_WAIT_MS = 30_000

export const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url))

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Shell commands that run before it in the same process, such as `ulimit`. */
  readonly before?: string
  /** Where the shell sends its output, such as `2>&-`. */
  readonly redirect?: string
  /** Flags of node itself. */
  readonly nodeFlags?: readonly string[]
  /** Who runs it; only root may say so. */
  readonly uid?: number
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export type LogLine = Readonly<Record<string, unknown>>

/** Starts the program. It has opened nothing yet: wait for {@link Program.urls}. */
export function startProgram(t: Test, args: readonly string[], options: ProgramOptions = {}): Program {
  const { before = '', redirect = '', nodeFlags = [], env = {}, uid } = options
  // tap has every node load things of its own, which a user does not have and another user may not do.
  const script = `unset NODE_OPTIONS\n${before}\nexec "$@" ${redirect}`
  const child = spawn('/bin/sh', ['-c', script, 'sh', process.execPath, ...nodeFlags, CLI, ...args], {
    env: { PATH: process.env.PATH, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  t.teardown(() => {
    child.kill('SIGKILL')
  })
  return new Program(child)
}

export class Program {
  readonly child: ChildProcessWithoutNullStreams
  #stdout = ''
  #stderr = ''
  #exit: Exit | null = null
  readonly #news = new EventEmitter()

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child
    child.stdout.on('data', (data: Buffer) => {
      this.#stdout += data.toString()
      this.#news.emit('news')
    })
    child.stderr.on('data', (data: Buffer) => {
      this.#stderr += data.toString()
      this.#news.emit('news')
    })
    child.on('close', (code, signal) => {
      this.#exit = { code, signal, stdout: this.#stdout, stderr: this.#stderr }
      this.#news.emit('news')
    })
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('Cannot tell the process id: it did not start')
    return this.child.pid
  }

  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Waits for the greeting, and returns the addresses of the bus in it, without a slash at the end. */
  async urls(): Promise<readonly string[]> {
    await this.#until('the greeting', () => (/^ {2}curl .*\n/m.test(this.#stdout) ? true : undefined))
    return [...this.#stdout.matchAll(/^ {2}bus {4}(\S+?)\/(?:msgbus\/)?(?: |$)/gm)].map(
      ([, url]) => url ?? '',
    )
  }

  /** Waits for the greeting, and returns the port of a listener. */
  async port(at = 0): Promise<number> {
    return Number(new URL((await this.urls())[at] ?? '').port)
  }

  /** Waits until it has logged an event `count` times, and returns the last of those lines. */
  event(name: string, count = 1): Promise<LogLine> {
    return this.#until(`event ${name}`, () => this.events(name)[count - 1])
  }

  /** What it has logged so far, of one event. */
  events(name: string): readonly LogLine[] {
    const lines = this.#stderr.split('\n').filter(line => line.startsWith('{') && line.endsWith('}'))
    return lines.map(line => JSON.parse(line) as LogLine).filter(({ msg }) => msg === name)
  }

  /** Waits for its end. */
  exit(): Promise<Exit> {
    return this.#until('its end', () => this.#exit ?? undefined)
  }

  async #until<Found>(what: string, find: () => Found | undefined): Promise<Found> {
    const signal = AbortSignal.timeout(MAX_WAIT_MS)
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (this.#exit !== null || signal.aborted) {
        const state = this.#exit === null ? 'is still running' : `ended with ${this.#exit.code ?? 'a signal'}`
        throw new Error(`Cannot wait for ${what}: the program ${state}\n${this.#stdout}${this.#stderr}`)
      }
      await once(this.#news, 'news', { signal }).catch(() => undefined)
    }
  }
}

/** Listens on a port that then is in use until the test is over. */
export async function occupyPort(t: Test, address = '127.0.0.1'): Promise<number> {
  const server = createServer()
  t.teardown(() => {
    server.close()
  })
  server.listen(0, address)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
