// msgbus as it is started by anybody: no option but the port.

import { copyFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startServer } from '../process.ts'
import type { Contender } from './contender.ts'
import { getRequest, HTTP, postRequest } from './http-wire.ts'

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))
const BOUNDARY = 'bench'

export interface MsgbusOptions {
  /** Further arguments of the program. */
  readonly args?: readonly string[]
  /** Keys of the workloads that it is for. */
  readonly only?: readonly string[]
  /** Header lines that subscribers send. */
  readonly accept?: readonly string[]
}

/** @param name Told apart from other ways to start or to ask it. */
export function msgbus(name: string, { args = [], only, accept = [] }: MsgbusOptions = {}): Contender {
  return {
    name,
    ...(only === undefined ? {} : { only }),
    needs: null,
    speaksTls: true,
    wire: {
      ...HTTP,
      subscribe: channel => getRequest(`/msgbus/${channel}`, accept),
      publish: (channel, body) => postRequest(`/msgbus/${channel}`, body),
      stream: {
        begin: channel =>
          Buffer.from(
            `POST /msgbus/${channel} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n` +
              `Content-Type: multipart/x-mixed-replace; boundary=${BOUNDARY}\r\n\r\n${chunk(Buffer.from(`--${BOUNDARY}\r\n`)).toString()}`,
          ),
        part: body => {
          const head = `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`
          return chunk(
            Buffer.concat([Buffer.from(head, 'latin1'), body, Buffer.from(`\r\n--${BOUNDARY}\r\n`)]),
          )
        },
        end: Buffer.from('0\r\n\r\n'),
      },
    },
    start: ({ folder, pemFile }) => {
      if (pemFile === null) return startServer([CLI, '-p', '0', ...args])
      const ownFile = `${folder}/server.pem`
      copyFileSync(pemFile, ownFile)
      return startServer([CLI, '-p', '0', '-c', ownFile, '-P', '0', ...args], { scheme: 'https' })
    },
  }
}

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}
