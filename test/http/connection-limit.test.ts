import { randomInt } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { ConnectionLimit } from '../../src/http/connection-limit.ts'

/** As much of a socket as is looked at. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress: string | undefined
  readonly remotePort = randomInt(2 ** 47)
  isDestroyed = false

  constructor(remoteAddress: string | undefined) {
    super()
    this.remoteAddress = remoteAddress
  }

  destroy(): void {
    this.isDestroyed = true
  }

  asSocket(): Socket {
    return this as unknown as Socket
  }
}

function admit(limit: ConnectionLimit, address: string | undefined = '127.0.0.1'): FakeSocket {
  const socket = new FakeSocket(address)
  limit.admit(socket.asSocket())
  return socket
}

function outcome(limit: ConnectionLimit, socket: FakeSocket): string {
  if (socket.isDestroyed) return 'dropped'
  return limit.isSurplus(socket.asSocket()) ? 'surplus' : 'served'
}

function outcomes(limit: ConnectionLimit, count: number, address?: string): readonly string[] {
  return Array.from({ length: count }, () => outcome(limit, admit(limit, address)))
}

function times(count: number, word: string): readonly string[] {
  return Array.from({ length: count }, () => word)
}

await t.test('95 in 100 are served, five are told, the rest is dropped', t => {
  const limit = new ConnectionLimit(100)
  t.strictSame(outcomes(limit, 102), [...times(95, 'served'), ...times(5, 'surplus'), ...times(2, 'dropped')])
  t.end()
})

await t.test('a place is free again when its connection closes, and only then', t => {
  const limit = new ConnectionLimit(2)
  const first = admit(limit)
  admit(limit)
  const dropped = admit(limit)
  dropped.emit('close')
  t.equal(outcome(limit, admit(limit)), 'dropped', 'one that was dropped never had a place')
  first.emit('close')
  t.equal(outcome(limit, admit(limit)), 'surplus')
  t.end()
})

await t.test('of however few one is served', t => {
  t.strictSame(outcomes(new ConnectionLimit(1), 2), ['served', 'dropped'])
  t.strictSame(outcomes(new ConnectionLimit(1), 1, '192.0.2.1'), ['served'])
  t.end()
})

await t.test('one address of the network gets a quarter, and another one then still its own', t => {
  const limit = new ConnectionLimit(100)
  t.strictSame(outcomes(limit, 27, '192.0.2.1'), [...times(25, 'served'), ...times(2, 'surplus')])
  t.strictSame(outcomes(limit, 2, '192.0.2.2'), times(2, 'served'))
  t.strictSame(outcomes(limit, 1, '::ffff:192.0.2.1'), ['surplus'], 'the same in another spelling')
  t.end()
})

await t.test('a proxy on this machine may have all', t => {
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    t.strictSame(outcomes(new ConnectionLimit(100), 95, address), times(95, 'served'), address)
  }
  t.end()
})

await t.test('connections that were gone before they were looked at share one quarter', t => {
  const limit = new ConnectionLimit(8)
  const gone = Array.from({ length: 3 }, () => new FakeSocket(undefined))
  for (const socket of gone) limit.admit(socket.asSocket())
  t.strictSame(
    gone.map(socket => outcome(limit, socket)),
    ['served', 'served', 'surplus'],
  )
  t.end()
})
