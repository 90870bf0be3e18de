// What the tests of the load tools share: the real programs as processes of their own, messages as test-pub makes them,
// and servers in front of a server that spoil what passes. Text stands for bytes here, one character each (latin1). Not
// a test.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { clockId, nowNs } from '../../tools/clock.ts'
import { Composer } from '../../tools/test-pub/composer.ts'
import { Payload } from '../../tools/test-pub/payload.ts'
import { Command } from '../command.ts'
import { chunk, put, type TestServer } from '../wire/server.ts'

export const SUB = fileURLToPath(new URL('../../tools/test-sub/test-sub.js', import.meta.url))
export const PUB = fileURLToPath(new URL('../../tools/test-pub/test-pub.js', import.meta.url))

/** What a tool that was called with `--json` came to. */
export interface Result {
  readonly code: number | null
  /** Empty if it printed none. */
  readonly json: Readonly<Record<string, unknown>>
  /** The lines of stderr. */
  readonly lines: readonly string[]
}

/** Runs test-pub to its end. */
export async function runPub(t: Test, port: number, ...args: readonly string[]): Promise<Result> {
  return await resultOf(startTool(t, PUB, ['-p', `${port}`, '--json', ...args]))
}

/** Starts test-sub, and resolves when its streams are open. */
export async function startSub(t: Test, port: number, ...args: readonly string[]): Promise<Command> {
  const sub = startTool(t, SUB, ['-p', `${port}`, '--json', ...args])
  await sub.readThrough(' open\n')
  return sub
}

/** Starts a tool with stderr and stdout in one. */
export function startTool(t: Test, tool: string, args: readonly string[]): Command {
  return new Command(t, '/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', process.execPath, tool, ...args])
}

/** Waits for the end of a tool. */
export async function resultOf(command: Command): Promise<Result> {
  const { code, stdout } = await command.ended()
  const all = stdout.split('\n').filter(line => line !== '')
  const json = all.find(line => line.startsWith('{'))
  return {
    code,
    json: json === undefined ? {} : (JSON.parse(json) as Result['json']),
    lines: all.filter(line => !line.startsWith('{')),
  }
}

/** Publishes stamped messages of 100 bytes as a run of test-pub does, but without the program. */
export function publishStamped(server: TestServer, count: number, channels = ['flood']): void {
  for (const [number, body] of stampedBodies(count, channels).entries()) {
    put(server, channels[number % channels.length] ?? '', body)
  }
}

/** Messages of a run that begins now, which go to these channels in turn; 100 bytes each. */
export function stampedBodies(count: number, channels = ['flood']): readonly string[] {
  const composer = new Composer({
    frame: { prefixes: channels.map(() => Buffer.alloc(0)), suffix: Buffer.alloc(0) },
    channels,
    publisher: 0,
    payload: Payload.pattern(13, true),
    clock: clockId(),
    runNs: nowNs(),
  })
  const bytes = Buffer.alloc(composer.maxMessageBytes)
  return Array.from({ length: count }, (_, number) =>
    bytes.toString('latin1', 0, composer.write(bytes, 0, number, nowNs())),
  )
}

/** Listens on a free port of 127.0.0.1 until the test is over. */
export async function listen(t: Test, server: Server, onSocket?: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    // What breaks here is the connection of a tool, and the tool is what is looked at.
    socket.on('error', () => undefined)
    onSocket?.(socket)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A server that sends this to everybody, and then closes if it is told to. */
export function serveText(t: Test, text: string, isOver = false): Promise<number> {
  return listen(t, createServer(), socket => {
    socket.once('data', () => {
      socket.write(text, 'latin1')
      if (isOver) socket.end()
    })
  })
}

/** What a proxy does with a part: sends these in its place, or breaks the connection off behind this text. */
export type Edit = (part: string, number: number) => readonly string[] | { readonly cutBehind: string }

/**
 * Opens a proxy that hands each part of a stream to `edit`, in chunks of one part each as the server sends them.
 * @param edit The first message has number 0.
 */
export function startProxy(t: Test, server: { readonly port: number }, edit: Edit): Promise<number> {
  return listen(t, createServer(), client => {
    const upstream = connect(server.port, '127.0.0.1')
    upstream.on('error', () => undefined)
    t.teardown(() => {
      upstream.destroy()
    })
    client.pipe(upstream)
    let text = ''
    let number = -2
    upstream.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      for (;;) {
        const end = number === -2 ? headEnd(text) : chunkEnd(text)
        if (end === null) return
        const piece = text.slice(0, end)
        text = text.slice(end)
        // The head, the opening boundary and the closing one pass as they are.
        if (number < 0 || !piece.includes('\r\n\r\n', 6)) {
          number++
          client.write(piece, 'latin1')
          continue
        }
        const edited = edit(piece.slice(piece.indexOf('\r\n') + 2, -2), number++)
        if ('cutBehind' in edited) {
          client.end(`${(piece.length + 99).toString(16)}\r\n${edited.cutBehind}`, 'latin1')
          upstream.destroy()
          return
        }
        client.write(edited.map(chunk).join(''), 'latin1')
      }
    })
    upstream.on('end', () => {
      client.end()
    })
  })
}

function headEnd(text: string): number | null {
  const at = text.indexOf('\r\n\r\n')
  return at < 0 ? null : at + 4
}

function chunkEnd(text: string): number | null {
  const at = text.indexOf('\r\n')
  const end = at + 2 + Number.parseInt(text.slice(0, at), 16) + 2
  return at < 0 || end > text.length ? null : end
}
