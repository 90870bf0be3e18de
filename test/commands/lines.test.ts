import { Readable } from 'node:stream'
import t from 'tap'
import { readLines } from '../../client/commands/lines.ts'

async function linesOf(...chunks: readonly Uint8Array[]): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const line of readLines(Readable.from(chunks))) lines.push(Buffer.from(line).toString())
  return lines
}

await t.test('lines are the same wherever the bytes are cut', async t => {
  const bytes = Buffer.from('one\r\n\ntwo\rtwo\n\r\nü\u2028\nend')
  const wanted = ['one', '', 'two\rtwo', '', 'ü\u2028', 'end']
  t.strictSame(await linesOf(bytes), wanted)
  t.strictSame(await linesOf(...Array.from(bytes, byte => Uint8Array.of(byte))), wanted)
  for (let at = 0; at <= bytes.length; at++)
    t.strictSame(await linesOf(bytes.subarray(0, at), bytes.subarray(at)), wanted)
})

await t.test('nothing is no line, and a final line end begins none', async t => {
  t.strictSame(await linesOf(), [])
  t.strictSame(await linesOf(Buffer.from('')), [])
  t.strictSame(await linesOf(Buffer.from('\n')), [''])
  t.strictSame(await linesOf(Buffer.from('a\n')), ['a'])
})
