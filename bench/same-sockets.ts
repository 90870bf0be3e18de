// What msgbus is measured against: the streams of msgbus itself, written to by a plain loop of socket.write instead of by
// the bus, with the same bytes. No filters, no limits, no channels.

import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from '../src/index.ts'

const msgbus = createServer()
const { boundary } = msgbus.bus
const sockets = new Set<Socket>()
let count = 0
const server = createHttpServer((req, res) => {
  if (req.method === 'GET') {
    sockets.add(req.socket)
    req.socket.on('close', () => sockets.delete(req.socket))
    msgbus.handle(req, res)
    return
  }
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const body = Buffer.concat(chunks)
    const part = `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\nMsgbus-Id: 0123456789ab-${++count}\r\nMsgbus-Time: 1700000000000\r\n\r\n${body.toString('latin1')}\r\n--${boundary}\r\n`
    const frame = Buffer.from(`${part.length.toString(16)}\r\n${part}\r\n`, 'latin1')
    for (const socket of sockets) socket.write(frame)
    res.writeHead(204).end()
  })
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`)
})
