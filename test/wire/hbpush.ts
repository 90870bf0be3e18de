// What the tests of the hbpush protocol share: a server with a location of each kind, and a subscriber that does what old
// ones do, which is to send back what the last answer said. Not a test.

import type { Test } from 'tap'
import { Bus } from '../../src/bus/bus.ts'
import type { HbpushLocation } from '../../src/protocols/hbpush/location.ts'
import type { ServerOptions } from '../../src/server.ts'
import { type FileStoreOptions, openFileStore } from '../../src/store/file.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../src/store/memory.ts'
import { TIME_MS } from '../still-bus.ts'
import { type Answer, ask, connect, type Connection, requestText, start, type TestServer } from './server.ts'

/** What a test moves on. */
export interface Clock {
  nowMs: number
}

/** A publisher location, whose pattern is the whole path. */
export function publisherAt(pattern: string, options: { store?: string; createsOnPost?: boolean } = {}) {
  return {
    ...{ kind: 'publisher', store: 'default', createsOnPost: true, ...options },
    pattern: new RegExp(`^(?:${pattern})$`),
  } satisfies HbpushLocation
}

/** A subscriber location that waits, unless it is told otherwise. */
export function subscriberAt(
  pattern: string,
  options: { store?: string; isLong?: boolean; createsOnGet?: boolean } = {},
) {
  return {
    ...{ kind: 'subscriber', store: 'default', isLong: true, createsOnGet: false, ...options },
    pattern: new RegExp(`^(?:${pattern})$`),
  } satisfies HbpushLocation
}

/** Those of hbpushd, and one for subscribers that do not wait. */
export const LOCATIONS: readonly HbpushLocation[] = [
  publisherAt('/publisher/(.+)'),
  publisherAt('/strict/(.+)', { createsOnPost: false }),
  subscriberAt('/subscriber/(.+)'),
  subscriberAt('/interval/(.+)', { isLong: false }),
  subscriberAt('/creating/(.+)', { isLong: false, createsOnGet: true }),
]

export interface HbpushServer extends TestServer {
  readonly clock: Clock
}

/** Starts a server with a location of each kind and a clock that stands still. */
export async function startHbpush(
  t: Test,
  options: ServerOptions = {},
  retention: MemoryStoreOptions = {},
): Promise<HbpushServer> {
  const clock: Clock = { nowMs: TIME_MS }
  const bus = new Bus({ store: new MemoryStore({ ...retention, now: () => clock.nowMs }) })
  return { ...(await start(t, { bus, hbpush: LOCATIONS, ...options })), clock }
}

/** Starts a server on what is in a directory, with a location of each kind. `close` ends it and its store. */
export async function startOnFile(t: Test, path: string, options: FileStoreOptions = {}) {
  const store = await openFileStore(path, options)
  const server = await start(t, { bus: new Bus({ store }), hbpush: LOCATIONS })
  return {
    ...server,
    close: async () => {
      await server.server.close(0)
      await store.close()
    },
  }
}

export function post(t: Test, server: TestServer, id: string, body: string, type = 'text/plain') {
  return ask(t, server, 'POST', `/publisher/${id}`, { headers: [`Content-Type: ${type}`], body })
}

/** Header lines that go on behind an answer. */
export function validators({ headers }: Pick<Answer, 'headers'>): readonly string[] {
  const date = headers.get('last-modified')
  const etag = headers.get('etag')
  return [
    ...(date === undefined ? [] : [`If-Modified-Since: ${date}`]),
    ...(etag === undefined ? [] : [`If-None-Match: ${etag}`]),
  ]
}

/** Asks once, without waiting, behind another answer or with header lines. */
export function poll(
  t: Test,
  server: TestServer,
  id: string,
  headers: readonly string[] = [],
): Promise<Answer> {
  return ask(t, server, 'GET', `/interval/${id}`, { headers })
}

/** Asks on one connection until nothing is left, and returns the answers that were messages. */
export async function chain(t: Test, server: TestServer, id: string): Promise<readonly Answer[]> {
  const connection = await connect(t, server)
  const answers: Answer[] = []
  for (;;) {
    const last = answers.at(-1)
    const headers = last === undefined ? [] : validators(last)
    connection.send(requestText('GET', `/interval/${id}`, { headers }))
    const answer = await connection.readAnswer()
    if (answer.status === 304) return answers
    if (answer.status !== 200) throw new Error(`Cannot read a chain: ${answer.line}; ${answer.body}`)
    answers.push(answer)
  }
}

export function bodiesOf(answers: readonly Answer[]): readonly string[] {
  return answers.map(({ body }) => body)
}

/** Asks on a connection, and returns it once the server waits for a message. */
export async function wait(
  t: Test,
  server: TestServer,
  id: string,
  { headers = [], count = 1 }: { readonly headers?: readonly string[]; readonly count?: number } = {},
): Promise<Connection> {
  const connection = await connect(t, server)
  connection.send(requestText('GET', `/subscriber/${id}`, { headers }))
  await untilWaiting(server, count)
  return connection
}

/** Waits until so many are waiting. */
export async function untilWaiting({ server }: TestServer, count: number): Promise<void> {
  for (;;) {
    const found = [...server.bus.subscriberCounts().values()].reduce((sum, number) => sum + number, 0)
    if (found === count) return
    await new Promise(setImmediate)
  }
}
