// The workers of one server: starts them, replaces those that die, stops them all. Each that dies takes its own connections
// with it and nothing else. It knows no store but as what a worker is connected to.

import cluster, { type Worker } from 'node:cluster'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Count, ownCosts, sumOf } from '../bus/census.ts'
import type { Config } from '../config/schema.ts'
import { EXIT_SOFTWARE, WorkerError } from '../exit.ts'
import type { Log } from '../log.ts'
import { CUT_OFF_MS } from '../serve.ts'
import type { StoreHost } from '../store/remote/store-host.ts'
import { FIRST_STORE_FD, type LetterToPrimary, type LetterToWorker } from './letters.ts'

// Who dies sooner than that is not replaced at once, and each time later.
const QUICK_DEATH_MS = 10_000
const MIN_WAIT_MS = 1_000
const MAX_WAIT_MS = 30_000

export interface CrewOptions {
  /** Of one worker. */
  readonly config: Config
  /** Of each store, in the order of the configuration. */
  readonly hosts: readonly StoreHost[]
  /** For the TLS listeners. */
  readonly pem: string | null
  readonly boundary: string
  readonly log: Log
}

type Failure = Extract<LetterToPrimary, { kind: 'failed' }>

/** The place of one worker; who is there changes. */
interface Seat {
  readonly number: number
  worker: Worker | null
  bornMs: number
  /** Before it is filled again. */
  waitMs: number
  isReady: boolean
  /** What the worker has told last. */
  count: Count | null
  timer: NodeJS.Timeout | undefined
}

export class Crew {
  readonly #options: CrewOptions
  readonly #seats: readonly Seat[]
  /** Rejects when no worker can serve any more. */
  readonly failed: Promise<never>
  #fail: (error: Error) => void = () => undefined
  #onChange: () => void = () => undefined
  #urls: readonly string[] | null = null
  #pem: string | null
  #config: Config
  #hasStarted = false
  #isStopping = false

  constructor(options: CrewOptions) {
    const { config, pem } = options
    this.#options = options
    this.#pem = pem
    this.#config = config
    this.#seats = Array.from({ length: config.workers }, (_, at) => ({
      ...{ number: at + 1, worker: null, bornMs: 0, waitMs: 0, isReady: false, timer: undefined },
      count: null,
    }))
    this.failed = new Promise((_, reject) => {
      this.#fail = reject
    })
    // Whoever starts or runs it is told.
    this.failed.catch(() => undefined)
  }

  /**
   * Starts all workers.
   * @returns The URL of each listener, when all of them listen there.
   * @throws {WorkerError} what the first of them has met that could not.
   */
  async start(): Promise<readonly string[]> {
    cluster.schedulingPolicy = cluster.SCHED_RR
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('./worker.js', import.meta.url)),
      args: [],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...this.#options.hosts.map(() => 'pipe' as const)],
    })
    for (const seat of this.#seats) this.#fill(seat)
    const ready = this.#until(() => this.#seats.every(({ isReady }) => isReady))
    await Promise.race([ready, this.failed])
    this.#hasStarted = true
    return this.#urls ?? []
  }

  /** From now on nobody is root: who is new must not try to become another user. */
  noteUserIsLeft(): void {
    this.#config = { ...this.#config, user: null }
  }

  /** Of new TLS connections, in all workers. */
  setCertificate(pem: string | null): void {
    this.#pem = pem
    for (const { worker } of this.#seats) send(worker, { kind: 'certificate', pem })
  }

  /** Has all of them end in good order, cuts off who takes longer than that, and replaces nobody. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true
    for (const seat of this.#seats) {
      clearTimeout(seat.timer)
      if (seat.isReady) send(seat.worker, { kind: 'stop' })
      else seat.worker?.process.kill('SIGKILL')
    }
    const deadline = setTimeout(
      () => {
        for (const { worker } of this.#seats) worker?.process.kill('SIGKILL')
      },
      drainMs + 2 * CUT_OFF_MS,
    )
    await this.#until(() => this.#seats.every(({ worker }) => worker === null))
    clearTimeout(deadline)
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>(resolve => {
        this.#onChange = resolve
      })
    }
  }

  #fill(seat: Seat): void {
    const worker = cluster.fork()
    seat.worker = worker
    seat.bornMs = performance.now()
    // What ends it is told by its exit.
    worker.on('error', () => undefined)
    worker.on('message', (letter: LetterToPrimary) => {
      this.#take(seat, letter)
    })
    worker.process.once('exit', (code, signal) => {
      this.#noteDeath(seat, worker, signal ?? code ?? 0)
    })
  }

  #take(seat: Seat, letter: LetterToPrimary): void {
    switch (letter.kind) {
      case 'awake':
        if (seat.worker !== null) this.#begin(seat.number, seat.worker)
        break
      case 'ready':
        this.#noteReady(seat, letter.urls)
        break
      case 'count':
        seat.count = letter.count
        send(seat.worker, { kind: 'others', others: this.#countOthers(seat) })
        break
      case 'failed':
        this.#noteFailure(seat, letter)
    }
  }

  // Not before it is awake: until it reads what it is given, publishers would have to wait for it.
  #begin(number: number, worker: Worker): void {
    const { hosts, boundary, log } = this.#options
    for (const [at, host] of hosts.entries()) {
      host.add(worker.process.stdio[FIRST_STORE_FD + at] as Socket, () => {
        log.write('error', 'worker.stuck', { worker: number, pid: worker.process.pid ?? 0 })
        worker.process.kill('SIGKILL')
      })
    }
    const startedMs = performance.timeOrigin
    send(worker, { kind: 'start', number, config: this.#config, pem: this.#pem, boundary, startedMs })
  }

  #countOthers(seat: Seat): Count {
    const counts = this.#seats.flatMap(other => (other === seat ? [] : (other.count ?? [])))
    return sumOf([{ ...sumOf([]), ...ownCosts() }, ...counts])
  }

  #noteReady(seat: Seat, urls: readonly string[]): void {
    const { number, worker } = seat
    const pid = worker?.process.pid ?? 0
    this.#urls ??= urls
    if (urls.join() !== this.#urls.join()) {
      // The last of the others has died just before, and the ports of all with it.
      worker?.process.kill('SIGKILL')
      return
    }
    seat.isReady = true
    this.#options.log.write('info', 'worker.ready', { worker: number, pid })
    this.#onChange()
  }

  #noteFailure({ number }: Seat, { line, exitCode }: Failure): void {
    // Where nobody else is left, whoever comes next would meet the same.
    const isLast = !this.#hasStarted || this.#seats.every(({ isReady }) => !isReady)
    if (isLast) this.#fail(new WorkerError(line, exitCode))
    else this.#options.log.write('error', 'worker.failed', { worker: number, error: line })
  }

  #noteDeath(seat: Seat, { process }: Worker, reason: string | number): void {
    const { log } = this.#options
    const { number, bornMs, waitMs } = seat
    seat.worker = null
    seat.isReady = false
    seat.count = null
    this.#onChange()
    if (this.#isStopping) return
    if (!this.#hasStarted) {
      const line = `msgbus: Cannot start worker ${number}: it ended with ${reason}`
      this.#fail(new WorkerError(line, EXIT_SOFTWARE))
      return
    }
    if (this.#seats.every(other => other.worker === null)) this.#pinPorts()
    const wasQuick = performance.now() - bornMs < QUICK_DEATH_MS
    seat.waitMs = wasQuick ? Math.min(Math.max(2 * waitMs, MIN_WAIT_MS), MAX_WAIT_MS) : 0
    const fields = { worker: number, pid: process.pid ?? 0, reason, waitMs: seat.waitMs }
    log.write('error', 'worker.died', fields)
    seat.timer = setTimeout(() => {
      this.#fill(seat)
    }, seat.waitMs)
  }

  // Nobody has the listeners any more: a port that the system had picked has to be asked for by its number.
  #pinPorts(): void {
    const listeners = this.#config.listeners.map((listener, at) => ({
      ...listener,
      port: portOf(this.#urls?.[at]) ?? listener.port,
    }))
    this.#config = { ...this.#config, listeners }
  }
}

function portOf(url: string | undefined): number | null {
  const [, digits] = /:(\d+)$/.exec(url ?? '') ?? []
  return digits === undefined ? null : Number(digits)
}

function send(worker: Worker | null, letter: LetterToWorker): void {
  // To one that has just died, nothing can be said.
  if (worker?.isConnected() === true) worker.send(letter, () => undefined)
}
