// `msgbus chat`: a conversation in a room, which is a channel. What is typed is published, and shown when the bus delivers
// it, as everybody's lines are: one order for all, and nothing that only looks sent.

import { setTimeout } from 'node:timers/promises'
import { parseCursor } from '../../src/cursor.ts'
import { MsgbusError } from '../../src/errors.ts'
import { type Client, connect, type ReceivedMessage } from '../index.ts'
import { authorOf, readMarks, senderOf, tidyName, writeType } from '../marks.ts'
import { essenceOf } from '../message.ts'
import { type ChatScreen, openPipe, openTerminal } from './chat-screen.ts'
import type { Arguments, Command, Surroundings } from './command.ts'
import { EXIT_DONE, EXIT_FAILED, UsageError } from './command-error.ts'
import { TEXT_TYPE } from './input.ts'
import { readFetch, TIMEOUT } from './patience.ts'
import { formatSize, formatTime, printable, quote } from './printable.ts'
import { readSender } from './pub.ts'
import { receive } from './receive.ts'
import { readText } from './show.ts'
import { type Style, styleFor } from './style.ts'
import { readChannel } from './target.ts'

const DEFAULT_ROOM = 'chatdemo'
const HISTORY = '-20'
/** How long the last own lines are waited for, once there is nothing more to send. */
const MAX_ECHO_MS = 5000

/** What other programs of ours say to each other in a room. */
const MACHINE_TYPE = /^application\/x-msgbus-/i

export const CHAT: Command = {
  title: 'msgbus chat',
  operands: '[CHANNEL|URL]',
  minOperands: 0,
  maxOperands: 1,
  summary: `Talks in a room: each line you type is published to the channel, ${DEFAULT_ROOM} by default.`,
  options: [
    {
      name: 'name',
      short: 'n',
      placeholder: 'NAME',
      help: 'Your name; otherwise the one in the URL, or that of your account.',
    },
    TIMEOUT,
  ],
  notes: [
    'It begins with the last 20 messages, if the server keeps them. Pictures and files are shown as their name, type and size. ' +
      '/quit, Ctrl-D or Ctrl-C ends it. In a pipe, lines of stdin are sent, and everybody\'s lines come out as "name: text".',
    'CHANNEL is one of http://127.0.0.1:8888, or of the server in MSGBUS_URL. A URL may hold name:password@.',
  ],
  run,
}

async function run(given: Arguments, surroundings: Surroundings): Promise<number> {
  const { env, stdin, output, followStop } = surroundings
  const target = readChannel(given.operands[0] ?? DEFAULT_ROOM, env)
  const name = readName(given) ?? target.user ?? accountName(env)
  const client = connect(target.address, { fetch: readFetch(given) })
  const isInteractive = stdin.isTTY && output.isTerminal && env.TERM !== 'dumb'
  const screen = isInteractive ? openTerminal(output, stdin) : openPipe(surroundings)
  const write = isInteractive ? writeWithTime(styleFor(output, env)) : writePlain
  const conversation = new Conversation({ client, channel: target.channel, name, screen, write })
  const over = new AbortController()
  const stop = AbortSignal.any([followStop(), over.signal])
  let listening = Promise.resolve()
  const opened = new Promise<void>(resolve => {
    const tell = (text: string): void => {
      screen.tell(text)
    }
    const options = { since: HISTORY, reconnects: true, stop, tell, onOpen: resolve }
    listening = conversation.listen(receive(client, target, options))
  })
  try {
    // Nothing is sent before it would be seen.
    await Promise.race([listening, opened.then(() => conversation.talk())])
    over.abort()
    await listening
  } finally {
    screen.close()
    client.close()
  }
  return conversation.unsentCount === 0 ? EXIT_DONE : EXIT_FAILED
}

interface ConversationOptions {
  readonly client: Client
  readonly channel: string
  readonly name: string
  readonly screen: ChatScreen
  /** How a message looks. */
  readonly write: (message: ReceivedMessage) => string
}

/** Both directions of a room. */
class Conversation {
  readonly #options: ConversationOptions
  #lastOwn: string | null = null
  #lastShown: string | null = null
  #onShown: () => void = () => undefined
  unsentCount = 0

  constructor(options: ConversationOptions) {
    this.#options = options
  }

  async listen(messages: AsyncIterable<ReceivedMessage>): Promise<void> {
    const { screen, write } = this.#options
    for await (const message of messages) {
      if (!MACHINE_TYPE.test(message.type)) await screen.show(write(message))
      this.#lastShown = message.id
      this.#onShown()
    }
  }

  /** Sends what is typed until there is no more; resolves when it has been shown, too. */
  async talk(): Promise<void> {
    for await (const line of this.#options.screen.lines) {
      if (line.trim() === '/quit') break
      if (line.trim() !== '') await this.#send(line)
    }
    if (this.#isShown()) return
    const shown = new Promise<void>(resolve => {
      this.#onShown = () => {
        if (this.#isShown()) resolve()
      }
    })
    await Promise.race([shown, setTimeout(MAX_ECHO_MS)])
  }

  async #send(line: string): Promise<void> {
    const { client, channel, name, screen } = this.#options
    // What a header cannot hold of a name goes where the page of the chat puts it, too.
    const type = writeType(TEXT_TYPE, { nonce: null, name, fileName: null })
    try {
      const { id } = await client.publish(channel, line, { type, sender: senderOf(name) ?? '' })
      this.#lastOwn = id
    } catch (error) {
      // The conversation goes on without it.
      if (!(error instanceof MsgbusError)) throw error
      this.unsentCount++
      screen.tell(`not sent: ${quote(line)}: ${error.message}`)
    }
  }

  #isShown(): boolean {
    const own = parseCursor(this.#lastOwn ?? '')
    const shown = parseCursor(this.#lastShown ?? '')
    return own === null || (shown !== null && shown.epoch === own.epoch && shown.seq >= own.seq)
  }
}

/** As the page takes it: a name need not be ASCII, but short and on one line then. */
function readName(given: Arguments): string | undefined {
  const name = given.valueOf('name')
  if (name === undefined || /^[\x20-\x7e]*$/.test(name)) return readSender(given, 'name')
  const tidied = tidyName(name)
  if (tidied === name && !name.includes(':')) return name
  throw new UsageError(
    'Cannot use option "--name": expected at most 24 visible characters without a colon, fewer if they are far from ASCII',
  )
}

function accountName({ USER, USERNAME }: NodeJS.ProcessEnv): string {
  const name = (USER ?? USERNAME ?? '').replace(/[^!-~]|:/g, '')
  return name === '' ? 'anonymous' : name
}

/** `name: text`; what stands behind the first line is set in, so that nobody writes lines for others. */
function writePlain(message: ReceivedMessage): string {
  return `${nameOf(message)}: ${textOf(message)}`
}

function writeWithTime({ dim, sender }: Style): (message: ReceivedMessage) => string {
  return message => {
    const time = formatTime(message.time ?? new Date())
    return `${dim(time)} ${sender(nameOf(message))}: ${textOf(message)}`
  }
}

function nameOf({ type, sender }: ReceivedMessage): string {
  return printable(authorOf(sender, readMarks(type).name) ?? 'anonymous')
}

function textOf(message: ReceivedMessage): string {
  const { type, byteLength } = message
  const { fileName } = readMarks(type)
  const about = [...(fileName === null ? [] : [fileName]), essenceOf(type), formatSize(byteLength)]
  const text = readText(message) ?? `[${about.map(printable).join(', ')}]`
  return text.replace(/\n+$/, '').replaceAll('\n', '\n  ')
}
