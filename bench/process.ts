// Starts a server on a core of its own and reads what it cost from the system. Linux only.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const TICKS_PER_SECOND = 100
const START_MS = 15_000
const IDLE_MS = 200
const MAX_IDLE_LOOKS = 50

export interface ServerProcess {
  readonly port: number
  /** User and system time used so far, in seconds, by the process and those that it started. */
  cpuSeconds(): number
  rssBytes(): number
  /** Resolves once the process has used no time for a while; after ten seconds in any case. */
  idle(): Promise<void>
  stop(): Promise<void>
}

/**
 * @param args Behind `node`; the program must print a `SCHEME://…:PORT` address.
 */
export async function startServer(
  args: readonly string[],
  { scheme = 'http', core = 0 }: { readonly scheme?: 'http' | 'https'; readonly core?: number } = {},
): Promise<ServerProcess> {
  const child = spawnOn(core, process.execPath, args, 'inherit')
  return toServer(child, await portOf(child, scheme))
}

/** Starts any program that will listen on a port of 127.0.0.1 that it is told. What it says is not shown. */
export async function startProgram(
  program: string,
  args: readonly string[],
  { port, core = 0 }: { readonly port: number; readonly core?: number },
): Promise<ServerProcess> {
  const child = spawnOn(core, program, args, 'ignore')
  child.stdout?.resume()
  await listening(child, port)
  return toServer(child, port)
}

function spawnOn(
  core: number,
  program: string,
  args: readonly string[],
  errors: 'inherit' | 'ignore',
): ChildProcess {
  return spawn('taskset', ['-c', String(core), program, ...args], { stdio: ['ignore', 'pipe', errors] })
}

function portOf(child: ChildProcess, scheme: 'http' | 'https'): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', (data: Buffer) => {
      text += data.toString()
      const port = new RegExp(`${scheme}://[^/\\s]*:(\\d+)`).exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    child.once('exit', code => {
      reject(ended(code))
    })
  })
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  const deadlineMs = performance.now() + START_MS
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadlineMs) {
    if (await answers(port)) return
    await sleep(50)
  }
  child.kill('SIGKILL')
  throw child.exitCode === null
    ? new Error(`Cannot start the server: nothing listens on port ${port}`)
    : ended(child.exitCode)
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

function ended(code: number | null): Error {
  return new Error(`Cannot start the server: it ended with ${code ?? 'a signal'}`)
}

function toServer(child: ChildProcess, port: number): ServerProcess {
  const pid = child.pid ?? 0
  const cpuSeconds = (): number => family(pid).reduce((sum, member) => sum + cpuSecondsOf(member), 0)
  return {
    port,
    cpuSeconds,
    rssBytes: () => family(pid).reduce((sum, member) => sum + rssBytesOf(member), 0),
    idle: async () => {
      let before = -1
      for (let looks = 0; looks < MAX_IDLE_LOOKS && before !== cpuSeconds(); looks++) {
        before = cpuSeconds()
        await sleep(IDLE_MS)
      }
    },
    stop: async () => {
      const exited = new Promise(resolve => child.once('exit', resolve))
      const members = family(pid)
      child.kill('SIGKILL')
      await exited
      for (const member of members) killLeftOver(member)
    },
  }
}

function family(pid: number): number[] {
  const children = readProc(`${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
  return [pid, ...children.flatMap(family)]
}

function cpuSecondsOf(pid: number): number {
  const fields = readProc(`${pid}/stat`).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND
}

function rssBytesOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readProc(`${pid}/status`))?.[1] ?? 0) * 1024
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'latin1')
  } catch {
    // It has ended.
    return ''
  }
}

function killLeftOver(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went with its parent.
  }
}
