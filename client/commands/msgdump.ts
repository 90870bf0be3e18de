#!/usr/bin/env node
// `msgdump`: the subscriber of the 2008 server, with its options and its output: a line `time channel type sender (length)`
// for each message, the body as Python writes it, and totals at the end.

import { encodeChannel } from '../../src/channel.ts'
import { connect } from '../index.ts'
import type { Command } from './command.ts'
import { EXIT_DONE } from './command-error.ts'
import { readFetch, TIMEOUT } from './patience.ts'
import { printable } from './printable.ts'
import { receive } from './receive.ts'
import { runCommand } from './run.ts'
import { readTarget } from './target.ts'
import { Totals } from './totals.ts'

const MSGDUMP: Command = {
  title: 'msgdump',
  operands: '[URL|CHANNEL]',
  minOperands: 0,
  maxOperands: 1,
  summary: 'Prints what is published; the 2008 program of this name. See also msgbus sub.',
  options: [
    { name: 'quiet', short: 'q', help: 'No bodies.' },
    { name: 'sender', short: 's', placeholder: 'SENDER', help: 'Only messages of these senders.' },
    { name: 'type', short: 't', placeholder: 'TYPE', help: 'Only messages of these types.' },
    TIMEOUT,
  ],
  notes: ['It prints totals when it is stopped with Ctrl-C.'],
  run: async (given, { env, output, tell, followStop }) => {
    const target = readTarget(given.operands[0], env)
    const stop = followStop()
    const totals = new Totals()
    const client = connect(target.address, { fetch: readFetch(given) })
    const messages = receive(client, target, {
      type: given.valueOf('type'),
      sender: given.valueOf('sender'),
      reconnects: true,
      stop,
      tell,
      onOpen: () => {
        tell('subscribed')
      },
    })
    for await (const message of messages) {
      totals.add(message)
      const { time, channel, type, sender, body } = message
      const seconds = ((time?.getTime() ?? Date.now()) / 1000).toFixed(2)
      // Names without blanks, as the old library gave them.
      const line = `${seconds} ${encodeChannel(channel)} ${type} ${sender ?? 'None'} (${body.length})`
      const shown = given.has('quiet') ? '' : `${writeLiteral(body)}\n`
      await output.write(`${printable(line)}\n${shown}`)
    }
    client.close()
    const { messageCount, seconds } = totals
    const rate = (messageCount / seconds).toFixed(1)
    tell(`received ${messageCount} msgs over ${Math.floor(seconds)} secs (${rate} mps)`)
    return EXIT_DONE
  },
}

/** Bytes as a string literal of Python 2: visible ASCII as it is, everything else escaped. */
function writeLiteral(bytes: Uint8Array): string {
  const hasSingle = bytes.includes(0x27)
  const quote = hasSingle && !bytes.includes(0x22) ? '"' : "'"
  const names = new Map([
    ['\\', '\\\\'],
    [quote, `\\${quote}`],
    ['\n', '\\n'],
    ['\r', '\\r'],
    ['\t', '\\t'],
  ])
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const shown = text.replace(/[^ -~]|['"\\]/g, character => {
    const isPlain = character >= ' ' && character <= '~'
    const code = character.charCodeAt(0).toString(16).padStart(2, '0')
    return names.get(character) ?? (isPlain ? character : `\\x${code}`)
  })
  return `${quote}${shown}${quote}`
}

await runCommand(MSGDUMP, process.argv.slice(2))
