// The channel that an id stands for: the decoded name, or the escapes where there is none.

import t from 'tap'
import { checkChannel } from '../../../src/channel.ts'
import { channelOf } from '../../../src/protocols/hbpush/channel-id.ts'

const NAMES: readonly (readonly [id: string, name: string])[] = [
  ['a', 'a'],
  ['a/b', 'a/b'],
  ['%61', 'a'],
  ['a%20b', 'a b'],
  ['gr%C3%BC%C3%9F', 'grüß'],
  ['a%252Fb', 'a%2Fb'],
  // No name can be made of these: they stay as they are.
  ['a%2Fb', 'a%2Fb'],
  ['a%00', 'a%00'],
  ['%0A', '%0A'],
  ['%ff', '%ff'],
  ['%', '%'],
  ['%zz', '%zz'],
  ['%5C', '%5C'],
  ['e%CC%81', 'e%CC%81'],
  ['%E2%80%8B', '%E2%80%8B'],
  ['%2E%2E', '%2E%2E'],
  ['a/%2E', 'a/%2E'],
  ['abc%20%C3%A9%0Afg%09hi%00po', 'abc%20%C3%A9%0Afg%09hi%00po'],
  // These are not even names as they stand.
  ['a//b', 'a%2F%2Fb'],
  ['a/', 'a%2F'],
  ['/', '%2F'],
  ['.', '%2E'],
  ['..', '%2E%2E'],
  ['a/../b', 'a%2F..%2Fb'],
  ['x/'.repeat(16).concat('x'), 'x%2F'.repeat(16).concat('x')],
  ['%FF//', '%FF%2F%2F'],
]

await t.test('each id has its channel', t => {
  for (const [id, name] of NAMES) {
    t.equal(channelOf(id), name, id)
    t.equal(checkChannel(channelOf(id)), name)
  }
  t.end()
})

await t.test('an id that is empty or too long has none', t => {
  for (const id of ['', 'x'.repeat(256), '%00'.repeat(86), '/'.repeat(86)]) {
    t.throws(() => channelOf(id), { code: 'MSGBUS_CHANNEL_NAME' }, id.slice(0, 10))
  }
  t.equal(channelOf('%41'.repeat(255)), 'A'.repeat(255), 'the name counts')
  t.end()
})
