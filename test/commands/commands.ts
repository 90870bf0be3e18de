// What the tests of the command line share: the real programs, run as their users run them, against a real server or one
// that only pretends. Not a test.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { Command, type CommandOptions, type Ending } from '../command.ts'
import { CLI } from '../program.ts'
import type { TestServer } from '../wire/server.ts'

const FOLDER = fileURLToPath(new URL('../../client/commands/', import.meta.url))

export interface RunOptions extends CommandOptions {
  /** The server for bare words. */
  readonly server?: { readonly port: number }
  /** True to have stderr in stdout, for who waits for what is told there. */
  readonly isMerged?: boolean
}

/** What every program says that fails. A second line would be a stack, or the silence of somebody who goes on. */
export const ONE_LINE = /^(?:msgbus(?: \w+)?|msgsend|msgdump): [^\n]{10,400}\n$/

/** Starts `msgbus` with these arguments. */
export function msgbus(t: Test, args: readonly string[], options: RunOptions = {}): Command {
  return start(t, CLI, args, options)
}

/** Starts `msgsend` or `msgdump`. */
export function seedProgram(
  t: Test,
  name: 'msgsend' | 'msgdump',
  args: readonly string[],
  options: RunOptions = {},
): Command {
  return start(t, `${FOLDER}${name}.js`, args, options)
}

/** Runs `msgbus` to its end. */
export function run(t: Test, args: readonly string[], options: RunOptions = {}): Promise<Ending> {
  return msgbus(t, args, options).ended()
}

function start(t: Test, path: string, args: readonly string[], options: RunOptions): Command {
  const { isMerged = false, ...others } = options
  const env = environment(options)
  const program = [process.execPath, path, ...args]
  if (!isMerged) return new Command(t, program[0] ?? '', program.slice(1), { ...others, env })
  return new Command(t, 'sh', ['-c', 'exec "$@" 2>&1', 'sh', ...program], { ...others, env })
}

/**
 * Runs `msgbus` on a terminal of its own, 60 columns wide, with everything that it writes, escape sequences too, as its
 * stdout. Needs `script`.
 */
export function onTerminal(t: Test, args: readonly string[], options: RunOptions = {}): Command {
  const quoted = [process.execPath, CLI, ...args].map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  // Nothing is echoed twice: the program does it, or nobody. Node warns of two wishes about colours.
  const line = `stty cols 60 rows 24 -echo; unset FORCE_COLOR; exec ${quoted}`
  const env = { TERM: 'xterm', ...environment(options) }
  return new Command(t, 'script', ['-qefc', line, '/dev/null'], { isInteractive: true, ...options, env })
}

function environment({ server, env = {} }: RunOptions): Record<string, string> {
  const url = server === undefined ? {} : { MSGBUS_URL: urlOf(server) }
  // tap has every node load things of its own, which a user does not have.
  return { NODE_OPTIONS: '', NO_COLOR: '', USER: 'ann', TZ: 'UTC', ...url, ...env }
}

/** Of the server, without a slash at the end. */
export function urlOf({ port }: { readonly port: number }): string {
  return `http://127.0.0.1:${port}`
}

/** Waits until so many have subscribed since the server started. */
export async function subscribed({ log }: TestServer, count = 1): Promise<void> {
  await log.until('sub', count)
}

/** Answers every connection with the same bytes, and leaves it to `then` what becomes of it. */
export async function pretend(
  t: Test,
  bytes: string,
  then: (socket: Socket) => void = socket => socket.end(),
): Promise<{ readonly port: number }> {
  const server = createServer(socket => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write(Buffer.from(bytes, 'latin1'), () => {
        then(socket)
      })
    })
    t.teardown(() => socket.destroy())
  })
  t.teardown(() => {
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port }
}

/** A port that refuses connections for as long as the test lasts: it is in use, but not for listening. */
export async function refusingPort(t: Test): Promise<number> {
  const server = await pretend(t, '')
  const socket = connect(server.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const { localPort } = socket
  if (localPort === undefined) throw new Error('Cannot tell the port: the socket is closed')
  return localPort
}

const STREAM_HEAD = [
  'HTTP/1.1 200 OK',
  'Content-Type: multipart/x-mixed-replace; boundary=b',
  'Connection: close',
  '\r\n--b\r\n',
].join('\r\n')

/** A stream of parts whose header lines are anybody's. */
export function stream(
  ...parts: readonly { readonly lines: readonly string[]; readonly body: string }[]
): string {
  const written = parts.map(({ lines, body }) => {
    const head = [...lines, `Content-Length: ${body.length}`]
    return `${head.join('\r\n')}\r\n\r\n${body}\r\n--b\r\n`
  })
  return `${STREAM_HEAD}${written.join('')}`
}
