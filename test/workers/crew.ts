// What the tests of a server of several processes share: it runs as a program, and connections are opened until one is at
// the worker that is wanted. Not a test.

import { readdirSync, readFileSync } from 'node:fs'
import type { Test } from 'tap'
import { type LogLine, type Program, type ProgramOptions, startProgram } from '../program.ts'
import { type Answer, connect, type Connection, requestText, type RequestOptions } from '../wire/server.ts'

const MAX_TRIES = 50
const PAUSE_MS = 20
const MAX_PAUSES = 1_500

export interface Crew {
  readonly program: Program
  readonly port: number
}

/** Starts a server of two workers on a free port, which logs everything. */
export async function startCrew(
  t: Test,
  args: readonly string[] = [],
  options: ProgramOptions = {},
): Promise<Crew> {
  const program = startProgram(t, ['-p', '0', '--workers', '2', '-vvv', ...args], options)
  return { program, port: await program.port() }
}

/** Process id of the worker that was last ready at a place. */
export function pidOf({ program }: Crew, worker: number): number {
  const ready = program.events('worker.ready').findLast(line => line.worker === worker)
  if (ready === undefined) throw new Error(`Cannot tell the process id: worker ${worker} was never ready`)
  return Number(ready.pid)
}

/** Opens a connection to a worker. What it is found by is published to a channel below `probe/`. */
export async function connectTo(t: Test, crew: Crew, worker: number): Promise<Connection> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const connection = await connect(t, crew)
    const { localPort = 0 } = connection.socket
    const channel = `probe/${localPort}-${tries}`
    connection.send(requestText('POST', `/msgbus/${channel}`, { headers: ['Content-Type: a/b'], body: '' }))
    const { status } = await connection.readAnswer()
    if (status !== 204) throw new Error(`Cannot find a worker: the probe was answered ${status}`)
    const isOurs = (line: LogLine): boolean => line.channel === channel
    await until(() => crew.program.events('pub').some(isOurs))
    if (crew.program.events('pub').find(isOurs)?.worker === worker) return connection
    connection.socket.destroy()
  }
  throw new Error(`Cannot find worker ${worker}: ${MAX_TRIES} connections were elsewhere`)
}

/** Sends a request on an open connection and reads its answer. */
export async function askOn(
  connection: Connection,
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<Answer> {
  connection.send(requestText(method, path, options))
  return connection.readAnswer()
}

/** Publishes text on an open connection and returns the id. */
export async function publishOn(connection: Connection, path: string, body: string): Promise<string> {
  const headers = ['Content-Type: text/plain']
  const { status, headers: given } = await askOn(connection, 'POST', path, { headers, body })
  if (status !== 204) throw new Error(`Cannot publish: the answer was ${status}`)
  return given.get('msgbus-id') ?? ''
}

/** Subscribes on an open connection and reads the head and the opening. */
export async function subscribeOn(
  connection: Connection,
  path: string,
  headers: readonly string[] = [],
): Promise<{ readonly stream: Connection; readonly boundary: string }> {
  connection.send(requestText('GET', path, { headers }))
  const { status, headers: given } = await connection.readHead()
  if (status !== 200) throw new Error(`Cannot subscribe: the answer was ${status}`)
  await connection.readChunk()
  return { stream: connection, boundary: /boundary=(\w+)/.exec(given.get('content-type') ?? '')?.[1] ?? '' }
}

/** True while there is a process with this id that has not ended. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}

/** Process ids of the children of a process. */
export function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        return new RegExp(`^PPid:\\s+${pid}$`, 'm').test(readFileSync(`/proc/${name}/status`, 'latin1'))
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Waits for what no event tells. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let pauses = 0; !(await isSo()); pauses++) {
    if (pauses === MAX_PAUSES) throw new Error(`Cannot wait any longer until ${isSo.toString()}`)
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
}
