// A stream may be cut anywhere on its way: whatever the pieces, the same messages come out of it. And what no msgbus
// sends is refused.

import t from 'tap'
import { RunError } from '../../tools/run-error.ts'
import { MessageCheck } from '../../tools/test-sub/message-check.ts'
import { StreamReader } from '../../tools/test-sub/stream-reader.ts'
import { Tally } from '../../tools/test-sub/tally.ts'
import { chunk } from '../wire/server.ts'
import { stampedBodies } from './tool.ts'

const BOUNDARY = '0123456789abcdef0123456789abcdef'
const HEAD = `Content-Type: multipart/x-mixed-replace; boundary=${BOUNDARY}\r\nConnection: close\r\n`

const [FIRST = '', SECOND = '', THIRD = ''] = stampedBodies(3)

function part(text: string): string {
  return `Content-Type: text/plain\r\nContent-Length: ${text.length}\r\nMsgbus-Id: e-1\r\n\r\n${text}\r\n--${BOUNDARY}\r\n`
}

const PIECES = [
  `--${BOUNDARY}\r\n`,
  part(FIRST),
  'Msgbus-Ping: 1\r\n',
  part(SECOND),
  part('foreign'),
  part(''),
  part(THIRD),
  `--${BOUNDARY}--\r\n`,
]

const CHUNKED_HEAD = `HTTP/1.1 200 OK\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n`
const CHUNKED = `${CHUNKED_HEAD}${PIECES.map(chunk).join('')}0\r\n\r\n`
// As a proxy may write them, that knows nothing of parts.
const OTHER_CHUNKS = (PIECES.join('').match(/.{1,17}/gs) ?? []).map(text =>
  chunk(text).replace('\r\n', ';x=y\r\n'),
)
const RECHUNKED = `${CHUNKED_HEAD}${OTHER_CHUNKS.join('')}0\r\nTrailer: x\r\n\r\n`
const PLAIN = `HTTP/1.0 200 OK\r\n${HEAD}\r\n${PIECES.join('')}`

interface Reading {
  readonly messages: number
  readonly foreign: number
  readonly faultCount: number
  readonly isEnded: boolean
}

function read(text: string, cuts: readonly number[]): Reading {
  const tally = new Tally()
  const check = new MessageCheck(tally, 'flood')
  const reader = new StreamReader(check, () => {
    check.sequences.open(0)
  })
  const bytes = Buffer.from(text, 'latin1')
  for (const [at, from] of [0, ...cuts].entries()) {
    // A buffer that is used again, with other bytes behind.
    const piece = Buffer.alloc(bytes.length + 1, '\r')
    reader.push(piece, bytes.copy(piece, 0, from, cuts[at] ?? bytes.length))
    piece.fill('x')
  }
  reader.close()
  return {
    messages: tally.messageCount,
    foreign: tally.foreignCount,
    faultCount: tally.lostCount + tally.repeatedCount + tally.corruptedCount + tally.misroutedCount,
    isEnded: reader.isEnded,
  }
}

function isRefused(text: string): boolean {
  try {
    read(text, [])
    return false
  } catch (error) {
    if (error instanceof RunError) return true
    throw error
  }
}

const STREAMS = { 'in chunks of one part': CHUNKED, 'in other chunks': RECHUNKED, 'without chunks': PLAIN }

for (const [name, text] of Object.entries(STREAMS)) {
  await t.test(`a stream ${name} reads the same in two pieces, in three and byte by byte`, t => {
    const expected = { messages: 5, foreign: 2, faultCount: 0, isEnded: text !== PLAIN }
    const all = Array.from({ length: text.length - 1 }, (_, at) => at + 1)
    t.strictSame(read(text, []), expected)
    t.strictSame(read(text, all), expected)
    const different = all.filter(at => {
      const readings = [read(text, [at]), read(text, [at, Math.min(text.length - 1, at + 3)])]
      return readings.some(reading => JSON.stringify(reading) !== JSON.stringify(expected))
    })
    t.strictSame(different, [])
    t.end()
  })

  await t.test(`a stream ${name} that ends anywhere but at its end is a fault`, t => {
    const end = text === PLAIN ? text.length - 2 : text.length
    const taken = Array.from({ length: end }, (_, at) => at).filter(at => !isRefused(text.slice(0, at)))
    t.strictSame(taken, [])
    t.end()
  })
}

await t.test('a last chunk in the middle of a part is a cut, too', t => {
  const whole = PIECES.slice(0, 2)
  const isCut = (pieces: readonly string[]): boolean =>
    isRefused(`${CHUNKED_HEAD}${pieces.map(chunk).join('')}0\r\n\r\n`)
  t.notOk(isCut(whole))
  t.ok(isCut([...whole, 'Content-Type: text/plain\r\n']))
  t.ok(isCut([]))
  t.end()
})

await t.test('parts that are not framed as msgbus frames them are faults', t => {
  const cases: readonly (readonly [string | RegExp, string])[] = [
    ['Content-Length: 100', 'Content-Length: 99'],
    ['Content-Length: 100', 'Content-Length: 101'],
    ['Content-Length: 100', 'Content-Length: x'],
    ['Content-Length: 100', 'Content-Length: '],
    ['Content-Length: 100', 'Content-Length: 100\r\nContent-Length: 100'],
    ['Content-Length: 100\r\n', ''],
    ['Msgbus-Id: e-1\r\n', 'Msgbus-Id: e-1\n'],
    ['Msgbus-Id:', 'Msgbus-Id'],
    ['Msgbus-Id:', ': '],
    [`\r\n--${BOUNDARY}`, `\n--${BOUNDARY}`],
    [`--${BOUNDARY}`, `--${BOUNDARY}0`],
    [/\r\n$/, '--\r\n'],
    [/^/, '--other--\r\n'],
  ]
  const streamOf = (piece: string): string =>
    `HTTP/1.0 200 OK\r\n${HEAD}\r\n--${BOUNDARY}\r\n${piece}--${BOUNDARY}--\r\n`
  const sound = part(FIRST)
  t.notOk(isRefused(streamOf(sound)))
  for (const [found, replacement] of cases) {
    const spoilt = sound.replace(found, replacement)
    t.not(spoilt, sound)
    t.ok(isRefused(streamOf(spoilt)), replacement)
  }
  t.ok(isRefused(`${streamOf(sound)}x`), 'something behind the end')
  t.end()
})

await t.test('chunks that are none, and bytes behind the end, are faults', t => {
  for (const [found, replacement] of [
    [/^/, 'x'],
    ['\r\n\r\n24', '\r\n\r\n\r\n24'],
    ['\r\n\r\n24', '\r\n\r\nfffffffff'],
    ['\r\n\r\n24', '\r\n\r\n23'],
    [/0\r\n\r\n$/, '0\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n'],
  ] as const) {
    const spoilt = CHUNKED.replace(found, replacement)
    t.not(spoilt, CHUNKED)
    t.ok(isRefused(spoilt), replacement)
  }
  t.end()
})
