// The floor: the shortest server that does the same fan-out, a loop of socket.write over the sockets of Node's own HTTP
// server, which keeps nothing else in memory. No filters, no limits, no channels. Over TLS with a PEM file as argument.

import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

const BOUNDARY = '0123456789abcdef0123456789abcdef'

let count = 0
const sockets = new Set<Socket>()
const serve: RequestListener = (req, res) => {
  if (req.method === 'GET') {
    const { socket } = req
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=${BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    return
  }
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const body = Buffer.concat(chunks)
    // The same bytes that msgbus sends: what is compared is the loop, not the length of a header.
    const part = `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\nMsgbus-Id: 0123456789ab-${++count}\r\nMsgbus-Time: 1700000000000\r\n\r\n${body.toString('latin1')}\r\n--${BOUNDARY}\r\n`
    const frame = Buffer.from(`${part.length.toString(16)}\r\n${part}\r\n`, 'latin1')
    for (const socket of sockets) socket.write(frame)
    res.writeHead(204).end()
  })
}
const [, , pemFile] = process.argv
const pem = pemFile === undefined ? null : readFileSync(pemFile)
const server =
  pem === null ? createServer(serve) : createTlsServer({ cert: pem, key: pem, noDelay: true }, serve)
const scheme = pem === null ? 'http' : 'https'
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/\n`)
})
