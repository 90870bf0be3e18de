// Starts a server on a core of its own and reads what it cost from the system. Linux only.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const TICKS_PER_SECOND = 100

export interface ServerProcess {
  readonly port: number
  /** User and system time used so far, in seconds. */
  cpuSeconds(): number
  rssBytes(): number
  /** Resolves once the process has used no time for a while. */
  idle(): Promise<void>
  stop(): Promise<void>
}

/** @param args Behind `node`; the program must print an `http://…:PORT` address. */
export async function startServer(args: readonly string[], core = 0): Promise<ServerProcess> {
  const child = spawn('taskset', ['-c', String(core), process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await portOf(child)
  const pid = child.pid ?? 0
  const cpuSeconds = (): number => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }
  return {
    port,
    cpuSeconds,
    rssBytes: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024,
    idle: async () => {
      for (let before = -1; before !== cpuSeconds();) {
        before = cpuSeconds()
        await sleep(200)
      }
    },
    stop: async () => {
      const exited = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await exited
    },
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', (data: Buffer) => {
      text += data.toString()
      const port = /http:\/\/[^/\s]*:(\d+)/.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    child.once('exit', code => {
      reject(new Error(`Cannot start the server: it ended with ${code ?? 'a signal'}`))
    })
  })
}
