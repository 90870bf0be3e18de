import t from 'tap'
import { MsgbusError } from '../../src/errors.ts'
import { ChunkedBody } from '../../src/http/chunked-body.ts'

const BODY = 'one two'
const WHOLE = '3\r\none\r\n0004;x="y"; z\r\n two\r\n0\r\nTrailer: t\r\n\r\n'

function read(pieces: readonly string[]): { text: string; isComplete: boolean; rest: string } {
  const body = new ChunkedBody()
  let text = ''
  let rest = ''
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, 'latin1')
    const { byteCount, end } = body.take(bytes)
    text += bytes.toString('latin1', 0, byteCount)
    rest += bytes.toString('latin1', end)
  }
  body.check()
  return { text, isComplete: body.isComplete, rest }
}

await t.test('a body is what stands in its chunks, however they are cut', t => {
  const bytes = `${WHOLE}POST`
  for (let cut = 0; cut <= bytes.length; cut++) {
    t.strictSame(read([bytes.slice(0, cut), bytes.slice(cut)]), {
      ...{ text: BODY, isComplete: true },
      rest: 'POST',
    })
  }
  t.strictSame(read(Array.from(bytes)), { text: BODY, isComplete: true, rest: 'POST' })
  t.end()
})

await t.test('a body is complete behind its last chunk and its trailers, and not before', t => {
  for (let cut = 0; cut < WHOLE.length; cut++) t.notOk(read([WHOLE.slice(0, cut)]).isComplete)
  t.ok(read([WHOLE]).isComplete)
  t.ok(read(['0\r\n\r\n']).isComplete)
  t.end()
})

await t.test('large and many chunks are read as they are', t => {
  const large = 'x'.repeat(0xabcde)
  t.ok(read([`ABcde\r\n${large}\r\n0\r\n\r\n`]).text === large)
  t.equal(read(['1\r\na\r\n'.repeat(10_000)]).text, 'a'.repeat(10_000))
  t.end()
})

await t.test('zeros before a size and long extensions are read over', t => {
  const zeros = '0'.repeat(100)
  t.strictSame(read([`${zeros}3;${'x'.repeat(16_000)}\r\none\r\n${zeros}\r\n\r\n`]), {
    ...{ text: 'one', isComplete: true },
    rest: '',
  })
  t.end()
})

await t.test('what is not framed in chunks is refused, and what comes before it is read', t => {
  for (const bytes of [
    ...['x', '\r\n', ' 3\r\n', '-3\r\n', '+3\r\n', '0x3\r\n', '3\n', '3\rx', '3.\r\n', '3\0\r\n', ';x\r\n'],
    ...['3\r\nonex', '3\r\none\n', '3\r\none\rx', '3\r\nonetwo\r\n', '3;\n\r\n', '3;\0\r\n'],
    ...['0\r\n\rx', '0\r\n\n', '0\r\nA: b\rx', '0\r\nA: b\n', '3 \r\n', '3;\x7f\r\n', '3;\xe9\r\n'],
    ...['0\r\nnoColon\r\n', '0\r\n: b\r\n', '0\r\nA : b\r\n', '0\r\n A: b\r\n', '0\r\nGET / HTTP/1.1\r\n'],
    '1000000000000\r\n',
    `3;${'x'.repeat(20_000)}\r\n`,
    `0\r\nA: ${'x'.repeat(20_000)}\r\n`,
    `0\r\n${'A: b\r\n'.repeat(10_000)}`,
  ]) {
    const what = JSON.stringify(bytes.slice(0, 20))
    const body = new ChunkedBody()
    const all = Buffer.from(`4\r\ngood\r\n${bytes}`, 'latin1')
    const { byteCount } = body.take(all)
    t.equal(all.toString('latin1', 0, 4), 'good', what)
    t.ok(byteCount === 4 || byteCount === 7, what)
    t.notOk(body.isComplete, what)
    t.equal(faultOf(body), 'MSGBUS_CHUNK', what)
    t.strictSame(body.take(Buffer.from('1\r\nx\r\n')), { byteCount: 0, end: 0 }, what)
  }
  t.end()
})

function faultOf(body: ChunkedBody): string | undefined {
  try {
    body.check()
    return undefined
  } catch (error) {
    return error instanceof MsgbusError ? error.code : String(error)
  }
}
