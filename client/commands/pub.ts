// `msgbus pub`: publishes an argument, a file, or what comes through a pipe.

import { checkSender, checkType } from '../../src/message.ts'
import { MsgbusError } from '../../src/errors.ts'
import { type Client, connect } from '../index.ts'
import type { Arguments, Command, Surroundings } from './command.ts'
import { EXIT_DONE, UsageError } from './command-error.ts'
import { guessType, openSource, readChunks, readWhole, TEXT_TYPE } from './input.ts'
import { readLines } from './lines.ts'
import { readFetch, TIMEOUT } from './patience.ts'
import { quote } from './printable.ts'
import { readChannel } from './target.ts'

/** Such a body is many messages: it is sent while it comes, and may never end. */
const STREAM_TYPE = /^multipart\/(?:mixed|x-mixed-replace)\b/i

export const PUB: Command = {
  title: 'msgbus pub',
  operands: 'CHANNEL|URL [MESSAGE|-]',
  minOperands: 1,
  maxOperands: 2,
  summary: 'Publishes MESSAGE, or a file, or without both what stands on stdin, as one message.',
  options: [
    { name: 'file', short: 'f', placeholder: 'FILE', help: 'Publish a file; - is stdin.' },
    {
      name: 'type',
      short: 't',
      placeholder: 'TYPE',
      help:
        'Media type. Otherwise it is guessed from the name of the file; without one it is text/plain if the bytes are ' +
        'UTF-8, and application/octet-stream if not.',
    },
    { name: 'lines', help: 'Publish each line by itself, as soon as it is there.' },
    { name: 'sender', placeholder: 'NAME', help: 'Publish under this name, in place of the one in the URL.' },
    TIMEOUT,
  ],
  notes: [
    'With a type of multipart/x-mixed-replace or multipart/mixed each part is a message, published when it is complete; ' +
      'the input may go on for ever, as a camera does.',
    'CHANNEL is one of http://127.0.0.1:8888, or of the server in MSGBUS_URL. A URL may hold name:password@.',
  ],
  run,
}

async function run(given: Arguments, surroundings: Surroundings): Promise<number> {
  const [word = '', message] = given.operands
  const { address, channel } = readChannel(word, surroundings.env)
  const type = readType(given)
  const sender = readSender(given, 'sender')
  const path = given.valueOf('file')
  checkChoice(given, message)
  const client = connect(address, { fetch: readFetch(given) })
  const publish = { client, channel, type, sender }
  if (message !== undefined && message !== '-') {
    await client.publish(channel, message, { type, sender })
  } else {
    const input = { ...publish, path: path ?? '-', surroundings }
    await (given.has('lines') ? publishLines(input) : publishSource(input))
  }
  client.close()
  return EXIT_DONE
}

/** What to publish and where. */
export interface Publishing {
  readonly client: Client
  readonly channel: string
  /** Undefined to guess it. */
  readonly type: string | undefined
  readonly sender: string | undefined
  readonly path: string
  readonly surroundings: Surroundings
}

/** Publishes a file, or stdin if the path is `-`. */
export async function publishSource(publishing: Publishing): Promise<void> {
  const { client, channel, type, sender, path, surroundings } = publishing
  const source = await openSource(path, surroundings)
  if (type !== undefined && STREAM_TYPE.test(type)) {
    await client.publish(channel, readChunks(source), { type, sender })
    return
  }
  const bytes = await readWhole(source)
  await client.publish(channel, bytes, { type: type ?? guessType(source, bytes), sender })
}

// One request each: a line is on the bus when the next one is read, and an error belongs to its line.
async function publishLines({
  client,
  channel,
  type = TEXT_TYPE,
  sender,
  path,
  surroundings,
}: Publishing): Promise<void> {
  const source = await openSource(path, surroundings)
  for await (const line of readLines(readChunks(source)))
    await client.publish(channel, line, { type, sender })
}

/** The option `type`, checked. @throws {UsageError} */
export function readType(given: Arguments): string | undefined {
  const type = given.valueOf('type')
  if (type === undefined) return undefined
  const isKept = orUsage('type', () => checkType(type)) === type
  if (!isKept)
    throw new UsageError(`Cannot use option "--type": found ${quote(type)}, expected a type like text/plain`)
  return type
}

/** An option that names a sender, checked. @throws {UsageError} */
export function readSender(given: Arguments, name: string): string | undefined {
  const sender = given.valueOf(name)
  if (sender === undefined) return undefined
  if (sender.includes(':')) throw new UsageError(`Cannot use option "--${name}": a name holds no colon`)
  orUsage(name, () => checkSender(sender))
  return sender
}

function orUsage<Found>(name: string, check: () => Found): Found {
  try {
    return check()
  } catch (error) {
    if (error instanceof MsgbusError) throw new UsageError(`Cannot use option "--${name}": ${error.message}`)
    throw error
  }
}

function checkChoice(given: Arguments, message: string | undefined): void {
  const hasText = message !== undefined && message !== '-'
  if (message !== undefined && given.has('file'))
    throw new UsageError('Cannot publish a file and a MESSAGE at once: expected one of them')
  if (hasText && given.has('lines'))
    throw new UsageError('Cannot publish the lines of a MESSAGE: expected a file or stdin')
}
