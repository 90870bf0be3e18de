// Speed of the multipart reader alone: parts per second for small parts, bytes per second for large ones, and what odd
// pieces cost. Prints, asserts nothing: `npm run build`, then `node dist/bench/multipart-parser.js`.

import { latin1Bytes } from '../src/codec/bytes.ts'
import { MultipartParser } from '../src/codec/multipart-parser.ts'

const SOCKET_PIECE_BYTES = 64 * 1024
const ROUND_COUNT = 15

interface Load {
  readonly name: string
  readonly boundary: string
  readonly stream: Uint8Array
  readonly pieceBytes: number
}

function streamOf(boundary: string, partCount: number, part: (index: number) => string): Uint8Array {
  const text = [`--${boundary}\r\n`]
  for (let index = 0; index < partCount; index++) text.push(part(index))
  return latin1Bytes(text.join(''))
}

function noise(byteCount: number): string {
  let state = 1
  const text: string[] = []
  for (let i = 0; i < byteCount; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    text.push(String.fromCharCode(state >>> 24))
  }
  return text.join('')
}

function measure({ name, boundary, stream, pieceBytes }: Load): void {
  let best = Infinity
  let partCount = 0
  for (let round = 0; round < ROUND_COUNT; round++) {
    partCount = 0
    let lastId: string | undefined
    const parser = new MultipartParser({
      boundary,
      maxBodyBytes: 64 * 1024 * 1024,
      onPart: part => {
        partCount++
        lastId = part.headers.get('msgbus-id')
      },
    })
    const startedMs = performance.now()
    for (let at = 0; at < stream.length; at += pieceBytes) parser.push(stream.subarray(at, at + pieceBytes))
    best = Math.min(best, performance.now() - startedMs)
    if (lastId === 'never') throw new Error('unreachable')
  }
  const partsPerSecond = Math.round((partCount / best) * 1000).toLocaleString('en')
  const megabytesPerSecond = Math.round(stream.length / best / 1000).toLocaleString('en')
  const perPartNs = Math.round((best / partCount) * 1e6).toLocaleString('en')
  console.log(
    `${name.padEnd(58)} ${partsPerSecond} parts/s  ${perPartNs} ns/part  ${megabytesPerSecond} MB/s`,
  )
}

const boundary = 'msgbus-0123456789abcdef0123456789abcdef'
const body = 'x'.repeat(100)
const head = (index: number) =>
  `Content-Type: text/plain; charset=utf-8\r\nContent-Location: /msgbus/chat/room\r\nMsgbus-Id: k3j9x2-${index}\r\n`
const frame = noise(100_000)
const large = noise(1_000_000)
const tail = `\r\n--${boundary}\r\n`

const small = streamOf(
  boundary,
  200_000,
  index => `${head(index)}Content-Length: ${100 - (index % 3)}\r\n\r\n${body.slice(index % 3)}${tail}`,
)
const smallOpen = streamOf(boundary, 200_000, index => `${head(index)}\r\n${body}${tail}`)
const small2008 = streamOf(
  '00MsgBus00',
  200_000,
  () => `From: dug\nContent-Type: text/plain\n\n${body}--00MsgBus00\n`,
)
const frames = streamOf(
  boundary,
  200,
  index => `${head(index)}Content-Length: ${frame.length}\r\n\r\n${frame}${tail}`,
)
const framesOpen = streamOf(boundary, 200, index => `${head(index)}\r\n${frame}${tail}`)
const larges = streamOf(
  boundary,
  20,
  index => `${head(index)}Content-Length: ${large.length}\r\n\r\n${large}${tail}`,
)
const largesOpen = streamOf(boundary, 20, index => `${head(index)}\r\n${large}${tail}`)
const text = 'The quick brown fox jumps over the lazy dog\r\n'.repeat(22_000)
const textOpen = streamOf(boundary, 20, index => `${head(index)}\r\n${text}${tail}`)
const hostile = streamOf('a'.repeat(70), 1, () => `\r\n${'a'.repeat(5_000_000)}\r\n--${'a'.repeat(70)}\r\n`)

const loads: readonly Load[] = [
  {
    name: '100 B, 4 headers, length, 64 KiB pieces',
    boundary,
    stream: small,
    pieceBytes: SOCKET_PIECE_BYTES,
  },
  { name: '100 B, 4 headers, length, 1,460 B pieces', boundary, stream: small, pieceBytes: 1460 },
  { name: '100 B, 4 headers, length, 64 B pieces', boundary, stream: small, pieceBytes: 64 },
  {
    name: '100 B, 3 headers, no length, 64 KiB pieces',
    boundary,
    stream: smallOpen,
    pieceBytes: SOCKET_PIECE_BYTES,
  },
  {
    name: '100 B, form of 2008, 64 KiB pieces',
    boundary: '00MsgBus00',
    stream: small2008,
    pieceBytes: SOCKET_PIECE_BYTES,
  },
  { name: '100 kB, length, 64 KiB pieces', boundary, stream: frames, pieceBytes: SOCKET_PIECE_BYTES },
  { name: '100 kB, length, 1 MiB pieces', boundary, stream: frames, pieceBytes: 1024 * 1024 },
  { name: '100 kB, no length, 64 KiB pieces', boundary, stream: framesOpen, pieceBytes: SOCKET_PIECE_BYTES },
  { name: '1 MB, length, 64 KiB pieces', boundary, stream: larges, pieceBytes: SOCKET_PIECE_BYTES },
  { name: '1 MB, no length, 64 KiB pieces', boundary, stream: largesOpen, pieceBytes: SOCKET_PIECE_BYTES },
  {
    name: '1 MB of text lines, no length, 64 KiB pieces',
    boundary,
    stream: textOpen,
    pieceBytes: SOCKET_PIECE_BYTES,
  },
  { name: '1 MB, length, 1 B pieces', boundary, stream: larges.subarray(0, 5_100_000), pieceBytes: 1 },
  { name: '1 MB, no length, 1 B pieces', boundary, stream: largesOpen.subarray(0, 5_100_000), pieceBytes: 1 },
  {
    name: '5 MB built to slow the search',
    boundary: 'a'.repeat(70),
    stream: hostile,
    pieceBytes: SOCKET_PIECE_BYTES,
  },
]
for (const load of loads) measure(load)
