// The shortest server for Node that does the same fan-out: a loop of `socket.write` with the same bytes, and nothing else. No
// peer, but what a server without limits, filters and history would cost that writes each message to each socket.

import { fileURLToPath } from 'node:url'
import { startServer } from '../process.ts'
import type { Contender } from './contender.ts'
import { getRequest, HTTP, postRequest } from './http-wire.ts'

const PROGRAM = fileURLToPath(new URL('../plain-loop.js', import.meta.url))

export const bareNode: Contender = {
  name: 'bare Node',
  needs: null,
  speaksTls: true,
  // It has one channel.
  only: ['a', 'b', 'c', 'e', 'h', 'h2'],
  wire: {
    ...HTTP,
    subscribe: channel => getRequest(`/${channel}`),
    publish: (channel, body) => postRequest(`/${channel}`, body),
    stream: null,
  },
  start: ({ pemFile }) =>
    pemFile === null ? startServer([PROGRAM]) : startServer([PROGRAM, pemFile], { scheme: 'https' }),
}
