// Watches, with strace, what a process that publishes does to the files of its store, and has the system kill it or fail
// at a call of its choice. Not a test.

import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { startPublisher } from './killing.ts'
import type { Work } from './publisher.ts'

/** Every call by which a store changes what is on disk. */
export const CHANGES = [
  ...['openat', 'mkdir', 'write', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'unlink', 'ftruncate'],
] as const

export type Change = (typeof CHANGES)[number]

export interface TraceOptions {
  readonly work: Work
  /** Where the calls are written down. */
  readonly traceFile: string
  /** As in `strace -e inject=`: what happens instead of a call, such as `fdatasync:error=EIO:when=3`. */
  readonly inject?: string
  /** Names of files, below the store's directory, that alone are looked at; all of the store by default, null for everything. */
  readonly only?: readonly string[] | null
}

// The engine numbers its files. So many are never reached here.
const NUMBERS = Array.from({ length: 40 }, (_, at) => `${at + 1}`.padStart(6, '0'))
const ENGINE_FILES = [
  ...NUMBERS.flatMap(number => [`${number}.log`, `${number}.ldb`, `${number}.dbtmp`, `MANIFEST-${number}`]),
  ...['CURRENT', 'LOG', 'LOCK'],
].map(name => `messages/${name}`)
const FILES = ['', 'msgbus-store', 'msgbus-store.new', 'process', 'acknowledged', 'messages', ...ENGINE_FILES]

/** Starts a process that publishes, with an eye on it. */
export function tracePublisher({ work, traceFile, inject, only = FILES }: TraceOptions): ChildProcess {
  const paths = (only ?? []).flatMap(name => ['-P', join(work.path, name)])
  const injection = inject === undefined ? [] : ['-e', `inject=${inject}`]
  const strace = ['strace', '-f', '-y', '-qq', '-s', '32', '-o', traceFile, '-e', `trace=${CHANGES.join()}`]
  // One thread, so that the engine's calls have one order.
  return startPublisher(work, [...strace, ...injection, ...paths], { UV_THREADPOOL_SIZE: '1' })
}

/** One call that has come back. */
export interface Call {
  readonly name: string
  /** Its arguments and its result, as strace prints them. */
  readonly text: string
  /** Name of the file, without its folder. */
  readonly file: string
  readonly result: number
  /** Lines of the trace at which it began and ended. */
  readonly start: number
  readonly end: number
}

/** Reads the calls that came back, in the order in which they did. */
export function readTrace(traceFile: string): readonly Call[] {
  const calls: Call[] = []
  const begun = new Map<string, { readonly text: string; readonly start: number }>()
  for (const [line, text] of readFileSync(traceFile, 'latin1').split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(text) ?? []
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest)
    if (unfinished !== null) begun.set(thread, { text: unfinished[1] ?? '', start: line })
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const before = resumed === null ? undefined : begun.get(thread)
    const whole = resumed === null ? rest : `${before?.text ?? ''}${resumed[1] ?? ''}`
    const [, name, result] = /^(\w+)\(.*\) += (-?\d+)/.exec(whole) ?? []
    if (unfinished !== null || name === undefined) continue
    const path =
      /<([^>]+)>/.exec(name === 'openat' ? whole.slice(whole.lastIndexOf(' = ')) : whole)?.[1] ?? ''
    calls.push({
      name,
      text: whole,
      file: basename(path),
      result: Number(result),
      start: before?.start ?? line,
      end: line,
    })
  }
  return calls
}
