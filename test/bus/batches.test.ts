import t from 'tap'
import { join } from '../../src/bus/batches.ts'
import type { Batch } from '../../src/bus/sink.ts'
import type { Message } from '../../src/message.ts'

const MESSAGES = [1, 2, 3].map((seq): Message => ({
  ...{ id: `a-${seq}`, seq, time: 0, ordinal: 0, channel: 'c', type: 'text/plain', sender: null },
  body: Buffer.from(`${seq}`),
}))

/** Batches of frames that an encoder makes one after the other. */
function joined(frames: readonly (Uint8Array | null)[]): Batch[] {
  const rest = [...frames]
  return [...join(MESSAGES.slice(0, frames.length), { encode: () => rest.shift() ?? null })]
}

await t.test('frames that lie side by side are not copied, and are a Buffer', t => {
  const block = Buffer.from('<one><two><three>')
  const [batch] = joined([block.subarray(0, 5), block.subarray(5, 10), block.subarray(10)])
  t.equal(batch?.bytes.buffer, block.buffer)
  t.equal(batch?.bytes.byteOffset, block.byteOffset)
  t.equal(Buffer.from(batch?.bytes ?? []).toString(), '<one><two><three>')
  t.ok(Buffer.isBuffer(batch?.bytes), 'sockets would wrap anything else once per reader')
  t.equal(batch?.firstByteCount, 5)
  t.end()
})

await t.test('frames from anywhere are put together in order', t => {
  const block = Buffer.from('<one><two><three>')
  for (const frames of [
    [block.subarray(5, 10), block.subarray(0, 5)],
    [block.subarray(0, 5), block.subarray(10)],
    [block.subarray(0, 5), Buffer.from('<two>')],
    [Buffer.from('<two>'), null, block.subarray(0, 5)],
  ]) {
    const [batch] = joined(frames)
    t.equal(Buffer.from(batch?.bytes ?? []).toString(), frames.map(frame => frame?.toString() ?? '').join(''))
    t.equal(batch?.messages.length, frames.filter(frame => frame !== null).length)
  }
  t.end()
})
