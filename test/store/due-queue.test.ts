import t from 'tap'
import { DueQueue } from '../../src/store/due-queue.ts'

/** Takes out everything, by when it is due. */
function drain(queue: DueQueue<string>): readonly string[] {
  const items: string[] = []
  for (let { first } = queue; first !== undefined; { first } = queue) {
    items.push(first)
    queue.delete(first)
  }
  return items
}

await t.test('an empty one is never due', t => {
  const queue = new DueQueue<string>()
  t.match(queue, { length: 0, firstMs: Infinity, first: undefined })
  queue.delete('a')
  queue.putOffFirst(1)
  t.equal(queue.length, 0)
  t.end()
})

await t.test('what is due first comes first, each once, in whatever order it went in', t => {
  const queue = new DueQueue<string>()
  for (const [item, dueMs] of [
    ['c', 3],
    ['a', 9],
    ['never', Infinity],
    ['b', 2],
    ['a', 1],
    ['c', 4],
  ] as const) {
    queue.set(item, dueMs)
  }
  t.match(queue, { length: 4, firstMs: 1, first: 'a' })
  queue.putOffFirst(3)
  t.match(queue, { length: 4, firstMs: 2, first: 'b' })
  t.same(drain(queue), ['b', 'a', 'c', 'never'])
  t.match(queue, { length: 0, firstMs: Infinity })
  queue.set('a', 1)
  queue.clear()
  t.equal(queue.first, undefined)
  queue.set('a', 2)
  t.equal(queue.firstMs, 2)
  t.end()
})

await t.test('it stays in order whatever is put in, moved, put off and taken out', t => {
  const queue = new DueQueue<number>()
  const dueOf = new Map<number, number>()
  let random = 1
  const next = (below: number): number => {
    random = (random * 48_271) % 2_147_483_647
    return random % below
  }
  for (let step = 0; step < 20_000; step++) {
    const item = next(200)
    const dueMs = next(1000)
    const action = next(4)
    if (action < 2) {
      queue.set(item, dueMs)
      dueOf.set(item, dueMs)
    } else if (action === 2) {
      queue.delete(item)
      dueOf.delete(item)
    } else if (queue.first !== undefined) {
      const later = queue.firstMs + dueMs
      dueOf.set(queue.first, later)
      queue.putOffFirst(later)
    }
    const firstMs = Math.min(...dueOf.values())
    if (queue.length !== dueOf.size || queue.firstMs !== firstMs) t.fail(`wrong at step ${step}`)
    if (queue.first !== undefined && dueOf.get(queue.first) !== firstMs) t.fail(`wrong first at step ${step}`)
  }
  t.end()
})
