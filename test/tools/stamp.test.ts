import { execFileSync } from 'node:child_process'
import t from 'tap'
import { clockId, nowNs } from '../../tools/clock.ts'
import { crc32, crc32ByTable } from '../../tools/crc32.ts'
import {
  channelSum,
  completeStamp,
  judgeStamp,
  readSource,
  seqOf,
  sourceKeyOf,
  STAMP_BYTES,
  STAMP_CHECKED_AT,
  stampTemplate,
  timeNsOf,
} from '../../tools/stamp.ts'

const SOURCE = { clock: 0xabcd, runNs: 2 ** 52 + 1, publisher: 7, channel: channelSum('flood') }

function stamped(byteCount: number, seq = 5, timeNs = 2 ** 52 + 12_345): Buffer {
  const message = Buffer.alloc(byteCount, 'payload ')
  stampTemplate(SOURCE, byteCount).copy(message)
  completeStamp(message, seq, timeNs)
  return message
}

function judge(message: Buffer): string {
  return judgeStamp(message, 0, message.length, crc32(message.subarray(STAMP_CHECKED_AT)))
}

await t.test('a stamp is read as it was written', t => {
  const message = stamped(120, 2 ** 40 - 1)
  t.equal(judge(message), 'sound')
  t.equal(seqOf(message, 0), 2 ** 40 - 1)
  t.equal(timeNsOf(message, 0), 2 ** 52 + 12_345)
  t.strictSame(readSource(sourceKeyOf(message, 0)), SOURCE)
  t.end()
})

await t.test('a stamp is one line of text, to be read by people too', t => {
  const text = stamped(STAMP_BYTES).toString('latin1')
  t.match(
    text,
    /^test-pub [0-9a-f]{8} abcd 10000000000001 0007 [0-9a-f]{8} 0000000005 10000000003039 00000057\n$/,
  )
  t.end()
})

await t.test('each wrong byte of a message is found, wherever it is', t => {
  const message = stamped(120)
  const missed: number[] = []
  for (let at = 0; at < message.length; at++) {
    for (const change of [1, 0x20, 0x80]) {
      const damaged = Buffer.from(message)
      damaged[at] = (damaged[at] ?? 0) ^ change
      if (judge(damaged) !== 'corrupt') missed.push(at)
    }
  }
  t.strictSame(missed, [])
  t.end()
})

await t.test('a message that is cut short or goes on too long is found', t => {
  const message = stamped(120)
  for (const byteCount of [119, STAMP_BYTES, STAMP_BYTES - 1, 20, 9]) {
    t.equal(judge(message.subarray(0, byteCount)), 'corrupt', `${byteCount} bytes`)
  }
  t.equal(judge(Buffer.concat([message, Buffer.from('x')])), 'corrupt')
  t.end()
})

await t.test('a message of somebody else is told from a damaged one', t => {
  for (const text of ['', 'hello', 'test-pub', 'Test-pub ', 'x'.repeat(200)]) {
    t.equal(judge(Buffer.from(text)), 'foreign', text)
  }
  t.end()
})

await t.test('the checksum is that of zlib, with and without the help of Node', t => {
  for (const sum of [crc32, crc32ByTable]) {
    t.equal(sum(Buffer.from('123456789')), 0xcbf43926)
    t.equal(sum(Buffer.from('6789'), sum(Buffer.from('12345'))), 0xcbf43926)
    t.equal(sum(Buffer.alloc(0)), 0)
  }
  t.end()
})

await t.test('the clock of a process goes on in the next one, and has a name of 16 bits', t => {
  const before = nowNs()
  const code = 'process.hrtime.bigint().toString()'
  const between = Number(execFileSync(process.execPath, ['-p', code]).toString())
  t.ok(before < between && between < nowNs())
  t.equal(clockId(), clockId())
  t.ok(clockId() >= 0 && clockId() < 0x10000)
  t.end()
})
