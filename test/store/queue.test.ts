import fc from 'fast-check'
import t from 'tap'
import { Queue } from '../../src/store/queue.ts'

function itemsOf(queue: Queue<number>): (number | undefined)[] {
  return Array.from({ length: queue.length }, (_, at) => queue.at(at))
}

await t.test('a queue does what an array does, whatever is done to it', t => {
  const step = fc.oneof(
    // Enough in a row for the front of the array to be cut off, again and again.
    { weight: 110, arbitrary: fc.constant('push') },
    { weight: 100, arbitrary: fc.constant('shift') },
    { weight: 1, arbitrary: fc.constant('keep') },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: 'max' }), steps => {
      const queue = new Queue<number>()
      let model: number[] = []
      for (const [at, name] of steps.entries()) {
        if (name === 'push') {
          queue.push(at)
          model.push(at)
        } else if (name === 'shift') {
          if (queue.shift() !== model.shift()) return false
        } else {
          queue.keepOnly(item => item % 3 !== 0)
          model = model.filter(item => item % 3 !== 0)
        }
        if (queue.length !== model.length) return false
      }
      const middle = model[model.length >> 1] ?? 0
      return (
        JSON.stringify(itemsOf(queue)) === JSON.stringify(model) &&
        queue.search(item => item >= middle) === model.filter(item => item < middle).length
      )
    }),
    { seed: 1, numRuns: 300 },
  )
  t.end()
})

await t.test('an empty queue has nothing anywhere', t => {
  const queue = new Queue<number>()
  t.equal(queue.length, 0)
  t.equal(queue.shift(), undefined)
  t.equal(queue.at(0), undefined)
  t.equal(
    queue.search(() => true),
    0,
  )
  t.end()
})

await t.test('nothing is found before the front or behind the end', t => {
  const queue = new Queue<number>()
  for (let at = 0; at < 100; at++) queue.push(at)
  for (let at = 0; at < 100; at++) {
    t.equal(queue.at(0), at)
    t.equal(queue.at(-1), undefined)
    t.equal(queue.at(100 - at), undefined)
    t.equal(queue.shift(), at)
    t.equal(queue.length, 99 - at)
  }
  t.end()
})
