import t from 'tap'
import { assemble, assembleText, LAST_CHUNK } from '../../src/http/chunk.ts'

await t.test('a part is exactly one chunk', t => {
  const bytes = assemble(
    { head: 'A: b\r\n\r\n', body: Buffer.from('\0\xff\r\n', 'latin1'), tail: '\r\n--B\r\n' },
    true,
  )
  t.equal(bytes.toString('latin1'), '13\r\nA: b\r\n\r\n\0\xff\r\n\r\n--B\r\n\r\n')
  t.end()
})

await t.test('an HTTP/1.0 reader gets it as it is', t => {
  const bytes = assemble(
    { head: 'A: b\r\n\r\n', body: Buffer.from('\0\xff', 'latin1'), tail: '\r\n--B\r\n' },
    false,
  )
  t.equal(bytes.toString('latin1'), 'A: b\r\n\r\n\0\xff\r\n--B\r\n')
  t.end()
})

await t.test('the size is in hexadecimal, whatever the body', t => {
  for (const [byteCount, size] of [
    [1, '1'],
    [15, 'f'],
    [16, '10'],
    [255, 'ff'],
    [1_048_576, '100000'],
  ] as const) {
    const bytes = assemble({ head: '', body: new Uint8Array(byteCount), tail: '' }, true)
    t.equal(bytes.toString('latin1', 0, size.length + 2), `${size}\r\n`)
    t.equal(bytes.length, size.length + 2 + byteCount + 2)
  }
  t.end()
})

await t.test('a body in the middle of a larger block brings nothing of the block', t => {
  const block = Buffer.from('secret-body-secret')
  t.equal(assemble({ head: '<', body: block.subarray(7, 11), tail: '>' }, true).toString(), '6\r\n<body>\r\n')
  t.end()
})

await t.test('text alone is a chunk too, and the last one is empty', t => {
  t.equal(assembleText('Msgbus-Ping: 1\r\n', true).toString(), '10\r\nMsgbus-Ping: 1\r\n\r\n')
  t.equal(assembleText('x', false).toString(), 'x')
  t.equal(LAST_CHUNK, '0\r\n\r\n')
  t.end()
})
