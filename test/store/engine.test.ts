// The engine by itself: what those who write to it rely on.

import t from 'tap'
import { Engine } from '../../src/store/file/engine.ts'

await t.test('a change is taken as it is when it is handed over', async t => {
  const engine = await Engine.open(t.testdir())
  t.teardown(() => engine.close())
  const bytes = Buffer.from('the first group')
  const writing = engine.write(
    { rows: [{ number: 1, bytes }], deleted: [], notes: new Map(), state: null },
    true,
  )
  // Its memory is used again.
  bytes.fill('x')
  await writing
  t.equal((await engine.read([1])).get(1)?.toString(), 'the first group')
})

await t.test('a state stays until there is another one', async t => {
  const engine = await Engine.open(t.testdir())
  t.teardown(() => engine.close())
  const row = { number: 1, bytes: Buffer.from('a') }
  await engine.write({ rows: [], deleted: [], notes: new Map(), state: Buffer.from('one') }, true)
  await engine.write({ rows: [row], deleted: [], notes: new Map(), state: null }, true)
  t.equal((await engine.state())?.toString(), 'one')
  await engine.write({ rows: [], deleted: [1], notes: new Map(), state: Buffer.from('two') }, true)
  t.equal((await engine.state())?.toString(), 'two')
})
