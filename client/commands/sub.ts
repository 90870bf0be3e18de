// `msgbus sub`: shows, saves or hands on what is published.

import { connect, type ReceivedMessage } from '../index.ts'
import { readCount } from './arguments.ts'
import type { Arguments, Command, Surroundings } from './command.ts'
import { EXIT_DONE, EXIT_FAILED } from './command-error.ts'
import { execute } from './execute.ts'
import { readFetch, TIMEOUT } from './patience.ts'
import { receive } from './receive.ts'
import { MessageFolder } from './save.ts'
import { type Show, showBody, showDetails, showFields, showJson, showMessage } from './show.ts'
import { styleFor } from './style.ts'
import { readTarget } from './target.ts'
import { Totals } from './totals.ts'

export const SUB: Command = {
  title: 'msgbus sub',
  operands: '[CHANNEL|URL]',
  minOperands: 0,
  maxOperands: 1,
  summary: 'Shows what is published: a/b is that channel, a/ all below it, a,b both, nothing everything.',
  options: [
    {
      name: 'type',
      short: 't',
      placeholder: 'LIST',
      help: 'Only types that match, such as image/*,text/plain*.',
    },
    { name: 'sender', short: 's', placeholder: 'LIST', help: 'Only senders that match, such as alice,bob.' },
    {
      name: 'since',
      placeholder: 'PLACE',
      dashed: /^-\d+$/,
      help: 'Begin in the past: -20 is the last 20 messages, 10m the last 10 minutes, also a time, an id, all.',
    },
    { name: 'count', placeholder: 'N', help: 'Stop after N messages.' },
    {
      name: 'quiet',
      short: 'q',
      help: 'Details of each message, no bodies; in a pipe time, channel, type, sender, length, tabs between them.',
    },
    { name: 'json', help: 'A line of JSON for each message; bodies that are no text in base64.' },
    {
      name: 'save',
      placeholder: 'DIR',
      help: 'Write each message to a file of its own in DIR, and print its name instead of the body.',
    },
    {
      name: 'exec',
      placeholder: 'CMD',
      help:
        'Run CMD through the shell for each message, one at a time, with the body on its stdin and MSGBUS_CHANNEL, ' +
        'MSGBUS_TYPE, MSGBUS_SENDER and MSGBUS_ID in its environment.',
    },
    { name: 'no-reconnect', help: 'Stop with an error when the connection is lost.' },
    TIMEOUT,
  ],
  notes: [
    'On a terminal each message is a line of details and its text; in a pipe its body alone, byte for byte, and a line ' +
      'end unless it has one. What was lost on the way, and totals after Ctrl-C, are told on stderr.',
    'CHANNEL is one of http://127.0.0.1:8888, or of the server in MSGBUS_URL. A URL may hold name:password@.',
  ],
  run,
}

/** Does something with a message; resolves when the next one may come. */
type Outlet = (message: ReceivedMessage) => Promise<void>

async function run(given: Arguments, surroundings: Surroundings): Promise<number> {
  const { env, output, tell, followStop } = surroundings
  const target = readTarget(given.operands[0], env)
  const maxCount = readCount(given, 'count')
  const totals = new Totals()
  const stop = followStop()
  const outlets = await openOutlets(given, surroundings, totals, stop)
  const client = connect(target.address, { fetch: readFetch(given) })
  const messages = receive(client, target, {
    type: given.valueOf('type'),
    sender: given.valueOf('sender'),
    since: given.valueOf('since'),
    reconnects: !given.has('no-reconnect'),
    stop,
    tell,
    onOpen: () => {
      // Else a person would not know whether anything happens.
      if (output.isTerminal) tell('listening')
    },
  })
  for await (const message of messages) {
    totals.add(message)
    for (const outlet of outlets) await outlet(message)
    if (totals.messageCount === maxCount) break
  }
  client.close()
  if (stop.aborted) tell(totals.describe())
  return totals.failedCount === 0 ? EXIT_DONE : EXIT_FAILED
}

async function openOutlets(
  given: Arguments,
  surroundings: Surroundings,
  totals: Totals,
  stop: AbortSignal,
): Promise<readonly Outlet[]> {
  const { env, output, tell } = surroundings
  const dir = given.valueOf('save')
  const line = given.valueOf('exec')
  const outlets: Outlet[] = []
  const show = chooseShow(given, surroundings)
  if (show !== null) outlets.push(message => output.write(show(message)))
  if (dir !== undefined) {
    const folder = await MessageFolder.open(dir)
    outlets.push(async message => {
      const name = await folder.save(message)
      if (!given.has('json')) await output.write(`${name}\n`)
    })
  }
  if (line !== undefined) {
    outlets.push(async message => {
      const fault = await execute(line, message, env)
      // It was stopped along with this program.
      if (fault === null || stop.aborted) return
      totals.failedCount++
      tell(`the command ended ${fault} for ${message.id} of ${message.channel}`)
    })
  }
  return outlets
}

/** What is printed of each message, before the other outlets have their turn; null for nothing. */
function chooseShow(given: Arguments, { output, env }: Surroundings): Show | null {
  const { isTerminal } = output
  const isHandedOn = given.has('save') || given.has('exec')
  const style = styleFor(output, env)
  if (given.has('json')) return showJson
  if (given.has('quiet')) return isTerminal ? showDetails(style) : showFields
  if (isHandedOn) return isTerminal ? showDetails(style) : null
  return isTerminal ? showMessage(style) : showBody
}
