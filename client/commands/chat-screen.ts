// Where a conversation is typed and shown: a terminal, whose input stays below what others say, or a pipe. Knows no bus.

import { on } from 'node:events'
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline'
import { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { ReadStream } from 'node:tty'
import type { Surroundings } from './command.ts'
import { readChunks } from './input.ts'
import { readLines } from './lines.ts'
import type { Output } from './output.ts'
import { printable } from './printable.ts'

const PROMPT = '> '

export interface ChatScreen {
  /** What is typed, line by line, without line ends. To be read once. */
  readonly lines: AsyncIterable<string>
  /** Shows text, which must be printable; resolves when it has been taken. */
  show(text: string): Promise<void>
  /** Says something about the conversation itself. */
  tell(text: string): void
  close(): void
}

/** Lines in, lines out; what is told goes to stderr. */
export function openPipe({ stdin, output, tell }: Surroundings): ChatScreen {
  return {
    lines: decode(readLines(readChunks({ path: null, name: 'stdin', stream: stdin }))),
    show: text => output.write(`${text}\n`),
    tell,
    close: () => undefined,
  }
}

async function* decode(lines: AsyncIterable<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder()
  for await (const line of lines) yield decoder.decode(line)
}

/** A prompt at the bottom; what is typed is taken away when it is sent, since it comes back as a message. */
export function openTerminal(output: Output, stdin: ReadStream): ChatScreen {
  return new Terminal(output, stdin)
}

async function* typed(events: AsyncIterable<unknown[]>): AsyncGenerator<string, undefined> {
  for await (const [line] of events) yield String(line)
}

/**
 * The terminal's input, one character at a time. Readline takes several at once for a paste, puts them at the end wherever
 * the cursor is, and loses count of the rows they fill (Node 20).
 */
class Keys extends Readable {
  readonly #stdin: ReadStream
  readonly #decoder = new StringDecoder()

  constructor(stdin: ReadStream) {
    super({ encoding: 'utf8', read: () => undefined })
    this.#stdin = stdin
    stdin.on('data', (data: Buffer) => {
      for (const character of this.#decoder.write(data)) this.push(character)
    })
    stdin.on('end', () => this.push(null))
    stdin.on('error', error => this.destroy(error))
  }

  /** Asked for by readline. */
  setRawMode(isRaw: boolean): void {
    this.#stdin.setRawMode(isRaw)
  }
}

class Terminal implements ChatScreen {
  readonly lines: AsyncIterable<string>
  readonly #output: Output
  readonly #input: Interface
  #typedRows = 0
  #isClosed = false

  constructor(output: Output, stdin: ReadStream) {
    this.#output = output
    const keys = new Keys(stdin)
    const input = createInterface({ input: keys, output: output.stream, prompt: PROMPT })
    this.#input = input
    // Ahead of readline, which forgets how many rows were typed.
    keys.prependListener('keypress', (_text: unknown, key: { readonly name?: string } | undefined) => {
      if (key?.name !== 'return' && key?.name !== 'enter') return
      input.write(null, { ctrl: true, name: 'e' })
      this.#typedRows = input.getCursorPos().rows + 1
    })
    input.on('line', () => {
      moveCursor(output.stream, 0, -this.#typedRows)
      clearScreenDown(output.stream)
      input.prompt()
    })
    input.on('close', () => {
      this.#isClosed = true
    })
    this.lines = typed(on(input, 'line', { close: ['close'] }))
    input.prompt()
  }

  async show(text: string): Promise<void> {
    if (this.#isClosed) return this.#output.write(`${text}\n`)
    const { stream } = this.#output
    const { rows } = this.#input.getCursorPos()
    moveCursor(stream, 0, -rows)
    cursorTo(stream, 0)
    clearScreenDown(stream)
    // The prompt is drawn from as many rows above as it had: they are put below the text first.
    await this.#output.write(`${text}\n${'\n'.repeat(rows)}`)
    this.#input.prompt(true)
  }

  tell(text: string): void {
    // What fails here fails for the next message, too.
    this.show(`* ${printable(text)}`).catch(() => undefined)
  }

  close(): void {
    this.#input.close()
    if (!this.#isClosed) return
    cursorTo(this.#output.stream, 0)
    clearScreenDown(this.#output.stream)
  }
}
