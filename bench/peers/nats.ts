// NATS: its own text protocol over TCP, no TLS here. The server may use one core, as all others.

import { writeFileSync } from 'node:fs'
import { startProgram } from '../process.ts'
import type { Contender } from './contender.ts'
import { freePort } from './free-port.ts'

const CONNECT = (isVerbose: boolean): string => `CONNECT {"verbose":${isVerbose},"pedantic":false}\r\n`

export const nats: Contender = {
  name: 'NATS',
  needs: { program: 'nats-server', packages: ['nats-server'] },
  speaksTls: false,
  wire: {
    subscribe: channel => Buffer.from(`${CONNECT(false)}SUB ${subject(channel)} 1\r\nPING\r\n`),
    subscribed: 'PONG\r\n',
    // Verbose: an answer to each message, as over HTTP.
    greeting: { bytes: Buffer.from(CONNECT(true)), answerCount: 1 },
    publish: (channel, body) => message(channel, body),
    acknowledgement: /\+OK\r\n/g,
    stream: null,
  },
  start: async ({ folder }) => {
    const port = await freePort()
    const file = `${folder}/nats.conf`
    writeFileSync(
      file,
      `listen: 127.0.0.1:${port}\nmax_connections: 12000\nping_interval: "1h"\nwrite_deadline: "30s"\nmax_pending: 268435456\n`,
    )
    return startProgram('nats-server', ['-c', file, '-l', `${folder}/nats.log`], { port })
  },
}

function message(channel: string, body: Buffer): Buffer {
  const head = Buffer.from(`PUB ${subject(channel)} ${body.length}\r\n`, 'latin1')
  return Buffer.concat([head, body, Buffer.from('\r\n')])
}

function subject(channel: string): string {
  return channel.replaceAll('/', '.')
}
