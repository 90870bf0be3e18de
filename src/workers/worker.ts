// A worker, which is a process of its own: it has connections, over stores that the primary has. It ends when it is told to,
// or when the primary is gone.

import { Socket } from 'node:net'
import { type Count, sumOf } from '../bus/census.ts'
import { EXIT_SOFTWARE, exitCodeOf, lineOf } from '../exit.ts'
import { describeFault, openLog } from '../log.ts'
import type { Stores } from '../open-stores.ts'
import { findUser } from '../process.ts'
import { type Serving, serveStores } from '../serve.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import type { Store } from '../store/store.ts'
import { FIRST_STORE_FD, type LetterToPrimary, type LetterToWorker } from './letters.ts'

type Start = Extract<LetterToWorker, { kind: 'start' }>

process.title = 'msgbus worker'
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined)
// A terminal and a service manager send them to all processes: what they mean is said by the primary, in good order.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)

// Of many channels only those are told that have most.
const COUNT_MS = 1_000
const MAX_TOLD = 10_000

const stop = new AbortController()
let others: Count = sumOf([])
let serving: Serving | null = null
// One that came while it was starting.
let certificate: string | null = null
process.on('message', (letter: LetterToWorker) => {
  switch (letter.kind) {
    case 'start':
      void run(letter)
      break
    case 'certificate':
      certificate = letter.pem
      serving?.setCertificate(certificate)
      break
    case 'others':
      others = letter.others
      break
    case 'stop':
      stop.abort()
  }
})

send({ kind: 'awake' })

async function run({ number, config, pem, boundary, startedMs }: Start): Promise<void> {
  const log = openLog(config.verbosity, 2, { worker: number })
  process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
    // The primary has gone while it was told something: the end of this process, but no fault of it.
    if (error.code === 'EPIPE' || error.code === 'ERR_IPC_CHANNEL_CLOSED') process.exit(0)
    log.write('error', 'process.fault', { error: describeFault(error) })
    process.exit(EXIT_SOFTWARE)
  })
  try {
    const user = config.user === null ? null : findUser(config.user)
    const stores = await openStores([...config.stores.keys()])
    serving = await serveStores(config, {
      ...{ log, signal: stop.signal, pem, user, boundary, ...stores },
      census: () => ({ startedMs: startedMs - performance.timeOrigin, others }),
    })
  } catch (error) {
    const exitCode = exitCodeOf(error)
    send({ kind: 'failed', line: lineOf(error), exitCode }, () => process.exit(exitCode))
    return
  }
  serving.setCertificate(certificate)
  const { urls, closed } = serving
  send({ kind: 'ready', urls })
  setInterval(() => {
    if (serving === null) return
    const { subscribers, waiting, ...costs } = serving.count()
    send({ kind: 'count', count: { ...costs, subscribers: mostOf(subscribers), waiting: mostOf(waiting) } })
  }, COUNT_MS)
  await closed
  process.exit(0)
}

async function openStores(names: readonly string[]): Promise<Stores> {
  const open = (at: number): Promise<Store> => {
    const socket = new Socket({ fd: FIRST_STORE_FD + at, readable: true, writable: true })
    return openRemoteStore(socket, () => process.exit(0))
  }
  const store = await open(0)
  const stores = new Map<string, Store>()
  for (const [at, name] of names.entries()) stores.set(name, await open(at + 1))
  return { store, stores }
}

function mostOf(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  if (counts.size <= MAX_TOLD) return counts
  return new Map([...counts].sort(([, one], [, other]) => other - one).slice(0, MAX_TOLD))
}

function send(letter: LetterToPrimary, onSent: () => void = () => undefined): void {
  process.send?.(letter, undefined, undefined, onSent)
}
