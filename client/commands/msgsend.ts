#!/usr/bin/env node
// `msgsend`: the publisher of the 2008 server, with its options: a file or stdin goes out as one message, as text/html
// unless told otherwise.

import { connect } from '../index.ts'
import type { Command } from './command.ts'
import { EXIT_DONE } from './command-error.ts'
import { readFetch, TIMEOUT } from './patience.ts'
import { publishSource, readType } from './pub.ts'
import { runCommand } from './run.ts'
import { readChannel } from './target.ts'

const MSGSEND: Command = {
  title: 'msgsend',
  operands: 'URL|CHANNEL',
  minOperands: 1,
  maxOperands: 1,
  summary: 'Publishes a file or stdin; the 2008 program of this name. See also msgbus pub.',
  options: [
    { name: 'file', short: 'f', placeholder: 'FILE', help: 'Input file; stdin by default.' },
    { name: 'type', short: 't', placeholder: 'TYPE', help: 'Media type; text/html by default.' },
    TIMEOUT,
  ],
  notes: [],
  run: async (given, surroundings) => {
    const { address, channel } = readChannel(given.operands[0] ?? '', surroundings.env)
    const client = connect(address, { fetch: readFetch(given) })
    await publishSource({
      client,
      channel,
      type: readType(given) ?? 'text/html',
      sender: undefined,
      path: given.valueOf('file') ?? '-',
      surroundings,
    })
    client.close()
    return EXIT_DONE
  },
}

await runCommand(MSGSEND, process.argv.slice(2))
